import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

import { describeWith } from '../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';

const TO = 'registry.example.com:5000/ocp4';

interface Written {
  readonly target: string;
  readonly resources: {
    readonly files: readonly string[];
    readonly nextSteps: readonly { condition?: string; commands: readonly string[] }[];
    readonly notes: readonly string[];
    readonly isLoopback: boolean;
  };
}

/** What a closed side writes for its clusters, with the program as it is built. */
describeWith(['docker-registry', 'openssl'], 'the files for clusters', () => {
  let sides: TwoSides;
  let ca: PrivateCa;
  beforeAll(async () => {
    sides = await twoSides('cluster-resources', { components: 3, scale: 0.0001 });
    const { packer, medium, fetching } = sides;
    expect((await packer.bundle(['pack', '4.17.3', '-o', medium, ...fetching])).status).toBe(0);
    ca = await makePrivateCa();
  });
  afterAll(async () => {
    await ca.remove();
    await sides.remove();
  });

  const folder = (name: string): string => join(sides.folder, name);
  const writing = (name: string, ...more: string[]): string[] => [
    ...['resources', sides.medium, '--to', TO, '--resources-dir', folder(name)],
    ...[...sides.trust, ...more],
  ];
  const written = async (name: string, ...more: string[]): Promise<Written> =>
    (await sides.operator.json(writing(name, ...more))) as Written;
  const inFolder = async (name: string): Promise<Record<string, string>> => {
    const names = await readdir(folder(name), { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile());
    const texts = await Promise.all(
      files.map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(folder(name).length + 1), await readFile(path, 'utf8')] as const;
      }),
    );
    return Object.fromEntries(texts);
  };

  it('are written without a registry, for any name of one', async () => {
    const { target, resources } = await written('mine');
    expect(target).toBe(TO);
    const files = await inFolder('mine');
    expect(Object.keys(files).length).toBe(resources.files.length);
    expect(
      Object.keys(files)
        .map((name) => name.replace(/-[0-9a-f]{8,}\.yaml$/, ''))
        .toSorted(),
    ).toEqual([
      'for-4.12/icsp-registry-example-com-5000-ocp4',
      'idms-registry-example-com-5000-ocp4',
      'install/image-digest-sources.yaml',
      'kustomization.yaml',
      'next-steps.txt',
      'signature-sha256',
    ]);
    expect(resources.isLoopback).toBe(false);
    const { release } = sides.made;
    expect(resources.nextSteps.at(-1)!.commands.join()).toBe(
      'oc adm upgrade --allow-explicit-upgrade --to-image ' +
        `${TO}/openshift/release-images@${release.digest}`,
    );
    const steps = files['next-steps.txt']!;
    expect(steps).toContain(`bundle check-registry ${TO} --cluster-authfile`);
    expect(steps).toContain('so a newer release there was not noticed');
    expect(steps).toMatch(/^ {2}oc get clusterversion$/m);
    expect(steps).not.toMatch(/--force|REGISTRY/);
  });

  it('are the same bytes each time, and those that unpack writes', async () => {
    await written('again');
    const first = await inFolder('mine');
    const again = await inFolder('again');
    const { 'next-steps.txt': steps, ...others } = again;
    expect({
      ...others,
      'next-steps.txt': steps!.replace(folder('again'), folder('mine')),
    }).toEqual(first);

    const to = `${sides.target.host}/ocp4`;
    const unpack = ['unpack', sides.medium, '--to', to, '--resources-dir', folder('unpacked')];
    expect((await sides.operator.bundle([...unpack, ...sides.trust])).status).toBe(0);
    const same = ['resources', sides.medium, '--to', to, '--resources-dir', folder('same')];
    const { status, stdout } = await sides.operator.bundle([...same, ...sides.trust]);
    expect(status).toBe(0);
    expect(stdout).toContain('WARNING: '); // it is a registry of this machine
    const { 'next-steps.txt': told, ...files } = await inFolder('same');
    const { 'next-steps.txt': expected, ...unpacked } = await inFolder('unpacked');
    expect(files).toEqual(unpacked);
    // Only unpack has asked the registry.
    const notAsked = /^These files assume that [^]+?going\sback\sto\san\solder\sone\.\n\n/m;
    expect(expected).not.toMatch(notAsked);
    expect(told).toMatch(notAsked);
    expect(told!.replace(folder('same'), folder('unpacked')).replace(notAsked, '')).toBe(expected);
  });

  it('are told apart from other files for clusters that are beside them', async () => {
    const note: unknown = expect.stringContaining('1 other file for clusters is beside them');
    const { resources } = await written('beside');
    expect(resources.notes).not.toContainEqual(note);
    await writeFile(join(folder('beside'), 'catalog-of-last-month.yaml'), 'kind: CatalogSource\n');
    const { resources: again } = await written('beside');
    expect(again.notes).toContainEqual(note);
    expect(again.notes.join()).toContain('catalog-of-last-month.yaml');
    expect(again.files).toEqual(resources.files);
  });

  it('have the names of oc-mirror where they are wanted, and no others', async () => {
    await written('names', '--resource-names', 'oc-mirror');
    const files = await inFolder('names');
    expect(Object.keys(files).toSorted()).toEqual([
      ...['idms-oc-mirror.yaml', 'install/image-digest-sources.yaml', 'itms-oc-mirror.yaml'],
      ...['next-steps.txt', 'signature-configmap.json', 'signature-configmap.yaml'],
    ]);
    expect(parse(files['idms-oc-mirror.yaml']!.replace(/^---\n/, ''))).toMatchObject({
      metadata: { name: 'idms-release-0' },
    });
    expect(files['next-steps.txt']).toContain('oc apply -f idms-oc-mirror.yaml');
    expect(files['next-steps.txt']).toMatch(/so does every\s+ImageTagMirrorSet/);
  });

  it('carry the CA of the registry, and no key that lies beside it', async () => {
    const file = folder('ca.pem');
    const key = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
    await writeFile(file, `${ca.pem}${key}`);
    await written('trust', '--ca-file', file, '--mirror-source-policy', 'NeverContactSource');
    const files = await inFolder('trust');
    expect(Object.values(files).join('\n')).not.toContain('PRIVATE KEY');
    const name = Object.keys(files).find((one) => one.startsWith('trust/registry-ca-'))!;
    const { data } = parse(files[name]!) as { data: Record<string, string> };
    expect(Object.keys(data)).toEqual(['registry.example.com..5000', 'updateservice-registry']);
    expect(parse(files['install/additional-trust-bundle.yaml']!)).toEqual({
      additionalTrustBundle: data['updateservice-registry'],
    });
    const idms = Object.keys(files).find((one) => one.startsWith('idms-'))!;
    expect(files[idms]).toContain('mirrorSourcePolicy: NeverContactSource');
    const steps = files['next-steps.txt']!;
    expect(steps.indexOf('oc apply -f signature-')).toBeGreaterThan(0);
    expect(steps.indexOf(`oc apply -f ${name}`)).toBeGreaterThan(steps.indexOf('signature-'));
    expect(steps.indexOf('oc apply -f idms-')).toBeGreaterThan(steps.indexOf(`apply -f ${name}`));
  });

  it('let nodes pull beforehand, and ACM offer the release, where that is wanted', async () => {
    const { resources } = await written(
      'wanted',
      ...['--pinned-image-sets', '--running-release', '4.16.20', '--cluster-image-sets'],
    );
    const files = await inFolder('wanted');
    const names = Object.keys(files);
    expect(names).toContain('for-acm/img4.17.3-x86-64-appsub.yaml');
    for (const role of ['master', 'worker'])
      expect(names).toContain(`pinned-images/ocp-4-17-3-x86-64-${role}.yaml`);
    const { spec } = parse(files['pinned-images/ocp-4-17-3-x86-64-master.yaml']!) as {
      spec: { pinnedImages: { name: string }[] };
    };
    const digests = [sides.made.release, ...sides.made.components].map(({ digest }) => digest);
    expect(new Set(spec.pinnedImages.map(({ name }) => name.replace(/^.*@/, '')))).toEqual(
      new Set(digests),
    );
    expect(resources.notes.join('\n')).toMatch(/needs [\d.]+ [kMG]?B free for all sets together/);
    expect(resources.notes.join('\n')).toContain('4.16.20 is not held here');
    const shown = resources.nextSteps.flatMap(({ commands }) => commands);
    const apply = shown.findIndex((line) => line.includes('pinned-images/'));
    const upgrade = shown.findIndex((line) => line.includes('oc adm upgrade'));
    expect(apply).toBeGreaterThan(0);
    expect(upgrade).toBeGreaterThan(apply);
    expect(files['kustomization.yaml']).not.toMatch(/pinned|acm/);
  });

  it.each<[string, number, string, (medium: string) => string[]]>([
    ['an image layout as target', 2, 'USAGE', (m) => ['resources', m, '--to', 'oci:layout']],
    [
      'names for an image layout',
      2,
      'USAGE',
      (m) => ['unpack', m, '--to', 'oci:layout', '--resource-names', 'oc-mirror'],
    ],
    ['names that nobody has', 2, 'USAGE', (m) => [...to(m), '--resource-names', 'oc']],
    ['an unknown policy', 2, 'USAGE', (m) => [...to(m), '--mirror-source-policy', 'Never']],
    ['a CA file that is missing', 23, 'NOT_FOUND', (m) => [...to(m), '--ca-file', 'none.pem']],
    ['a release that is not in it', 23, 'NOT_FOUND', (m) => [...to(m), '--release', '4.1.0']],
    ['pinned images, without what runs', 2, 'USAGE', (m) => [...to(m), '--pinned-image-sets']],
    ['an address of IPv6', 2, 'USAGE', (m) => ['resources', m, '--to', '[2001:db8::1]:5000/x']],
    ['what runs, for nothing', 2, 'USAGE', (m) => [...to(m), '--running-release', '4.16.20']],
    [
      'pinned images of what runs already',
      2,
      'USAGE',
      (m) => [...to(m), '--pinned-image-sets', '--running-release', '4.17.3'],
    ],
    [
      'pinned images for no version',
      2,
      'USAGE',
      (m) => [...to(m), '--pinned-image-sets', '--running-release', 'latest'],
    ],
    ['no target', 2, 'USAGE', (m) => ['resources', m]],
  ])('are refused for %s: %i, and nothing is written', async (_, status, code, args) => {
    const before = await readdir(sides.operator.folder);
    const refused = await sides.operator.bundle([
      ...[...args(sides.medium), ...sides.trust],
      ...['--output', 'json'],
    ]);
    expect(refused.status).toBe(status);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code } });
    expect(await readdir(sides.operator.folder)).toEqual(before);
  });
  const to = (medium: string): string[] => ['resources', medium, '--to', TO];
});
