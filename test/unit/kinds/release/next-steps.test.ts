import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../../src/core/digest.ts';
import {
  nextSteps,
  signatureCommand,
  upgradeCommand,
} from '../../../../src/kinds/release/next-steps.ts';

const signed = {
  version: '4.17.3',
  architecture: 'x86_64',
  pinned: `r.example.com:5000/ocp4/openshift/release-images@${digestOf('a release')}`,
  signatureFile: 'cluster-resources/signature-sha256-0123456789abcdef.yaml',
  mirrorSetFile: 'cluster-resources/idms-r-example-com-5000.yaml',
  installFile: 'install/image-digest-sources.yaml',
};
const unsigned = { ...signed, signatureFile: undefined };

function commands(lines: readonly string[]): string[] {
  return lines.map((line) => line.trim()).filter((line) => line.startsWith('oc '));
}

describe('nextSteps', () => {
  it('gives the commands in the order they have to be run in, by digest', () => {
    expect(commands(nextSteps(signed))).toEqual([
      `oc apply -f ${signed.signatureFile}`,
      `oc diff -f ${signed.mirrorSetFile}`,
      `oc apply -f ${signed.mirrorSetFile}`,
      'oc get mcp',
      `oc adm upgrade --allow-explicit-upgrade --to-image ${signed.pinned}`,
      'oc get clusterversion',
      `oc adm release extract -a PULL_SECRET.json --idms-file=${signed.mirrorSetFile} --command=openshift-install ${signed.pinned}`,
    ]);
    expect(nextSteps(signed).join('\n')).toContain(signed.installFile);
    expect(nextSteps(signed).join('\n')).not.toContain('--force');
  });

  it('gives paths as a shell takes them', () => {
    const mirrorSetFile = "it's here/idms.yaml";
    expect(commands(nextSteps({ ...signed, mirrorSetFile }))).toContain(
      `oc diff -f 'it'\\''s here/idms.yaml'`,
    );
  });

  it('forces only what nobody signed', () => {
    expect(commands(nextSteps(unsigned))).toContain(
      `oc adm upgrade --allow-explicit-upgrade --to-image ${signed.pinned} --force`,
    );
    expect(commands(nextSteps(unsigned)).filter((line) => line.includes('signature'))).toEqual([]);
  });
});

describe('signatureCommand and upgradeCommand', () => {
  it.each([signed, unsigned])('are commands of the section', (release) => {
    const shown = [...signatureCommand(release), upgradeCommand(release)];
    expect(shown).toHaveLength(release.signatureFile === undefined ? 1 : 2);
    expect(commands(nextSteps(release))).toEqual(expect.arrayContaining(shown));
  });

  it('give paths as a shell takes them', () => {
    expect(signatureCommand({ ...signed, signatureFile: 'a b.yaml' })).toEqual([
      "oc apply -f 'a b.yaml'",
    ]);
  });
});
