import { describe, expect, it } from 'vitest';

import {
  type BundledPart,
  type BundleManifest,
  formatBundleManifest,
  parseBundleManifest,
  tarTime,
} from '../../../../src/bundle/format/manifest.ts';
import { digestOf } from '../../../../src/core/digest.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { MAX_PARTS } from '../../../../src/core/limits.ts';
import { OCI_MANIFEST } from '../../../../src/core/media-types.ts';

const digest = digestOf('an image');
const manifest: BundleManifest = {
  name: 'ocp-4.16.20..4.17.3-x86_64',
  parts: [
    { kind: 'release', claim: { version: '4.16.20', created: '2024-01-01T00:00:00Z' } },
    { kind: 'a kind of the future', claim: { deep: [{ claim: null }, 1, true] } },
  ],
  images: [
    {
      ...{ name: 'one', role: 'any', source: 'example.com/a', tags: ['one'] },
      ...{ mediaType: OCI_MANIFEST, digest, size: 7, parts: [0, 1] },
    },
  ],
  files: [{ path: 'config/a.yaml', role: 'any', digest, size: 7 }],
  blobs: [{ digest, size: 7 }],
};

type Document = Record<string, unknown> & {
  parts: Record<string, unknown>[];
  images: Record<string, unknown>[];
};

/** The bytes of `bundle.json` after a change, in the form that the program writes. */
function changed(change: (document: Document) => unknown): Uint8Array {
  const document = JSON.parse(Buffer.from(formatBundleManifest(manifest)).toString()) as Document;
  return Buffer.from(`${JSON.stringify(change(document), null, 2)}\n`);
}

function refusal(bytes: Uint8Array): BundleError {
  try {
    parseBundleManifest(bytes);
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('bundle.json', () => {
  it('says what it was made of, parts of unknown kinds too', () => {
    expect(parseBundleManifest(formatBundleManifest(manifest))).toEqual(manifest);
    const patch = { ...manifest, repairs: digestOf('another bundle') };
    expect(parseBundleManifest(formatBundleManifest(patch))).toEqual(patch);
  });

  it('has the kind before what the part says, and the parts of an image last', () => {
    const text = Buffer.from(formatBundleManifest(manifest)).toString();
    const document = JSON.parse(text) as Document;
    expect(Object.keys(document)).toEqual(['format', 'name', 'parts', 'images', 'files', 'blobs']);
    expect(Object.keys(document.parts[0]!)).toEqual(['kind', 'version', 'created']);
    expect(Object.keys(document.images[0]!).at(-1)).toBe('parts');
  });

  it.each<[string, (document: Document) => unknown]>([
    ['a kind behind what the part says', (it) => ({ ...it, parts: it.parts.map(kindLast) })],
    ['a part without a kind', (it) => ({ ...it, parts: [{ version: '4.17.3' }] })],
    ['a kind that is no text', (it) => ({ ...it, parts: [{ kind: 1 }, ...it.parts] })],
    ['a part that is no object', (it) => ({ ...it, parts: ['release', ...it.parts] })],
    ['parts that are no list', (it) => ({ ...it, parts: {} })],
    ['no list of parts', (it) => ({ ...it, parts: undefined })],
    ['no parts', (it) => ({ ...it, parts: [], images: [] })],
    ['a name that leads out', (it) => ({ ...it, name: '../a' })],
    ['a name with a space', (it) => ({ ...it, name: 'a b' })],
    ['no name', (it) => ({ ...it, name: undefined })],
    [
      'a bundle that it repairs, by no digest',
      ({ name, ...it }) => ({ name, repairs: 'x', ...it }),
    ],
  ])('with %s is refused', (_, change) => {
    expect(refusal(changed(change))).toMatchObject({ code: 'BUNDLE_UNUSABLE', exitStatus: 22 });
  });

  it.each([
    ['none', []],
    ['one that is not there', [2]],
    ['one that is there, and one that is not', [0, 2]],
    ['one twice', [0, 0]],
    ['another order', [1, 0]],
    ['one before the first', [-1]],
    ['a half', [0.5]],
    ['a text', ['0']],
    ['no list', 0],
    ['nothing', undefined],
  ])('with an image of parts that are %s is refused', (_, parts) => {
    const bytes = changed((it) => ({
      ...it,
      images: it.images.map((image) => ({ ...image, parts })),
    }));
    expect(refusal(bytes)).toMatchObject({ code: 'BUNDLE_UNUSABLE' });
  });

  it(`has ${MAX_PARTS} parts at most, and is refused for more before any of them is looked at`, () => {
    const parts = Array.from({ length: MAX_PARTS }, (): BundledPart => manifest.parts[0]!);
    const most = formatBundleManifest({ ...manifest, parts });
    expect(parseBundleManifest(most).parts).toHaveLength(MAX_PARTS);
    const error = refusal(
      changed((it) => ({ ...it, parts: [...parts.map(() => 'no part at all'), 'nor this'] })),
    );
    expect(error).toMatchObject({ code: 'BUNDLE_UNUSABLE', exitStatus: 22 });
    expect(error.message).toContain(String(MAX_PARTS + 1));
  });

  it('with something nested so deep that nobody could write it again is no bundle', () => {
    const text = Buffer.from(formatBundleManifest(manifest)).toString();
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const bytes = Buffer.from(text.replace('"kind":', `"deep": ${deep}, "kind":`));
    expect(refusal(bytes)).toMatchObject({ code: 'BUNDLE_UNUSABLE', exitStatus: 22 });
  });

  it('in an early form of format 1 is refused, and the user told to pack again', () => {
    const error = refusal(
      changed(({ format, images, files, blobs }) => ({
        ...{ format, releases: [{ version: '4.17.3' }], images, files, blobs },
      })),
    );
    expect(error).toMatchObject({ code: 'BUNDLE_UNUSABLE', exitStatus: 22 });
    expect(error.message).toContain('early form');
    expect(error.hint).toContain('Pack');
  });

  it('of another format is refused for that, whatever else it says', () => {
    const error = refusal(changed(() => ({ format: 2, releases: [], anything: true })));
    expect(error.message).toContain('format 2');
  });
});

function kindLast({ kind, ...claim }: Record<string, unknown>): Record<string, unknown> {
  return { ...claim, kind };
}

describe('tarTime', () => {
  const made = (created: unknown): BundledPart => ({
    kind: 'any',
    claim: created === undefined ? {} : { created: created as string },
  });

  it.each<[string, readonly unknown[], number]>([
    ['the newest part', ['2024-10-01T12:00:00Z', '2024-10-02T12:00:00Z'], 1_727_870_400],
    ['those that say when', [undefined, '1970-01-01T00:01:00Z', 'yesterday', 7], 60],
    ['nothing before 1970', ['1969-01-01T00:00:00Z'], 0],
    ['no part', [], 0],
  ])('follows from %s', (_, times, expected) => {
    expect(tarTime(times.map(made))).toBe(expected);
  });
});
