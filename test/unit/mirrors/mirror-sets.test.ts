import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadMirrorSets, withMirrorSets } from '../../../src/mirrors/mirror-sets.ts';
import { parseRegistriesConf } from '../../../src/mirrors/registries-conf-file.ts';
import { mirrorSets } from '../../../src/delivering/resources/mirror-sets.ts';
import { parseTarget } from '../../../src/kinds/destinations.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-sets-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function load(...texts: string[]): Promise<unknown[]> {
  const paths = texts.map((_, index) => join(folder, String(index)));
  for (const [index, path] of paths.entries()) await writeFile(path, texts[index]!);
  const rules = await loadMirrorSets(paths);
  return rules.map(({ prefix, blocked, mirrors }) => ({
    prefix,
    blocked,
    mirrors: mirrors.map(({ location, pull }) => `${location} ${pull}`),
  }));
}

const MARK = '\ufeff';

const POLICY = `
apiVersion: operator.openshift.io/v1alpha1
kind: ImageContentSourcePolicy
spec:
  repositoryDigestMirrors:
    - source: quay.io/openshift-release-dev/ocp-release
      mirrors: [m.io/ocp/release-images, n.io/ocp]
---
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
spec:
  imageTagMirrors:
    - source: quay.io/openshift-release-dev/ocp-release
      mirrors: [m.io/ocp/release-images]
      mirrorSourcePolicy: NeverContactSource
---
kind: Secret
`;

describe('loadMirrorSets', () => {
  it('reads what unpack writes', async () => {
    const row = { source: 'quay.io/a/b', mirror: 'm.io:5000/x', knownBy: 'digest' } as const;
    const target = parseTarget('m.io:5000');
    const { text } = mirrorSets([{ ...row, group: 'release' }], target, undefined).digests;
    expect(await load(String(text))).toEqual([
      { prefix: 'quay.io/a/b', blocked: false, mirrors: ['m.io:5000/x digest-only'] },
    ]);
  });

  it('reads YAML and JSON with a byte order mark, as Kubernetes does', async () => {
    const set = {
      kind: 'ImageDigestMirrorSet',
      spec: { imageDigestMirrors: [{ source: 'a.io' }] },
    };
    for (const text of [POLICY, JSON.stringify(set)])
      expect(await load(MARK + text)).toEqual(await load(text));
  });

  it('reads sets of all kinds, and adds up the mirrors of one source', async () => {
    const list = {
      kind: 'List',
      items: [
        {
          kind: 'ImageDigestMirrorSet',
          spec: { imageDigestMirrors: [{ source: '*.a.io', mirrors: ['m.io/a'] }] },
        },
      ],
    };
    expect(await load(POLICY, POLICY, JSON.stringify(list))).toEqual([
      {
        prefix: 'quay.io/openshift-release-dev/ocp-release',
        blocked: true,
        mirrors: [
          'm.io/ocp/release-images digest-only',
          'n.io/ocp digest-only',
          'm.io/ocp/release-images tag-only',
        ],
      },
      { prefix: '*.a.io', blocked: false, mirrors: ['m.io/a digest-only'] },
    ]);
  });

  it.each([
    '',
    'kind: Secret',
    'kind: [',
    'just text',
    'kind: List\nitems: 1',
    'kind: ImageDigestMirrorSet\nspec: 1',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: 1}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [1]}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [{source: "https://quay.io"}]}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [{source: "*.quay.io/a"}]}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [{source: quay/a}]}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [{source: quay.io, mirrors: [1]}]}',
    'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: [{source: quay.io, mirrors: [m/a]}]}',
  ])('refuses %j', async (text) => {
    await expect(load(text)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      subject: join(folder, '0'),
    });
  });

  it('fails where there is no file', async () => {
    await expect(loadMirrorSets([join(folder, 'absent')])).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

it('withMirrorSets puts their mirrors before those of registries.conf, and blocks where either does', async () => {
  const text =
    '[[registry]]\nprefix = "quay.io"\nlocation = "q.io"\ninsecure = true\n[[registry.mirror]]\nlocation = "conf.io"\n';
  const { rules } = await parseRegistriesConf(text, 'registries.conf');
  const set = {
    prefix: 'quay.io',
    location: 'quay.io',
    insecure: false,
    blocked: true,
    mirrors: [{ location: 'set.io', insecure: false, pull: 'all' }],
    from: 'set',
  } as const;
  const [joined, ...rest] = withMirrorSets(rules, [set]);
  expect(rest).toEqual([]);
  expect(joined).toMatchObject({
    location: 'q.io',
    insecure: true,
    blocked: true,
    mirrors: [{ location: 'set.io' }, { location: 'conf.io' }],
  });
});

it('withMirrorSets keeps a source closed that registries.conf closes from above', async () => {
  const text = '[[registry]]\nlocation = "quay.io"\nblocked = true\n';
  const { rules } = await parseRegistriesConf(text, 'registries.conf');
  const mirrors = [{ location: 'set.io', insecure: undefined, pull: 'all' }] as const;
  const set = { prefix: 'quay.io/a', location: 'quay.io/a', insecure: undefined, blocked: false };
  const found = withMirrorSets(rules, [{ ...set, mirrors, from: 'set' }]);
  expect(found).toContainEqual({
    ...{ ...set, mirrors },
    ...{ insecure: false, blocked: true, from: 'registries.conf' },
  });
});
