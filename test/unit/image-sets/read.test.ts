import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { readImageSet, requireImageSet } from '../../../src/image-sets/read.ts';

const FOLDER = projectPath('fixtures/image-sets');

/** Those that oc-mirror refuses for what they are, or for what they ask. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'exit_codes/isc-generic-error.yaml': ['3 changed-key'],
  'operators/isc-operator-invalid-version-range.yaml': ['12 never-matches'],
  'sparse_manifest/isc-platforms-and-archs.yaml': ['11 contradiction'],
};

const FILES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .sort();

/** The errors and warnings of a text, by line and code. */
function codesIn(text: string): readonly string[] {
  return readImageSet(text).findings.map(
    ({ level, line, code }) => `${line} ${level === 'error' ? '' : 'warns '}${code}`,
  );
}

/** A file with the lines of `mirror` below the three that each has. */
function isc(...lines: readonly string[]): string {
  return ['apiVersion: mirror.openshift.io/v2alpha1', 'kind: ImageSetConfiguration', ...lines].join(
    '\n',
  );
}

function setOf(text: string) {
  return requireImageSet(readImageSet(text), 'a.yaml');
}

describe('the files of the tests of oc-mirror', () => {
  it.each(FILES)('%s is read or refused as there', (name) => {
    expect(codesIn(readFileSync(join(FOLDER, name), 'utf8'))).toEqual(REFUSED[name] ?? []);
  });

  it('are all there', () => {
    expect(FILES).toHaveLength(34);
    expect(FILES).toEqual(expect.arrayContaining(Object.keys(REFUSED)));
  });
});

describe('readImageSet', () => {
  it('makes a plain value of everything that a file may say', () => {
    const text = isc(
      'archiveSize: 4',
      'mirror:',
      '  platform:',
      '    graph: true',
      '    kubeVirtContainer: yes',
      '    architectures: [amd64, multi]',
      '    channels:',
      '    - {name: stable-4.17, minVersion: 4.16.20, maxVersion: 4.17.3, shortestPath: true}',
      '    - {name: okd, type: okd, full: true}',
      '  operators:',
      '  - catalog: registry.redhat.io/redhat/redhat-operator-index:v4.17',
      '    targetCatalog: ours/index',
      '    targetTag: v1',
      '    targetCatalogSourceTemplate: /srv/cs.yaml',
      '    platforms: [{os: linux, architecture: arm64}]',
      '    packages:',
      '    - name: foo',
      '      defaultChannel: stable',
      '      channels: [{name: stable, minVersion: 1.2.0}]',
      '    - {name: bar, minVersion: 1.0.0, maxVersion: 1.0.0}',
      '  additionalImages:',
      '  - {name: "nginx:1.16.0", targetRepo: web/nginx, targetTag: old}',
      '  helm:',
      '    repositories:',
      '    - {name: podinfo, url: "https://charts.example.com", charts: [{name: a, version: 5.0.0}]}',
      '    local: [{name: mine, path: /srv/mine, imagePaths: ["{.spec.image}"]}]',
      '  blockedImages: [{name: "quay.io/.*"}]',
    );
    expect(readImageSet(text).findings).toEqual([]);
    expect(setOf(text)).toEqual({
      kind: 'ImageSetConfiguration',
      archiveSize: 4,
      platform: {
        line: 6,
        graph: true,
        kubeVirtContainer: true,
        architectures: ['amd64', 'multi'],
        platforms: [],
        channels: [
          {
            ...{ line: 10, name: 'stable-4.17', type: 'ocp' },
            ...{ minVersion: '4.16.20', maxVersion: '4.17.3', shortestPath: true, full: false },
          },
          { line: 11, name: 'okd', type: 'okd', shortestPath: false, full: true },
        ],
      },
      operators: [
        {
          line: 13,
          catalog: 'registry.redhat.io/redhat/redhat-operator-index:v4.17',
          ...{ full: false, targetCatalog: 'ours/index', targetTag: 'v1' },
          targetCatalogSourceTemplate: '/srv/cs.yaml',
          platforms: [{ os: 'linux', architecture: 'arm64' }],
          packages: [
            {
              ...{ line: 19, name: 'foo', defaultChannel: 'stable' },
              channels: [{ line: 21, name: 'stable', minVersion: '1.2.0' }],
            },
            { line: 22, name: 'bar', minVersion: '1.0.0', maxVersion: '1.0.0', channels: [] },
          ],
        },
      ],
      images: [
        {
          ...{ line: 24, name: 'nginx:1.16.0', targetRepo: 'web/nginx', targetTag: 'old' },
          platforms: [],
        },
      ],
      charts: {
        repositories: [
          {
            ...{ line: 27, name: 'podinfo', url: 'https://charts.example.com' },
            charts: [{ line: 27, name: 'a', version: '5.0.0', imagePaths: [], platforms: [] }],
          },
        ],
        local: [
          {
            ...{ line: 28, name: 'mine', path: '/srv/mine' },
            ...{ imagePaths: ['{.spec.image}'], platforms: [] },
          },
        ],
      },
      blocked: [{ line: 29, pattern: 'quay.io/.*' }],
    });
  });

  it('takes keys in any case, as the decoder of oc-mirror does', () => {
    const text = isc('MIRROR:', '  blockedimages:', '  - Name: a/b', '  additionalimages: null');
    expect(setOf(text).blocked).toEqual([{ line: 5, pattern: 'a/b' }]);
  });

  it('takes anchors and merged mappings', () => {
    const text = isc(
      'mirror:',
      '  operators:',
      '  - &one',
      '    catalog: r.io/index:v1',
      '    packages: &packages [{name: foo}]',
      '  - {<<: *one, targetTag: v2}',
      '  - {catalog: "r.io/other:v1", packages: *packages}',
    );
    const { operators } = setOf(text);
    expect(
      operators.map(({ catalog, targetTag, packages }) => [catalog, targetTag, packages]),
    ).toEqual([
      ['r.io/index:v1', undefined, [{ line: 7, name: 'foo', channels: [] }]],
      ['r.io/index:v1', 'v2', [{ line: 7, name: 'foo', channels: [] }]],
      ['r.io/other:v1', undefined, [{ line: 7, name: 'foo', channels: [] }]],
    ]);
  });

  it('tells a list of what is to be deleted apart', () => {
    const text = 'apiVersion: mirror.openshift.io/v2alpha1\nkind: DeleteImageSetConfiguration\n';
    const set = setOf(`${text}delete: {additionalImages: [{name: a.io/b:1}]}\n`);
    expect(set).toMatchObject({ kind: 'DeleteImageSetConfiguration', images: [{ line: 3 }] });
    expect(codesIn(`${text}mirror: {}\n`)).toEqual(['1 missing', '3 unknown-key']);
    expect(codesIn(`${text}delete: {blockedImages: []}`)).toEqual(['3 unknown-key']);
  });

  it.each([
    [
      'an unknown key, with the one that was meant',
      ['mirror: {additionalImage: []}'],
      'Did you mean additionalImages?',
    ],
    [
      'a key in the wrong place',
      ['mirror: {archiveSize: 4}'],
      'It belongs to the top of the file.',
    ],
    ['a key that belongs deeper', ['blockedImages: []', 'mirror: {}'], 'It belongs to mirror.'],
    ['a key of nowhere', ['mirror: {colour: red}'], 'Known here: platform'],
  ])('refuses %s', (_, lines, hint) => {
    const { findings } = readImageSet(isc(...lines));
    expect(findings).toMatchObject([{ code: 'unknown-key', line: 3 }]);
    expect(findings[0]!.hint).toContain(hint);
  });

  it('refuses a key that is there twice, in whatever case', () => {
    expect(codesIn(isc('mirror: {helm: {}, helm: {}}'))).toEqual(['3 duplicate-key']);
    expect(codesIn(isc('mirror: {helm: {}, Helm: {}}'))).toEqual(['3 duplicate-key']);
  });

  it('tells what became of the keys of oc-mirror v1', () => {
    const { set, findings } = readImageSet(
      [
        'apiVersion: mirror.openshift.io/v1alpha2',
        'kind: ImageSetConfiguration',
        'storageConfig: {local: {path: /srv}}',
        'mirror:',
        '  operators:',
        '  - catalog: r.io/index:v1',
        '    targetName: other',
        '    packages: [{name: foo, bundles: [{name: foo.v1}]}]',
      ].join('\n'),
    );
    expect(set).toBeUndefined();
    expect(findings.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '1 kind',
      '3 changed-key',
      '7 changed-key',
      '8 changed-key',
    ]);
    expect(findings[0]!.message).toContain('line 3, 7, 8');
    expect(findings[3]!.hint).toContain('minVersion and maxVersion');
  });

  it('reads a file of another version whose keys are those of v2, and says so', () => {
    const text =
      'apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror: {}';
    expect(codesIn(text)).toEqual(['1 warns kind']);
    expect(codesIn('kind: ImageSetConfiguration\nmirror: {}')).toEqual(['1 warns kind']);
  });

  it('asks for quotes around what YAML takes for a number', () => {
    const { findings } = readImageSet(
      isc('mirror:', '  operators:', '  - catalog: r.io/index:v1', '    targetTag: 4.10'),
    );
    expect(findings).toMatchObject([
      { code: 'unquoted', line: 6, column: 16, hint: 'Write it with quotes: "4.10".' },
    ]);
    expect(findings[0]!.message).toContain('is the number 4.1');
  });

  it.each([
    ['is no YAML', 'a: [1,\nb: 2', 'syntax'],
    ['has tabs', 'a:\n\t- b', 'syntax'],
    ['holds two documents', `${isc('mirror: {}')}\n---\na: 1`, 'syntax'],
    ['is deeper than any real one', `a: ${'['.repeat(20_000)}`, 'syntax'],
    ['is a list', '- a', 'kind'],
    ['is empty', '', 'kind'],
    ['is of another kind', 'kind: Secret', 'kind'],
    ['has no kind', 'mirror: {}', 'missing'],
    ['has nothing below mirror', isc('mirror:'), 'missing'],
    ['has a text in place of a list', isc('mirror: {operators: all}'), 'wrong-type'],
    ['has a text in place of a mapping', isc('mirror: all'), 'wrong-type'],
    ['has a quoted truth value', isc('mirror: {platform: {graph: "true"}}'), 'wrong-type'],
    ['has a size with a unit', isc('archiveSize: 4Gi', 'mirror: {}'), 'wrong-type'],
    ['has a size below nothing', isc('archiveSize: -1', 'mirror: {}'), 'invalid-value'],
  ])('refuses a file that %s', (_, text, code) => {
    const { set, findings } = readImageSet(text);
    expect(set).toBeUndefined();
    expect(findings.map((finding) => finding.code)).toContain(code);
  });

  it('refuses a file whose aliases make more of it than can be read', () => {
    const rows = Array.from({ length: 1000 }, () => '{name: "a.io/b:1"}').join(',');
    const lists = Array.from({ length: 300 }, () => '{name: p, channels: *c}').join(',');
    const text = isc(
      `x: &c [${rows}]`,
      'mirror:',
      '  operators:',
      '  - {catalog: "r.io/i:1", packages: &p [' + lists + ']}',
    );
    expect(codesIn(text)).toContain('1 too-large');
  });

  it.each([
    ['min above max', '{name: stable-4.17, minVersion: 4.17.9, maxVersion: 4.17.3}'],
    ['a minimum above the channel', '{name: stable-4.17, minVersion: 4.18.1}'],
  ])('finds releases that never match: %s', (_, channel) => {
    expect(codesIn(isc('mirror:', '  platform:', `    channels: [${channel}]`))).toEqual([
      '5 never-matches',
    ]);
  });

  it.each([
    ['a version with two numbers', '{name: a, minVersion: "4.17"}', 'invalid-value'],
    ['no name', '{minVersion: 4.17.1}', 'missing'],
    ['another type', '{name: a, type: odk}', 'invalid-value'],
    ['a shortest path to nowhere', '{name: a, shortestPath: true}', 'no-effect'],
  ])('checks channels of releases: %s', (_, channel, code) => {
    const { findings } = readImageSet(isc('mirror:', `  platform: {channels: [${channel}]}`));
    expect(findings.map((finding) => finding.code)).toEqual([code]);
  });

  it('finds architectures that no release has', () => {
    const { findings } = readImageSet(isc('mirror: {platform: {architectures: [x86_64]}}'));
    expect(findings).toMatchObject([{ code: 'never-matches' }]);
    expect(findings[0]!.hint).toContain('amd64');
  });

  it.each([
    ['twice the same package', ['packages: [{name: a}, {name: a}]'], 'duplicate'],
    [
      'twice the same channel',
      ['packages: [{name: a, channels: [{name: s}, {name: s}]}]'],
      'duplicate',
    ],
    [
      'two ranges',
      ['packages: [{name: a, minVersion: "1", channels: [{name: s, maxVersion: "2"}]}]'],
      'contradiction',
    ],
    [
      'full with a range',
      ['full: true', 'packages: [{name: a, minVersion: "1"}]'],
      'contradiction',
    ],
    [
      'a range without versions',
      ['packages: [{name: a, minVersion: 1.2.4, maxVersion: 1.2.3}]'],
      'never-matches',
    ],
    [
      'a default channel that is left out',
      ['packages: [{name: a, defaultChannel: b, channels: [{name: s}]}]'],
      'never-matches',
    ],
    ['no version', ['packages: [{name: a, minVersion: latest}]'], 'invalid-value'],
    ['a target with a tag', ['targetCatalog: a/b:1'], 'invalid-value'],
    ['a tag that is none', ['targetTag: "a b"'], 'invalid-value'],
    ['dependencies', ['skipDependencies: true'], 'no-effect'],
  ])('checks catalogs: %s', (_, lines, code) => {
    const all = ['  - catalog: r.io/index:v1', ...lines.map((line) => `    ${line}`)];
    const { findings } = readImageSet(isc('mirror:', '  operators:', ...all));
    expect(findings.map((finding) => finding.code)).toEqual([code]);
  });

  it('takes ranges that only look empty', () => {
    const ranges = [
      '"1.2.5", maxVersion: "1.2"',
      '1.2.0-5, maxVersion: 1.2.0',
      '"2", maxVersion: "2"',
    ];
    const packages = ranges.map((range, index) => `{name: p${index}, minVersion: ${range}}`);
    expect(
      codesIn(
        isc(
          'mirror:',
          '  operators:',
          `  - {catalog: "r.io/i:1", packages: [${packages.join(',')}]}`,
        ),
      ),
    ).toEqual([]);
  });

  it.each([
    ['no tag and no digest', 'r.io/a/b', 'invalid-value'],
    ['a folder', 'oci:///srv/b', 'invalid-value'],
    ['no reference', 'r.io/A/b:1', 'invalid-value'],
  ])('checks images: %s', (_, name, code) => {
    const { findings } = readImageSet(isc(`mirror: {additionalImages: [{name: "${name}"}]}`));
    expect(findings.map((finding) => finding.code)).toEqual([code]);
  });

  it('warns of images that go to one place, and refuses those that differ', () => {
    const images = (...names: readonly string[]): readonly string[] =>
      codesIn(
        isc(`mirror: {additionalImages: [${names.map((name) => `{name: "${name}"}`).join(',')}]}`),
      );
    const [one, other] = ['1', '2'].map((digit) => `sha256:${digit.repeat(64)}`);
    expect(images('quay.io/a/b:1', 'docker.io/a/b:1')).toEqual(['3 warns contradiction']);
    expect(images(`quay.io/a/b:1@${one!}`, `docker.io/a/b:1@${other!}`)).toEqual([
      '3 contradiction',
    ]);
    expect(images(`quay.io/a/b:1@${one!}`, `docker.io/a/b:1@${one!}`)).toEqual([]);
    expect(images('quay.io/a/b:1', 'quay.io/a/b:1')).toEqual(['3 warns duplicate']);
  });

  it('takes patterns of RE2, and refuses others', () => {
    const blocked = (pattern: string): readonly string[] =>
      codesIn(isc('mirror:', '  blockedImages:', `  - name: '${pattern}'`));
    expect(blocked('(a+)+$')).toEqual([]);
    for (const pattern of ['a(b', '(?=x)a', String.raw`(a)\1`, '(x{1000}){1000}'])
      expect(blocked(pattern)).toEqual(['5 invalid-value']);
    expect(blocked('a'.repeat(10_001))).toEqual(['5 invalid-value']);
  });

  it('says which of the images are blocked', () => {
    const lines = [
      '  additionalImages: [{name: "quay.io/a/b:1"}]',
      '  blockedImages: [{name: a/b}]',
    ];
    expect(codesIn(isc('mirror:', ...lines))).toEqual(['4 warns no-effect']);
  });

  it.each([
    ['a catalog', '  operators: [{catalog: "quay.io/a/b:1"}]'],
    ['the release', '  platform: {release: "quay.io/a/b:1-x86_64"}'],
  ])('refuses a pattern that blocks %s', (_, line) => {
    const blocks = (pattern: string): readonly string[] =>
      codesIn(isc('mirror:', line, `  blockedImages: [{name: "${pattern}"}]`));
    expect(blocks('a/b')).toEqual(['5 contradiction']);
    expect(blocks('a/b$')).toEqual([]);
  });
});

describe('requireImageSet', () => {
  it('names the line of the first error, and how many more there are', () => {
    const read = readImageSet(isc('mirror: {helm: {repositories: [{}]}}'));
    expect(() => requireImageSet(read, 'a.yaml')).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION',
        message: 'a.yaml, line 3: repositories[0] needs name',
        hint: 'bundle imageset check a.yaml lists 1 more.',
      }),
    );
  });
});

describe('names', () => {
  const channel = (name: string): string =>
    isc('mirror:', '  platform:', '    channels:', `      - name: ${name}`);
  const catalog = (name: string): string =>
    isc(
      ...['mirror:', '  operators:', '    - catalog: r.example.com/index:v4.17'],
      ...['      packages:', `        - name: ${name}`],
    );

  it.each([
    'yes',
    'No',
    'ON',
    'off',
    'y',
    'N',
    '1_0',
    '0b11',
    '0o7',
    '017',
    '1_000.5',
    '2024-01-02',
  ])('are no texts for oc-mirror without quotes: %s', (word) => {
    for (const [file, line] of [
      [channel, 6],
      [catalog, 7],
    ] as const) {
      expect(codesIn(file(word))).toEqual([`${line} unquoted`]);
      expect(codesIn(file(`"${word}"`))).toEqual([]);
    }
    expect(readImageSet(channel(word)).findings[0]?.hint).toBe(`Write it with quotes: "${word}".`);
  });

  it.each(['yEs', 'onward', '0b', 'stable-4.17', '1.2.3', '1_0x', '3scale'])(
    'are texts without quotes: %s',
    (word) => {
      expect(codesIn(channel(word))).toEqual([]);
    },
  );

  it.each([
    String.raw`"stable\n4.17"`,
    '"stable 4.17"',
    `'"stable"'`,
    `"it's"`,
    String.raw`"a\tb"`,
  ])('hold no blanks, line feeds or quotes: %s', (word) => {
    expect(codesIn(channel(word))).toEqual(['6 invalid-value']);
    expect(codesIn(catalog(word))).toEqual(['7 invalid-value']);
  });
});
