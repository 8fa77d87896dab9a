import { describe } from 'vitest';

import { MAX_LISTING_BYTES, MAX_METADATA_BYTES, MAX_PARTS } from '../../../../src/core/limits.ts';
import {
  compressedFrame,
  decompressedFrame,
  FRAME_LIMIT,
} from '../../../../src/bundle/format/frames.ts';
import { tarHeader } from '../../../../src/bundle/format/tar.ts';
import type { Deviation } from '../../../support/crafted-bundle.ts';
import { type Refusal, testRefusals } from '../../../support/crafted-refusals.ts';

const GiB = 1024 ** 3;
const MTIME = Date.parse('2024-10-01T12:00:00Z') / 1000;

/** Changes lines of SHA256SUMS. */
function lines(change: (lines: string[]) => string[]): Deviation {
  return {
    sums: (text) =>
      change(text.slice(0, -1).split('\n'))
        .map((line) => `${line}\n`)
        .join(''),
  };
}

/** Changes what bundle.json says, in its canonical form. */
function says(change: (document: Document) => unknown): Deviation {
  return {
    bundleJson: (text) => {
      const document = JSON.parse(text) as Document;
      return `${JSON.stringify(change(document) ?? document, null, 2)}\n`;
    },
  };
}

interface Document {
  format: unknown;
  name: unknown;
  parts: Record<string, unknown>[];
  images: Record<string, unknown>[];
  files: Record<string, unknown>[];
  blobs: { digest: string; size: number }[];
}

const NEWER = { kind: 'other', created: '2024-10-01T12:00:01Z' };

/** A byte that no character of UTF-8 begins with. */
function notUtf8(text: string): Uint8Array {
  return Buffer.from(text.replace('"release"', '"rele\xffse"'), 'latin1');
}

const BLOB = { digest: `sha256:${'1'.repeat(64)}`, size: 1 };

/** Lists what an earlier bundle has, in a row for each list. */
function requiring(...rows: (readonly (typeof BLOB)[])[]): Deviation {
  const bundle = `sha256:${'0'.repeat(64)}`;
  return says(({ format, name, ...it }) => {
    const requires = rows.map((blobs) => ({ bundle, name: 'earlier', blobs }));
    return { format, name, requires, ...it };
  });
}

function withoutKind(part: Record<string, unknown>): Record<string, unknown> {
  return { ...part, kind: undefined };
}

describe('SHA256SUMS', () => {
  testRefusals([
    ['carriage returns', { sums: (text) => text.replaceAll('\n', '\r\n') }],
    ['one carriage return', { sums: (text) => text.replace('\n', '\r\n') }],
    [
      'upper-case digits',
      lines(([first, ...rest]) => [
        first!.replace(/^[0-9a-f]+/, (hex) => hex.toUpperCase()),
        ...rest,
      ]),
    ],
    ['one space', lines((all) => all.map((line) => line.replace('  ', ' ')))],
    ['the sign of a binary file', lines((all) => all.map((line) => line.replace('  ', ' *')))],
    ['the sign of an escaped name', lines(([first, ...rest]) => [`\\${first!}`, ...rest])],
    ['a line twice', lines((all) => [...all, all.at(-1)!])],
    ['a path twice, with two digests', lines((all) => [...all, `${'0'.repeat(64)}  oci-layout`])],
    ['no line feed at the end', { sums: (text) => text.slice(0, -1) }],
    ['an empty line at the end', { sums: (text) => `${text}\n` }],
    ['an empty line', lines(([first, ...rest]) => [first!, '', ...rest])],
    ['a comment', lines((all) => ['# hello', ...all])],
    ['a byte-order mark', { sums: (text) => `\ufeff${text}` }],
    ['a zero byte', lines((all) => [...all, `${'0'.repeat(64)}  oci-layout\0`])],
    ['a path that leads out', lines((all) => [...all, `${'0'.repeat(64)}  ../x`])],
    ['a path from the root', lines((all) => [...all, `${'0'.repeat(64)}  /etc/passwd`])],
    ['a path that no bundle holds', lines((all) => [...all, `${'0'.repeat(64)}  install.sh`])],
    ['itself', lines((all) => [...all, `${'0'.repeat(64)}  SHA256SUMS`])],
    [
      'a blob that is not its own digest',
      lines((all) =>
        all.map((line) => line.replace(/^[0-9a-f]{64}( {2}blobs)/, `${'0'.repeat(64)}$1`)),
      ),
    ],
    ['a digest that is too short', lines((all) => all.map((line) => line.replace(/^../, '')))],
    [
      'something before bundle.json',
      lines(([first, second, ...rest]) => [second!, first!, ...rest]),
    ],
    ['nothing', { sums: () => '' }],
    [
      'a blob that the bundle does not hold',
      lines((all) => [...all, `${'0'.repeat(64)}  blobs/sha256/${'0'.repeat(64)}`]),
      'CLOSURE_MISMATCH',
    ],
    ['a blob left out', lines((all) => all.slice(0, -1)), 'CLOSURE_MISMATCH'],
    [
      'another order than that of bundle.json',
      lines((all) => [...all.slice(0, -2), all.at(-1)!, all.at(-2)!]),
      'CLOSURE_MISMATCH',
    ],
    [
      'another digest of bundle.json',
      lines(([first, ...rest]) => [first!.replace(/^[0-9a-f]{64}/, '0'.repeat(64)), ...rest]),
      'CONTENT_MISMATCH',
    ],
    [
      'another digest of index.json',
      lines((all) =>
        all.map((line) => line.replace(/^[0-9a-f]{64}( {2}index)/, `${'0'.repeat(64)}$1`)),
      ),
      'CLOSURE_MISMATCH',
    ],
  ]);
});

describe('bundle.json', () => {
  testRefusals([
    ['keys in another order', says(({ format, ...rest }) => ({ ...rest, format }))],
    [
      'keys of a blob in another order',
      says((it) => ({ ...it, blobs: it.blobs.map(({ digest, size }) => ({ size, digest })) })),
    ],
    ['another indent', { bundleJson: (text) => `${JSON.stringify(JSON.parse(text), null, 4)}\n` }],
    ['no indent', { bundleJson: (text) => JSON.stringify(JSON.parse(text)) }],
    ['no line feed at the end', { bundleJson: (text) => text.slice(0, -1) }],
    ['two line feeds at the end', { bundleJson: (text) => `${text}\n` }],
    ['carriage returns', { bundleJson: (text) => text.replaceAll('\n', '\r\n') }],
    [
      'a key twice',
      { bundleJson: (text) => text.replace('"format": 1', '"format": 1,\n  "format": 1') },
    ],
    [
      'a key twice, once escaped',
      { bundleJson: (text) => text.replace('"format": 1', '"form\\u0061t": 1,\n  "format": 1') },
    ],
    [
      'an escape that is not needed',
      { bundleJson: (text) => text.replace('"parts"', '"p\\u0061rts"') },
    ],
    ['a key that nobody knows', says((it) => ({ ...it, more: true }))],
    [
      'a key that nobody knows in an image',
      says((it) => ({ ...it, images: it.images.map((image) => ({ ...image, more: true })) })),
    ],
    [
      'a key called __proto__',
      { bundleJson: (text) => text.replace('"format": 1', '"__proto__": {},\n  "format": 1') },
    ],
    ['a byte-order mark', { bundleJson: (text) => `\ufeff${text}` }],
    ['bytes that are no UTF-8', { bundleJsonBytes: notUtf8 }],
    ['format 2', says((it) => ({ ...it, format: 2 }))],
    ['format 1 as text', says((it) => ({ ...it, format: '1' }))],
    ['format 1.0', { bundleJson: (text) => text.replace('"format": 1', '"format": 1.0') }],
    [
      'a format deeper than any stack',
      {
        bundleJson: (text) =>
          text.replace('"format": 1', `"format": ${'['.repeat(200_000)}${']'.repeat(200_000)}`),
      },
    ],
    [
      'no format',
      says(({ name, parts, images, files, blobs }) => ({ name, parts, images, files, blobs })),
    ],
    ['a list', { bundleJson: () => '[]\n' }],
    ['no JSON', { bundleJson: () => 'hello\n' }],
    ['nothing', { bundleJson: () => '' }],
    [
      'a blob twice',
      says((it) => ({ ...it, blobs: [...it.blobs, it.blobs.at(-1)] })),
      'CLOSURE_MISMATCH',
    ],
    [
      'a blob left out',
      says((it) => ({ ...it, blobs: it.blobs.slice(0, -1) })),
      'CLOSURE_MISMATCH',
    ],
    [
      'blobs in another order',
      says((it) => ({ ...it, blobs: it.blobs.toReversed() })),
      'CLOSURE_MISMATCH',
    ],
    [
      'a file as a blob',
      says((it) => ({ ...it, files: it.files.slice(0, 1) })),
      'CLOSURE_MISMATCH',
    ],
    [
      'a digest of another kind',
      says((it) => ({
        ...it,
        blobs: it.blobs.map((blob) => ({
          ...blob,
          digest: blob.digest.replace('sha256', 'sha512'),
        })),
      })),
    ],
    [
      'another time than that of the tar',
      says((it) => ({
        ...it,
        parts: it.parts.map((part) => ({ ...part, created: '2024-10-01T12:00:01Z' })),
      })),
    ],
    [
      'a time that is none',
      says((it) => ({
        ...it,
        parts: it.parts.map((part) => ({ ...part, created: 'yesterday' })),
      })),
    ],
    ['no part, so another time', says((it) => ({ ...it, parts: [] }))],
    ['a newer part, so another time', says((it) => ({ ...it, parts: [...it.parts, NEWER] }))],
    ['the releases of early bundles', says(({ parts, ...it }) => ({ ...it, releases: parts }))],
    ['no name', says((it) => ({ ...it, name: undefined }))],
    ['a name that leads out', says((it) => ({ ...it, name: '../x' }))],
    ['a part without a kind', says((it) => ({ ...it, parts: it.parts.map(withoutKind) }))],
    [
      'a kind behind what it says',
      says((it) => ({ ...it, parts: it.parts.map(({ kind, ...claim }) => ({ ...claim, kind })) })),
    ],
    [
      'an image of a part that is not there',
      says((it) => ({ ...it, images: it.images.map((image) => ({ ...image, parts: [1] })) })),
    ],
    [
      'an image of no part',
      says((it) => ({ ...it, images: it.images.map((image) => ({ ...image, parts: [] })) })),
    ],
    [
      'more parts than any bundle has',
      says((it) => ({ ...it, parts: Array.from({ length: MAX_PARTS + 1 }, () => it.parts[0]) })),
    ],
    ['an earlier bundle that has nothing', requiring([])],
    ['an earlier bundle twice', requiring([BLOB], [BLOB])],
    [
      'an image that index.json does not list',
      says((it) => ({ ...it, images: [...it.images, ...it.images] })),
    ],
    [
      'an image under another name than in index.json',
      says((it) => ({ ...it, images: it.images.map((image) => ({ ...image, name: 'other' })) })),
    ],
  ]);
});

/**
 * Says another size of the layer or manifest at a place of the list; negative places count from the
 * end.
 */
function size(place: number, text: string): Deviation {
  return {
    bundleJson: (json) => {
      const document = JSON.parse(json) as Document;
      const blob = document.blobs.at(place)!;
      blob.size = -1;
      return `${JSON.stringify(document, null, 2)}\n`.replace('"size": -1', `"size": ${text}`);
    },
  };
}

const SIZES: readonly (readonly [what: string, text: string])[] = [
  ['one byte more', '701'],
  ['one byte less', '699'],
  ['no bytes', '0'],
  ['8 GiB', String(8 * GiB)],
  ['1 GiB', String(GiB)],
  ['more than any file', String(2 ** 52)],
  ['the largest that can be counted', String(Number.MAX_SAFE_INTEGER)],
  ['one that cannot be counted', '9007199254740993'],
  ['2^60', String(2n ** 60n)],
  ['1e400', '1e400'],
  ['1e3', '1e3'],
  ['a fraction', '0.5'],
  ['less than nothing', '-2'],
  ['minus nothing', '-0'],
  ['text', '"700"'],
  ['null', 'null'],
];

describe('sizes', () => {
  testRefusals([
    ...SIZES.map(([what, text]): Refusal => {
      const codeOfPipe = text === '0' ? 'CONTENT_MISMATCH' : 'BUNDLE_UNUSABLE';
      return [`${what} for the last layer`, size(-1, text), 'BUNDLE_UNUSABLE', codeOfPipe];
    }),
    ...SIZES.map(([what, text]): Refusal => [`${what} for a manifest`, size(0, text)]),
    [
      'a size that goes to the next layer',
      { bundleJson: (json) => size(-1, '512').bundleJson!(size(-2, '700').bundleJson!(json)) },
    ],
    ['a bundle.json of 1 GiB', claimedManifest(GiB)],
    ['a bundle.json a little over the ceiling', claimedManifest(MAX_LISTING_BYTES + 1)],
    ['manifests that go on, and end', bomb(2)],
    ['manifests that go on beyond the ceiling', bomb(MAX_METADATA_BYTES / FRAME_LIMIT + 1)],
    ['a frame that claims 1 GiB', claimingFrame(BigInt(GiB))],
    ['a frame that claims 2^63', claimingFrame(2n ** 63n)],
  ]);
});

/** The header of bundle.json says another size. */
function claimedManifest(claimed: number): Deviation {
  return {
    tar: (name, [first, ...rest]) =>
      name === 'metadata'
        ? [tarHeader('bundle.json', claimed, MTIME), first!.subarray(512), ...rest]
        : [first!, ...rest],
  };
}

/** The manifests go on for `count` frames of 64 MiB that take some KiB each. */
function bomb(count: number): Deviation {
  return {
    ...size(0, String(2 ** 40)),
    frames: (name, frames) => {
      if (name !== 'metadata') return frames;
      const tar = Buffer.alloc(FRAME_LIMIT);
      const more = { bytes: compressedFrame(tar), content: FRAME_LIMIT };
      tar.set(decompressedFrame(frames[0]!.bytes)!);
      return [
        { bytes: compressedFrame(tar), content: FRAME_LIMIT },
        ...Array.from({ length: count - 1 }, () => more),
      ];
    },
  };
}

/** One RLE block behind a header that says a lot. */
function claimingFrame(content: bigint): Deviation {
  const frame = Buffer.from('28b52ffdc0380000000000000000030001000041', 'hex');
  frame.writeBigUInt64LE(content, 6);
  return {
    frames: (name, frames) => (name === 'metadata' ? [{ bytes: frame, content: 0 }] : frames),
  };
}

describe('SHA256SUMS.sig', () => {
  testRefusals([
    ['no line feed', { signature: (line) => line.trimEnd() }],
    ['a carriage return', { signature: (line) => line.replace('\n', '\r\n') }],
    ['an empty line more', { signature: (line) => `${line}\n` }],
    ['a second signature', { signature: (line) => `${line}${line}` }],
    ['two lines', { signature: (line) => `${line.slice(0, 40)}\n${line.slice(40)}` }],
    ['a space', { signature: (line) => ` ${line}` }],
    ['no padding', { signature: (line) => line.replaceAll('=', '') }],
    [
      'bits that no byte takes',
      {
        signature: (line) =>
          line.replace(/.(?===\n)/, (last) =>
            last === 'A' ? 'B' : last === 'Q' ? 'R' : last === 'g' ? 'h' : 'x',
          ),
      },
    ],
    ['the other alphabet of base64', { signature: (line) => line.replace(/[A-Za-z]/, '-') }],
    ['nothing', { signature: () => '' }],
    ['a line feed', { signature: () => '\n' }],
    [
      'more than any signature has',
      { signature: () => `${Buffer.alloc(1024 * 1024).toString('base64')}\n` },
    ],
  ]);
});

describe('the tail', () => {
  testRefusals([
    ['another volume', { record: (record) => ({ ...record, number: 2 }) }],
    ['more volumes', { record: (record) => ({ ...record, count: 2 }) }],
    ['another tar offset', { record: (record) => ({ ...record, tarOffset: 512 }) }],
    [
      'another tar length',
      { record: (record) => ({ ...record, tarLength: record.tarLength + 512 }) },
    ],
    [
      'another bundle digest',
      { record: (record) => ({ ...record, bundleDigest: Buffer.alloc(32) }) },
    ],
    ['another listing', { headCopy: (head) => ({ ...head, sums: changed(head.sums) }) }],
    [
      'another signature',
      { headCopy: (head) => ({ ...head, signature: changed(head.signature) }) },
    ],
    ['another key', { headCopy: (head) => ({ ...head, publicKey: changed(head.publicKey) }) }],
    [
      'another bundle.json',
      { headCopy: (head) => ({ ...head, manifest: changed(head.manifest) }) },
    ],
    [
      'a longer bundle.json',
      {
        headCopy: (head) => ({
          ...head,
          manifest: Buffer.concat([head.manifest, Buffer.alloc(1)]),
        }),
      },
    ],
    [
      'a frame that is longer',
      { seekTable: ([first, ...rest]) => [{ ...first!, length: first!.length + 1 }, ...rest] },
    ],
    [
      'a frame that holds more',
      { seekTable: ([first, ...rest]) => [{ ...first!, content: first!.content + 1 }, ...rest] },
    ],
    ['a frame more', { seekTable: (frames) => [...frames, { length: 0, content: 0 }] }],
    ['a frame less', { seekTable: (frames) => frames.slice(1) }],
  ]);
});

function changed(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}
