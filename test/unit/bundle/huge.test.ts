import { execFileSync } from 'node:child_process';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layerHeader } from '../../../src/bundle/format/layer.ts';
import { storedSectionLength } from '../../../src/bundle/format/layout.ts';
import { type BundlePlan, describeBundle, planBundle } from '../../../src/bundle/format/plan.ts';
import type { BundleReader } from '../../../src/bundle/reading/reader.ts';
import { SealedBundle } from '../../../src/bundle/reading/sealed.ts';
import { piecesOf, StoredEncoder } from '../../../src/bundle/format/stored.ts';
import { entryLength, paddingLength, TAR_END_BYTES } from '../../../src/bundle/format/tar.ts';
import { readAll } from '../../../src/core/bytes.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { DOCKER_LAYER } from '../../../src/core/media-types.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { planned, sampleContents, seededBytes } from '../../support/sample-bundle.ts';

const GiB = 2 ** 30;
/**
 * One layer that a ustar header can say the size of, one that it cannot, and one that is most of
 * 400 GB.
 */
const SIZES = [8 * GiB - 1, 12 * GiB + 5, 379_000_000_001];
/** What the last bytes of every layer are; all before it is a hole in the file. */
const SAMPLE = seededBytes('sample', 300_000);

const layers = SIZES.map((size, index): Descriptor => ({
  mediaType: DOCKER_LAYER,
  digest: digestOf(`layer ${index}`),
  size,
}));
const plan = planOf();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-huge-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

function planOf(volumeSize?: number): BundlePlan {
  const described = describeBundle({ ...sampleContents([]).contents, blobs: layers.map(planned) });
  const key = SigningKey.generate('ed25519');
  const signature = Buffer.from(`${Buffer.from(key.sign(described.sums)).toString('base64')}\n`);
  return planBundle(described, { signature, publicKey: Buffer.from(key.public.pem) }, volumeSize);
}

/**
 * The bundle as far as anything is read of it: head, tail, and the end of each layer with its
 * framing.
 */
async function writeSparse(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(plan.size);
    const { head, tail: pieces } = plan.volumes[0]!;
    const tail = Buffer.concat(pieces);
    await file.write(Buffer.concat(head), 0, undefined, 0);
    await file.write(tail, 0, tail.length, plan.size - tail.length);
    // The zero blocks that end the tar stand in the tail, behind the last layer.
    for (const layer of plan.layers)
      await writeEnd(file, layer.portions[0]!.offset, layerHeader(layer).length, layer.size);
  } finally {
    await file.close();
  }
}

async function writeEnd(
  file: FileHandle,
  offset: number,
  headerLength: number,
  size: number,
): Promise<void> {
  const sampleAt = headerLength + size - SAMPLE.length;
  let [position, tar] = [offset, 0];
  for (const { framing, tar: length = 0 } of piecesOf(entryLength(size))) {
    const near = tar + 200_000 > sampleAt;
    if (framing !== undefined && near) await file.write(framing, 0, framing.length, position);
    const from = Math.max(tar, sampleAt);
    const part = SAMPLE.subarray(from - sampleAt, Math.max(tar + length - sampleAt, 0));
    if (framing === undefined && part.length > 0)
      await file.write(part, 0, part.length, position + from - tar);
    position += framing?.length ?? length;
    tar += length;
  }
}

describe('a bundle of 400 GB', () => {
  it('is planned to the byte', () => {
    expect(plan.size).toBeGreaterThan(400e9);
    const { head, tail: pieces } = plan.volumes[0]!;
    const tail = Buffer.concat(pieces);
    const content = layers.reduce(
      (total, { size }) => total + storedSectionLength(entryLength(size)),
      0,
    );
    expect(plan.size).toBe(Buffer.concat(head).length + content + tail.length);
    for (const [index, { portions }] of plan.layers.entries()) {
      const next = plan.layers[index + 1]?.portions[0]!.offset ?? plan.size - tail.length;
      expect(next - portions[0]!.offset).toBe(storedSectionLength(entryLength(SIZES[index]!)));
    }
  });

  it('has a seek table that adds up to the file and to the tar', () => {
    const { tail, record } = plan.volumes[0]!;
    const view = Buffer.concat(tail);
    expect(view.readUInt32LE(view.length - 4)).toBe(0x8f92eab1);
    const rows = view.readUInt32LE(view.length - 9);
    const table = 8 + 8 * rows + 9;
    let [inFile, inTar] = [0, 0];
    for (let at = view.length - table + 8, row = 0; row < rows; row += 1, at += 8) {
      inFile += view.readUInt32LE(at);
      inTar += view.readUInt32LE(at + 4);
    }
    expect(inFile + table).toBe(plan.size);
    expect(inTar).toBe(record.tarLength);
    const content = layers.reduce((total, { size }) => total + entryLength(size), TAR_END_BYTES);
    expect(inTar).toBeGreaterThan(content);
    expect(inTar - content).toBeLessThan(100_000);
  });

  it('is cut into volumes that hold each byte of it once', () => {
    const limit = 25_000_000_000;
    const { volumes, layers: placed } = planOf(limit);
    expect(volumes).toHaveLength(17);
    expect(volumes.every(({ size }) => size <= limit)).toBe(true);
    for (const { size, portions } of placed) {
      expect(
        portions.reduce((total, { start, length }) => (start === total ? total + length : NaN), 0),
      ).toBe(entryLength(size));
    }
    let offset = 0;
    for (const { record } of volumes) {
      expect(record.tarOffset).toBe(offset);
      offset += record.tarLength;
    }
    expect(offset).toBe(plan.volumes[0]!.record.tarLength);
  });

  it('is read at any place without the rest', async () => {
    const path = join(folder, 'ocp-4.17.3-x86_64.tar.zst');
    await writeSparse(path);
    const sealed = await SealedBundle.open(path);
    const reader: BundleReader = await sealed.unseal();
    try {
      for (const layer of layers) {
        const range = { start: layer.size - SAMPLE.length, end: layer.size };
        const read = await readAll(reader.fetch(layer, { range }), SAMPLE.length, 'the sample');
        expect(Buffer.compare(read, SAMPLE)).toBe(0);
      }
    } finally {
      await reader.close();
    }
  });
});

describe('StoredEncoder', () => {
  it('frames more than 8 GiB without losing count', () => {
    const length = entryLength(9 * GiB);
    const encoder = new StoredEncoder(length);
    const chunk = new Uint8Array(64 * 1024 * 1024);
    let written = 0;
    for (let left = length; left > 0; left -= chunk.length) {
      for (const part of encoder.encode(chunk.subarray(0, Math.min(left, chunk.length))))
        written += part.length;
    }
    expect(written).toBe(storedSectionLength(length));
  });
});

describe('tar', () => {
  it('lists entries over 8 GiB with their size', async () => {
    const path = join(folder, 'entries.tar');
    const file = await open(path, 'w');
    let position = 0;
    for (const layer of plan.layers) {
      const header = layerHeader(layer);
      await file.write(header, 0, header.length, position);
      position += header.length + layer.size + paddingLength(layer.size);
    }
    await file.truncate(position + TAR_END_BYTES);
    await file.close();
    const listed = execFileSync('tar', ['-tvf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(listed.map((line) => Number(line.split(/ +/)[2]))).toEqual(SIZES);
    expect(listed.map((line) => line.split(/ +/)[5])).toEqual(
      plan.layers.map((layer) => layer.path),
    );
  });
});
