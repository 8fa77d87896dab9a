import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../../../src/core/digest.ts';
import {
  type DeliveredRelease,
  nextSteps,
  upgradeCommands,
} from '../../../../../src/kinds/release/resources/next-steps.ts';

const signed: DeliveredRelease = {
  version: '4.17.3',
  minor: 17,
  architecture: 'x86_64',
  pinned: `r.example.com:5000/ocp4/openshift/release-images@${digestOf('a release')}`,
  isSigned: true,
  sigstore: { release: { signed: 1, images: 1 }, components: { signed: 0, images: 190 } },
  mirrorSetFile: 'cluster-resources/idms.yaml',
  installFiles: ['install/image-digest-sources.yaml'],
};
const unsigned = { ...signed, isSigned: false };

function commands(lines: readonly string[]): string[] {
  return lines
    .map((line) => line.trim())
    .filter((line) => /^(oc|\.\/openshift-install) /.test(line));
}

function of(minor: number, more: Partial<DeliveredRelease> = {}): string {
  return nextSteps({ ...signed, version: `4.${minor}.1`, minor, ...more }).join('\n');
}

describe('nextSteps', () => {
  it('gives the commands in the order they have to be typed in, for each way', () => {
    expect(commands(nextSteps(signed))).toEqual([
      'oc adm upgrade',
      'oc get configmap admin-gates -n openshift-config-managed -o yaml',
      `oc adm upgrade --allow-explicit-upgrade --to-image ${signed.pinned}`,
      'oc adm upgrade channel stable-4.17',
      'oc adm upgrade --to=4.17.3',
      'oc get clusterversion',
      'oc get mcp',
      `oc adm release extract -a PULL_SECRET.json --idms-file=${signed.mirrorSetFile} --command=openshift-install ${signed.pinned}`,
      './openshift-install create cluster --dir=FOLDER',
      './openshift-install agent create image --dir=FOLDER',
      './openshift-install agent wait-for install-complete --dir=FOLDER',
    ]);
    expect(nextSteps(signed).join('\n')).toContain('install/image-digest-sources.yaml');
  });

  it('gives paths as a shell takes them', () => {
    const mirrorSetFile = "it's here/idms.yaml";
    expect(nextSteps({ ...signed, mirrorSetFile }).join('\n')).toContain(
      `--idms-file='it'\\''s here/idms.yaml'`,
    );
  });

  it('upgrades to nothing that nobody signed, and never forces a cluster', () => {
    const text = nextSteps(unsigned).join('\n');
    expect(text).toContain('NO SIGNATURE');
    expect(text).not.toMatch(/oc adm upgrade|--force/);
    expect(commands(nextSteps(unsigned))).toContain(
      './openshift-install create cluster --dir=FOLDER',
    );
    expect(nextSteps(signed).join('\n')).not.toContain('--force');
  });

  it('names the acknowledgements that are known for the version', () => {
    expect(of(19)).toContain('"ack-4.18-kube-1.32-api-removals-in-4.19":"true"');
    expect(of(19)).toContain('"ack-4.18-boot-image-opt-out-in-4.19":"true"');
    expect(of(17)).not.toContain('admin-acks');
  });

  it('counts sigstore signatures from 4.21 on, where a cluster wants them', () => {
    expect(of(20)).not.toContain('sigstore signature');
    expect(of(21)).toContain('1 of 1 release image, 0 of 190 other images');
    expect(of(21)).toContain('"ack-4.20-sigstore-in-4.21":"true"');
    expect(of(21)).not.toContain('MISSING');
    const sigstore = { ...signed.sigstore, release: { signed: 0, images: 1 } };
    expect(of(21, { sigstore })).toContain('THE SIGNATURE OF THE RELEASE IMAGE IS MISSING');
  });

  it('names each block for install-config.yaml, and the CA where no file has it', () => {
    expect(of(17)).toContain('under additionalTrustBundle');
    const installFiles = [...signed.installFiles, 'install/additional-trust-bundle.yaml'];
    for (const file of installFiles) expect(of(17, { installFiles })).toContain(`of ${file}\n`);
    expect(of(17, { installFiles })).not.toContain('under additionalTrustBundle');
  });
});

describe('the blocks of several installers', () => {
  const [digests, contents] = [
    'install/image-digest-sources.yaml',
    'install/image-content-sources.yaml',
  ];
  it.each([
    [13, contents, digests],
    [14, digests, contents],
  ])('4.%i knows %s', (minor, known, unknown) => {
    const text = of(minor, { installFiles: [digests, contents] });
    expect(text).toContain(known);
    expect(text).not.toContain(unknown);
  });
});

describe('upgradeCommands', () => {
  it('are commands of the section; none for a release that a cluster refuses', () => {
    expect(commands(nextSteps(signed))).toEqual(
      expect.arrayContaining([...upgradeCommands(signed)]),
    );
    expect(upgradeCommands(signed)).toHaveLength(1);
    expect(upgradeCommands(unsigned)).toEqual([]);
  });
});
