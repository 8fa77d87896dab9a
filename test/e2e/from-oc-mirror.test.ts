import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { describeWith } from '../support/needs.ts';
import {
  arrivedThen,
  IMAGE_SET,
  linesOf,
  objectsIn,
  objectsThen,
  ORIGIN,
  serveArchive,
  TARGET,
  type Tags,
  tagsAt,
} from '../support/oc-mirror-run.ts';
import { type PeerRelease, peerRelease } from '../support/peer-forms.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const VERSION = '4.99.1';
const TAG = `${VERSION}-x86_64`;

/** One that is meant: a row of the table of docs/from-oc-mirror.md says why. */
interface Difference {
  /** The first column of that row. */
  readonly row: string;
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
}

/** Every line that only one of two lists has, sorted. */
function onlyIn(theirs: readonly string[], ours: readonly string[]): Omit<Difference, 'row'> {
  return {
    theirs: theirs.filter((line) => !ours.includes(line)).toSorted(),
    ours: ours.filter((line) => !theirs.includes(line)).toSorted(),
  };
}

/** The same of differences that are meant. */
function sumOf(differences: readonly Difference[]): Omit<Difference, 'row'> {
  return {
    theirs: differences.flatMap(({ theirs }) => theirs).toSorted(),
    ours: differences.flatMap(({ ours }) => ours).toSorted(),
  };
}

/**
 * What the real oc-mirror (v2, release-4.17) was asked for, carried by this program out of the same
 * registry content to a target of the same name: compared are every repository, every tag with its
 * digest, and every field of every object for clusters. The content is that of its archive; only the
 * release signature is made here, with a key of its own.
 */
describeWith(['docker-registry'], 'the image set of a run of oc-mirror', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let user: User;
  let release: PeerRelease;
  let theirs: Tags;
  let ours: Tags;
  const place = (name: string): string => join(temporary.path, name);

  beforeAll(async () => {
    temporary = await temporaryFolder('from-oc-mirror');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    await serveArchive(source);
    release = await peerRelease(VERSION);
    const signer = await makeReleaseSigner();
    const signatures = place(`signatures/${release.digest.replace(':', '=')}`);
    await mkdir(signatures, { recursive: true });
    const name = `quay.io/openshift-release-dev/ocp-release:${TAG}`;
    await writeFile(join(signatures, 'signature-1'), await signer.sign(release.digest, name));
    await writeFile(place('release-key.asc'), signer.publicKeyArmored);
    user = await User.new(place('user'));
    const run = async (...args: readonly string[]): Promise<void> => {
      const { status, stderr } = await user.bundle([...args]);
      if (status !== 0) throw new Error(stderr);
    };
    const releaseKey = ['--release-key', place('release-key.asc')];
    await run(
      ...['pack', '--config', IMAGE_SET, '-o', place('medium'), ...releaseKey],
      ...['--mirror', `${ORIGIN}=${source.host}`, '--signature-store', place('signatures')],
    );
    const to = ['--to', `${target.host}/site`, ...releaseKey];
    await run('unpack', place('medium'), ...to, '--resources-dir', place('unpacked'));
    for (const [folder, ...more] of [
      ['usual'],
      ['wide', '--mirror-scope', 'namespace'],
      ['as-oc-mirror', '--resource-names', 'oc-mirror'],
    ] as const)
      await run(
        ...['resources', place('medium'), '--to', TARGET, ...releaseKey],
        ...['--resources-dir', place(folder), ...more],
      );
    [theirs, ours] = [await arrivedThen(), await tagsAt(target)];
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await temporary.remove();
  });

  const tagsOf = (tags: Tags): readonly string[] =>
    Object.entries(tags).flatMap(([repository, own]) =>
      Object.entries(own).map(([tag, digest]) => `${repository}:${tag} ${digest}`),
    );

  /** What differs at the target. */
  const ofImages = (): readonly Difference[] => {
    const named = (repository: string, digest: Digest): string =>
      `site/${repository}:sha256-${hexOf(digest)} ${digest}`;
    const components = Object.entries(release.components);
    const byDigest = ['extra/other', 'ops/foo-bundle', 'ops/foo-operator'].flatMap((repository) =>
      Object.values(theirs[`site/${repository}`]!).map(
        (digest) => [repository, digest as Digest] as const,
      ),
    );
    return [
      {
        row: 'the release image',
        theirs: [named('openshift-release-dev/ocp-release', release.digest)],
        ours: [`site/openshift/release-images:${TAG} ${release.digest}`],
      },
      {
        row: 'the components of a release',
        theirs: [...new Set(components.map(([, digest]) => digest))].map((digest) =>
          named('openshift-release-dev/ocp-v4.0-art-dev', digest),
        ),
        ours: components.map(([name, digest]) => `site/openshift/release:${TAG}-${name} ${digest}`),
      },
      {
        row: 'the tag of an image that is named by its digest',
        theirs: byDigest.map(
          ([repository, digest]) => `site/${repository}:${hexOf(digest)} ${digest}`,
        ),
        ours: byDigest.map(([repository, digest]) => named(repository, digest)),
      },
      {
        row: 'the catalog',
        theirs: [`site/ops/index:v4.99 ${theirs['site/ops/index']!['v4.99']!}`],
        ours: [`site/ops/index:v4.99 ${ours['site/ops/index']!['v4.99']!}`],
      },
    ];
  };

  const EMPTY_STATUS: Difference = {
    row: 'an empty `status`',
    theirs: [
      'CatalogSource cs-index-v4-99 .status={}',
      ...['generic', 'operator', 'release'].map(
        (group) => `ImageDigestMirrorSet idms-${group}-0 .status={}`,
      ),
      'ImageTagMirrorSet itms-generic-0 .status={}',
    ],
    ours: [],
  };
  const mirror = (kind: string, from: string, to: string): string =>
    `${kind} mirrors ${from} by ${TARGET}/${to}`;
  const ofRelease = (kind: string): readonly string[] => [
    mirror(kind, `${ORIGIN}/openshift-release-dev/ocp-v4.0-art-dev`, 'openshift/release'),
    mirror(kind, 'quay.io/openshift-release-dev/ocp-release', 'openshift/release-images'),
  ];
  const IN_OC_MIRROR_NAMES: readonly Difference[] = [
    {
      row: 'a catalog of documents alone',
      theirs: [],
      ours: [
        'CatalogSource cs-index-v4-99 .spec.grpcPodConfig.extractContent.catalogDir="/configs"',
      ],
    },
    EMPTY_STATUS,
    {
      row: 'the mirrors of a release',
      theirs: [
        mirror(
          'ImageDigestMirrorSet idms-release-0',
          `${ORIGIN}/openshift-release-dev`,
          'openshift-release-dev',
        ),
      ],
      ours: ofRelease('ImageDigestMirrorSet idms-release-0'),
    },
    {
      row: 'the tag of a release',
      theirs: [],
      ours: [ofRelease('ImageTagMirrorSet itms-release-0')[1]!],
    },
    {
      row: 'an object for OLM v1',
      theirs: [],
      ours: [
        'ClusterCatalog cc-index-v4-99 .spec.priority=0',
        `ClusterCatalog cc-index-v4-99 .spec.source.image.ref="${TARGET}/ops/index:v4.99"`,
        'ClusterCatalog cc-index-v4-99 .spec.source.type="Image"',
      ],
    },
    {
      row: 'the release signature',
      theirs: [],
      ours: ['ConfigMap mirrored-release-signatures'],
    },
  ];

  it('arrives with the differences that are listed, and no others', async () => {
    const both = tagsOf(theirs).filter((line) => tagsOf(ours).includes(line));
    expect(both).toEqual([expect.stringMatching(/^site\/extra\/tool:1\.4 sha256:/)]);
    expect(onlyIn(tagsOf(theirs), tagsOf(ours))).toEqual(sumOf(ofImages()));
    const digests = (tags: Tags) =>
      new Set(Object.values(tags).flatMap((own) => Object.values(own)));
    const index = (tags: Tags): string => tags['site/ops/index']!['v4.99']!;
    const [then, now] = [digests(theirs), digests(ours)];
    then.delete(index(theirs));
    now.delete(index(ours));
    expect(now).toEqual(then);
  });

  it('has a catalog of what was asked for; theirs has all, of which little was carried', async () => {
    const packagesAt = async (host: string, path: string) => {
      const place = `${host}/${path}/index:v4.99`;
      const { packages } = (await user.json(['catalog', 'list', place])) as {
        packages: { name: string; bundles: number }[];
      };
      return packages.map(({ name, bundles }) => `${name}: ${bundles}`);
    };
    expect(await packagesAt(target.host, 'site/ops')).toEqual(['foo: 2']);
    expect(await packagesAt(source.host, 'ops')).toEqual(['bar: 1', 'foo: 3']);
    expect(Object.keys(theirs)).not.toContain('site/ops/bar-bundle');
    expect(Object.keys(theirs['site/ops/foo-bundle']!)).toHaveLength(2);
  });

  it('has objects that differ from those of oc-mirror as listed, under its names', async () => {
    const written = linesOf(await objectsIn(place('as-oc-mirror')));
    const then = linesOf(await objectsThen());
    expect(onlyIn(then, written)).toEqual(sumOf(IN_OC_MIRROR_NAMES));
  });

  /** What differs where nobody has asked for the names of oc-mirror; its own are left out. */
  const inUsualNames = (): readonly Difference[] => {
    const [idms, itms, icsp] = [
      'ImageDigestMirrorSet',
      'ImageTagMirrorSet',
      'ImageContentSourcePolicy',
    ] as const;
    const image = `"${TARGET}/ops/index@${ours['site/ops/index']!['v4.99']!}"`;
    const repositories = ['extra/other', 'ops/foo-bundle', 'ops/foo-operator'];
    const own = (kind: string): readonly string[] =>
      repositories.map((path) => mirror(kind, `${ORIGIN}/${path}`, path));
    return [
      EMPTY_STATUS,
      {
        row: 'what a mirror stands for',
        theirs: [
          ...['extra', 'ops'].map((path) => mirror(idms, `${ORIGIN}/${path}`, path)),
          mirror(itms, `${ORIGIN}/extra`, 'extra'),
        ],
        ours: [...own(idms), mirror(itms, `${ORIGIN}/extra/tool`, 'extra/tool')],
      },
      {
        row: 'the mirrors of a release',
        theirs: [mirror(idms, `${ORIGIN}/openshift-release-dev`, 'openshift-release-dev')],
        ours: ofRelease(idms),
      },
      {
        row: 'a catalog of documents alone',
        theirs: [],
        ours: [
          'CatalogSource cs-index-v4-99 .spec.grpcPodConfig.extractContent.catalogDir="/configs"',
        ],
      },
      {
        row: 'an object for clusters under 4.13',
        theirs: [],
        ours: [...own(icsp), ...ofRelease(icsp)],
      },
      {
        row: 'the image of a CatalogSource',
        theirs: [`CatalogSource cs-index-v4-99 .spec.image="${TARGET}/ops/index:v4.99"`],
        ours: [`CatalogSource cs-index-v4-99 .spec.image=${image}`],
      },
      {
        row: 'an object for OLM v1',
        theirs: [],
        ours: [
          `ClusterCatalog cc-index-v4-99 .spec.source.image.ref=${image}`,
          'ClusterCatalog cc-index-v4-99 .spec.source.type="Image"',
        ],
      },
      {
        row: 'the release signature',
        theirs: [],
        ours: [`ConfigMap sha256-${hexOf(release.digest)}`],
      },
    ];
  };

  it('has objects that differ as listed without these names, too', async () => {
    const written = await objectsIn(place('usual'));
    const then = await objectsThen();
    const named = { named: false };
    expect(onlyIn(linesOf(then, named), linesOf(written, named))).toEqual(sumOf(inUsualNames()));
    const sets = (objects: ReadonlyMap<string, unknown>): readonly string[] =>
      [...objects.keys()].filter((name) => name.includes('MirrorSet'));
    expect(sets(then).filter((name) => sets(written).includes(name))).toEqual([]);
  });

  it('has mirrors for namespaces where that is wanted: but for releases, they are the same', async () => {
    const pairs = (objects: Awaited<ReturnType<typeof objectsThen>>): readonly string[] =>
      linesOf(objects, { named: false }).filter((line) => /^Image\w+MirrorSet mirrors/.test(line));
    const wide = pairs(await objectsIn(place('wide')));
    const release = (line: string): boolean => line.includes('release');
    const then = pairs(await objectsThen());
    expect(then).toHaveLength(4);
    expect(wide.filter((line) => !release(line)).toSorted()).toEqual(
      then.filter((line) => !release(line)).toSorted(),
    );
  });

  it('has no difference that the page does not explain', () => {
    const page = readFileSync(projectPath('docs/from-oc-mirror.md'), 'utf8');
    const table = page.slice(page.indexOf('## What differs'));
    const rows = [...table.matchAll(/^\| +(.*?) +\| +(.*?) +\| +(.*?) +\| +(.*?) +\|$/gm)]
      .map(([, row]) => row!)
      .slice(2);
    const differences = [...ofImages(), ...IN_OC_MIRROR_NAMES, ...inUsualNames()];
    const found = new Set(differences.map(({ row }) => row));
    // The names of files and objects are compared apart.
    expect(new Set(rows)).toEqual(new Set([...found, 'the names of mirror sets']));
  });
});
