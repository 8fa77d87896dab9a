import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../../../src/core/digest.ts';
import {
  parseImageReferences,
  parsePayload,
  parseReleaseMetadata,
} from '../../../../../src/kinds/release/payload/image-references.ts';

const digest = digestOf('an image');
const image = `quay.io/openshift-release-dev/ocp-v4.0-art-dev@${digest}`;
const refused = expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as unknown as Error;

function tag(name: string, from: unknown = { kind: 'DockerImage', name: image }): object {
  return { name, from };
}

function stream(change: object = {}, tags: readonly object[] = [tag('cli')]): Buffer {
  const document = {
    kind: 'ImageStream',
    apiVersion: 'image.openshift.io/v1',
    metadata: { name: '4.17.3', creationTimestamp: '2024-10-28T12:00:00Z' },
    spec: { tags },
  };
  return Buffer.from(JSON.stringify({ ...document, ...change }));
}

describe('parseImageReferences', () => {
  it('reads those of the real 4.11.0', () => {
    const { version, created, components } = parseImageReferences(
      readFileSync(
        new URL('../../../../../fixtures/release-4.11.0/image-references', import.meta.url),
      ),
    );
    expect([version, created?.toISOString(), components.length]).toEqual([
      '4.11.0',
      '2022-08-08T16:09:26.000Z',
      171,
    ]);
    expect(components[0]).toEqual({
      name: 'agent-installer-api-server',
      reference: {
        registry: 'quay.io',
        repository: 'openshift-release-dev/ocp-v4.0-art-dev',
        digest: 'sha256:d8def7241e1707b99bd445a4764477cb24c180175836fae35589fedb1ad892df',
      },
    });
  });

  it('keeps the order of the file, and one digest under two names', () => {
    expect(
      parseImageReferences(stream({}, [tag('z'), tag('a')])).components.map(({ name }) => name),
    ).toEqual(['z', 'a']);
  });

  it('passes over tags that are no image', () => {
    const tags = [
      { name: 'bare' },
      tag('null', null),
      tag('stream', { kind: 'ImageStreamTag', name: 'cli:latest' }),
      tag('cli'),
    ];
    expect(parseImageReferences(stream({}, tags)).components.map(({ name }) => name)).toEqual([
      'cli',
    ]);
  });

  it.each([
    '4.17.3',
    '4.17.0-rc.1',
    '4.0.0-0.ci-2019-04-19-181452',
    '4.17.0-okd-scos.0',
    '4.17.3+build.1',
  ])('accepts the version %s', (name) => {
    expect(parseImageReferences(stream({ metadata: { name } })).version).toBe(name);
  });

  it.each(['', '4.17', 'v4.17.3', '4.17.3-', '4.17.03', '../4.17.3', '4.17.3/x', '4.17.3\n'])(
    'refuses the version %j',
    (name) => {
      expect(() => parseImageReferences(stream({ metadata: { name } }))).toThrow(refused);
    },
  );

  it.each([undefined, null])('knows no date from %j', (creationTimestamp) => {
    expect(
      parseImageReferences(stream({ metadata: { name: '4.17.3', creationTimestamp } })).created,
    ).toBeUndefined();
  });

  it.each(['yesterday', '2024-10-28', '2024-13-28T12:00:00Z', 1_730_116_800])(
    'refuses the date %j',
    (creationTimestamp) => {
      expect(() =>
        parseImageReferences(stream({ metadata: { name: '4.17.3', creationTimestamp } })),
      ).toThrow(refused);
    },
  );

  it.each([
    ['by tag', 'quay.io/a/b:latest'],
    ['by tag and digest', `quay.io/a/b:latest@${digest}`],
    ['by nothing', 'quay.io/a/b'],
    ['by another hash', `quay.io/a/b@sha512:${'0'.repeat(128)}`],
    ['without a registry', `b@${digest}`],
    ['with a path that climbs', `quay.io/../b@${digest}`],
  ])('refuses an image named %s', (_, name) => {
    expect(() =>
      parseImageReferences(stream({}, [tag('cli', { kind: 'DockerImage', name })])),
    ).toThrow(refused);
  });

  it.each([
    ['another kind', stream({ kind: 'List' })],
    ['another version of the kind', stream({ apiVersion: 'v1' })],
    ['no tags', stream({ spec: {} })],
    ['a name twice', stream({}, [tag('cli'), tag('cli')])],
    ['a name that is no tag', stream({}, [tag('../cli')])],
    ['no name', stream({}, [{ from: { kind: 'DockerImage', name: image } }])],
    ['YAML', Buffer.from('kind: ImageStream\n')],
    ['a key twice', Buffer.from(stream().toString().replace('{', '{"kind":"ImageStream",'))],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseImageReferences(bytes)).toThrow(refused);
  });
});

describe('parseReleaseMetadata', () => {
  const metadata = {
    kind: 'cincinnati-metadata-v0',
    version: '4.17.3',
    previous: ['4.17.2'],
    metadata: { url: 'https://errata' },
  };
  const bytes = (change: object = {}): Buffer =>
    Buffer.from(JSON.stringify({ ...metadata, ...change }));

  it('reads what there is', () => {
    expect(parseReleaseMetadata(bytes())).toEqual({
      version: '4.17.3',
      previous: ['4.17.2'],
      url: 'https://errata',
    });
    expect(parseReleaseMetadata(bytes({ previous: null, metadata: undefined }))).toEqual({
      version: '4.17.3',
      previous: [],
      url: undefined,
    });
  });

  it.each([
    { kind: 'cincinnati-metadata-v1' },
    { version: 'latest' },
    { version: undefined },
    { previous: [1] },
    { previous: '4.17.2' },
  ])('refuses %j', (change) => {
    expect(() => parseReleaseMetadata(bytes(change))).toThrow(refused);
  });

  it('must tell of the version of image-references', () => {
    expect(
      parsePayload({ imageReferences: stream(), releaseMetadata: bytes() }).metadata.version,
    ).toBe('4.17.3');
    expect(() =>
      parsePayload({ imageReferences: stream(), releaseMetadata: bytes({ version: '4.17.2' }) }),
    ).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT', expected: '4.17.3', got: '4.17.2' }),
    );
  });
});
