import { randomInt } from 'node:crypto';
import {
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  type DamageTrial,
  prepareTrial,
  tryDamage,
  tryPipedDamage,
  unpackTo,
} from '../../scripts/lib/damage.ts';
import { digestOf } from '../../src/core/digest.ts';
import { BundleError } from '../../src/core/errors.ts';
import { decompressedFrame } from '../../src/bundle/format/frames.ts';
import { claimedSizeAndTime, entryLength } from '../../src/bundle/format/tar.ts';
import type { Observe, TransferEvent } from '../../src/core/events.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import type { PackReport } from '../../src/packing/report.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import { repair, type RepairReport } from '../../src/workflows/repair.ts';
import { verify } from '../../src/workflows/verify.ts';
import { craft, partsOf } from '../support/crafted-bundle.ts';
import { SigningKey } from '../../src/trust/keys.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a damaged bundle', () => {
  let folder: string;
  let trial: DamageTrial;
  let cases = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-damage-'));
    trial = await prepareTrial(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const ownFolder = async (): Promise<string> => {
    const own = join(folder, `case-${(cases += 1)}`);
    await mkdir(own);
    return own;
  };
  /** A copy of the bundle with bits of it changed. */
  const broken = async (...places: readonly number[]): Promise<string> => {
    const path = join(await ownFolder(), basename(trial.path));
    const bytes = Buffer.from(trial.genuine);
    for (const at of places) bytes[at]! ^= 1;
    await writeFile(path, bytes);
    return path;
  };
  const refusal = async (work: Promise<unknown>): Promise<BundleError> => {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BundleError);
    return error as BundleError;
  };
  const mapOf = async (path: string): Promise<string> => {
    const damageFile = join(await ownFolder(), 'damage.json');
    expect(
      (await refusal(verify({ ...trial.request(path), damageFile }, trial.context))).exitStatus,
    ).toBeLessThanOrEqual(22);
    return damageFile;
  };
  const patchFor = async (damageFile: string): Promise<PackReport> =>
    pack(
      { ...trial.packRequest, output: await ownFolder(), repairFile: damageFile },
      trial.context,
    );
  const tagsIn = async (target: string): Promise<readonly string[]> =>
    (await (await ImageLayout.open(target)).tags()).toSorted();
  const middle = ({ start, end }: { readonly start: number; readonly end: number }): number =>
    Math.floor((start + end) / 2);

  it('is found out wherever the damage is, named, and never pushed under a tag', async () => {
    const { length } = trial.genuine;
    const stretch = fc.tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.oneof(fc.constant(1), fc.integer({ min: KiB, max: 64 * KiB })),
    );
    await fc.assert(
      fc.asyncProperty(stretch, fc.integer({ min: 1, max: 255 }), async ([where, size], mask) => {
        const start = Math.floor(where * (length - size));
        await tryDamage(
          trial,
          start,
          trial.genuine.subarray(start, start + size).map((byte) => byte ^ mask),
        );
      }),
      { numRuns: 10 },
    );
  });

  it('is found out in a pipe as well, changed, cut or continued anywhere', async () => {
    const { length } = trial.genuine;
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const size = fc.oneof(fc.constant(1), fc.integer({ min: KiB, max: 64 * KiB }));
    const none = { start: 0, bytes: new Uint8Array() };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('changed', 'cut', 'cut near the end', 'continued'),
        share,
        size,
        async (how, where, bytes) => {
          const start = Math.floor(where * (length - bytes));
          const changed = trial.genuine.subarray(start, start + bytes).map((byte) => byte ^ 1);
          const damage = {
            changed: { start, bytes: changed },
            cut: { ...none, cutAt: start },
            'cut near the end': { ...none, cutAt: length - bytes },
            continued: { ...none, tail: changed },
          };
          await tryPipedDamage(trial, damage[how]);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('is found out where it is an increment, and where its target has the rest', async () => {
    const increment = await prepareTrial(await ownFolder(), { increment: true });
    const { length } = increment.genuine;
    for (const [at, part] of [0.2, 0.5, 0.8].entries()) {
      const start = Math.floor(part * length) + randomInt(KiB);
      const bytes = increment.genuine.subarray(start, start + 1 + at * KiB).map((byte) => byte ^ 1);
      expect(await tryDamage(increment, start, bytes)).toBe('found');
    }
    const none = { start: 0, bytes: new Uint8Array() };
    for (const damage of [{ cutAt: randomInt(length) }, { tail: Buffer.from('more') }])
      expect(await tryPipedDamage(increment, { ...none, ...damage })).toBe('found');
  });

  /** As hints print it. */
  const verifyCommand = (path: string): string => {
    const { trustedKeyFiles, releaseKeyFiles } = trial.request(path);
    const trusted = trustedKeyFiles.map((file) => ` --trusted-key ${file}`).join('');
    const keys = releaseKeyFiles.map((file) => ` --release-key ${file}`).join('');
    return `\n  bundle verify ${path} --damage damage.json${trusted}${keys}\n`;
  };

  it('with one bad layer is unpacked with a patch hardly larger than that layer, and repaired to the same byte', async () => {
    const layer = trial.layers.toSorted((a, b) => b.end - b.start - (a.end - a.start))[0]!;
    const path = await broken(middle(layer));
    const { hint } = await refusal(verify(trial.request(path), trial.context));
    expect(hint).toContain(verifyCommand(path));
    const patch = await patchFor(await mapOf(path));
    expect(patch.size).toBeLessThan(layer.end - layer.start + MiB);
    const target = join(await ownFolder(), 'target');
    await unpackTo(trial, [path, patch.path], target, false);
    expect(await tagsIn(target)).toEqual([...trial.components, trial.release].toSorted());
    const output = await ownFolder();
    const counted: TransferEvent[] = [];
    const observe = (event: TransferEvent): void => {
      if (event.type === 'counted' && event.what === 'layers') counted.push(event);
    };
    const repaired = await repair(
      { bundle: { ...trial.request(''), paths: [path, patch.path] }, output },
      { ...trial.context, observe },
    );
    expect(counted).toMatchObject([{ done: 0, total: 1 }]); // the patch is hashed first
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
  });

  it('takes from another patch, or from the bundle itself, what is damaged in a patch', async () => {
    const [one, other] = trial.layers.toSorted((a, b) => b.end - b.start - (a.end - a.start));
    const path = await broken(middle(one!));
    const good = await patchFor(await mapOf(path));
    const both = await patchFor(await mapOf(await broken(middle(one!), middle(other!))));
    const bytes = await readFile(both.path);
    for (const { start, end } of [one!, other!]) {
      const content = trial.genuine.subarray(middle({ start, end }), middle({ start, end }) + 64);
      bytes[bytes.indexOf(content)]! ^= 1;
    }
    const bad = join(await ownFolder(), basename(both.path));
    await writeFile(bad, bytes);
    const repaired = await repair(
      {
        bundle: { ...trial.request(''), paths: [path, bad, good.path] },
        output: await ownFolder(),
      },
      trial.context,
    );
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
    const without = await refusal(
      repair(
        { bundle: { ...trial.request(''), paths: [path, bad] }, output: await ownFolder() },
        trial.context,
      ),
    );
    expect(without.exitStatus).toBe(20);
    expect(without.hint).toContain('--repair');
  });

  it('out of a pipe that was cut off counts as right what came, and nothing else', async () => {
    const cut = middle(trial.layers.at(-2)!);
    const events: TransferEvent[] = [];
    const observe: Observe = (event) => void events.push(event);
    const input = Readable.from([trial.genuine.subarray(0, cut)]);
    const audit = verify({ ...trial.request(''), paths: [], input }, { ...trial.context, observe });
    expect((await refusal(audit)).exitStatus).toBe(22);
    const whole = trial.layers.filter(({ end }) => end <= cut).length;
    expect(events.at(-1)).toMatchObject({
      code: 'audit-failed',
      good: whole,
      lost: trial.layers.length - whole,
    });
  });

  it('is never written over, by whatever name it is called', async () => {
    const path = await broken(middle(trial.layers.at(-1)!));
    const before = await readFile(path);
    const alias = join(await ownFolder(), 'alias');
    await symlink(dirname(path), alias);
    const hard = join(await ownFolder(), basename(path));
    await link(path, hard);
    for (const source of [alias, hard, path]) {
      const output = dirname(path);
      expect(
        (await refusal(repair({ bundle: trial.request(source), output }, trial.context))).code,
      ).toBe('USAGE');
    }
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(await readdir(dirname(path))).toEqual([basename(path)]);
  });

  it('in volumes is never written over, and what was repaired in another cut is begun anew if that is wanted', async () => {
    const folder = await ownFolder();
    const volumeSize = Math.ceil(trial.genuine.length / 3);
    await pack({ ...trial.packRequest, output: folder, volumeSize }, trial.context);
    const before = (await readdir(folder)).toSorted();
    for (const restart of [false, true]) {
      const refused = await refusal(
        repair({ bundle: trial.request(folder), output: folder, restart }, trial.context),
      );
      expect([refused.code, refused.hint]).toEqual(['USAGE', 'Name another folder.']);
    }
    expect((await readdir(folder)).toSorted()).toEqual(before);
    const output = await ownFolder();
    const files = ({ was, volumes }: RepairReport) => [was, volumes.length];
    const cut = before.filter((name) => /\.\d{3}$/.test(name)).length;
    expect(cut).toBeGreaterThan(2);
    const inVolumes = { bundle: trial.request(folder), output, volumeSize };
    expect(files(await repair(inVolumes, trial.context))).toEqual([cut, cut]);
    const ofOne = { ...inVolumes, bundle: trial.request(trial.path), output: await ownFolder() };
    expect(files(await repair(ofOne, trial.context))).toEqual([1, cut]);
    const whole = { bundle: trial.request(folder), output };
    expect((await refusal(repair(whole, trial.context))).code).toBe('USAGE');
    const repaired = await repair({ ...whole, restart: true }, trial.context);
    expect(files(repaired)).toEqual([cut, 1]);
    const elsewhere = await repair({ ...whole, output: await ownFolder() }, trial.context);
    expect((await readFile(repaired.path)).equals(await readFile(elsewhere.path))).toBe(true);
    expect((await readdir(output)).filter((name) => /\.\d{3}$/.test(name))).toEqual([]);
  });

  it('is not audited where its damage map would be written over another file', async () => {
    const path = await broken(middle(trial.layers[1]!));
    const before = await readFile(path);
    const key = join(await ownFolder(), 'signing-key.pem');
    await writeFile(key, SigningKey.generate('ed25519').pem(undefined));
    const note = join(await ownFolder(), 'damage.json');
    await writeFile(note, '{"kind": "a note of mine"}\n');
    for (const damageFile of [path, key, note]) {
      const content = await readFile(damageFile);
      const events: TransferEvent[] = [];
      const observe: Observe = (event) => events.push(event);
      const refused = await refusal(
        verify({ ...trial.request(path), damageFile }, { ...trial.context, observe }),
      );
      expect([refused.code, refused.exitStatus, events]).toEqual(['USAGE', 2, []]);
      expect(refused.message).toContain(damageFile);
      expect((await readFile(damageFile)).equals(content)).toBe(true);
    }
    expect((await readFile(path)).equals(before)).toBe(true);
    const map = await mapOf(path);
    const written = await readFile(map, 'utf8');
    for (const content of [written, '']) {
      await writeFile(map, content);
      await refusal(verify({ ...trial.request(path), damageFile: map }, trial.context));
      expect(await readFile(map, 'utf8')).toBe(written);
    }
  });

  it('is not listed where nothing of it can be read, and that is told', async () => {
    const own = await ownFolder();
    const path = join(own, basename(await broken(0)));
    await writeFile(path, trial.genuine.subarray(0, 100));
    const damageFile = join(own, 'damage.json');
    const events: TransferEvent[] = [];
    const observe: Observe = (event) => events.push(event);
    await refusal(verify({ ...trial.request(path), damageFile }, { ...trial.context, observe }));
    const told = events.filter(({ type }) => type === 'noticed');
    expect(told).toEqual([{ type: 'noticed', code: 'damage-map-impossible', path: damageFile }]);
    expect(await readdir(own)).not.toContain('damage.json');
  });

  it('with lost manifests is repaired with a patch that holds them', async () => {
    const path = await broken(
      ...Array.from({ length: 40 }, (_, index) => trial.metadata.start + 30 + 7 * index),
    );
    const damageFile = await mapOf(path);
    const { faults } = JSON.parse(await readFile(damageFile, 'utf8')) as {
      faults: { images: { name: string; parts: string[] }[] }[];
    };
    const { images } = faults[0]!;
    expect(images.map(({ name }) => name).toSorted()).toEqual(
      [...trial.components, trial.release].toSorted(),
    );
    expect(images[0]!.parts).toEqual(['4.17.3 for x86_64']);
    const patch = await patchFor(damageFile);
    const repaired = await repair(
      { bundle: { ...trial.request(''), paths: [path, patch.path] }, output: await ownFolder() },
      trial.context,
    );
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
  });

  it.each([
    ['head', () => 200],
    ['copy of the head, the record or the seek table', () => trial.genuine.length - 30],
  ])('in its %s is repaired without a patch', async (_, where) => {
    const path = await broken(where());
    const { hint } = await refusal(verify(trial.request(path), trial.context));
    expect(hint).toContain(`bundle repair ${path} -o`);
    const damageFile = await mapOf(path);
    await expect(patchFor(damageFile)).rejects.toMatchObject({ code: 'USAGE' });
    const repaired = await repair(
      { bundle: trial.request(path), output: await ownFolder() },
      trial.context,
    );
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
  });

  it('in bundle.json, and in the files that follow from it, harms no image and needs no patch', async () => {
    const { start, end } = trial.metadata;
    const decoded = (at?: number): Uint8Array | undefined => {
      const frame = Buffer.from(trial.genuine.subarray(start, end));
      if (at !== undefined) frame[at]! ^= 1;
      return decompressedFrame(frame);
    };
    const right = Buffer.from(decoded()!);
    const { size } = claimedSizeAndTime(right)!;
    const behind = right.indexOf('config/', entryLength(size));
    expect(right.indexOf('index.json', entryLength(size))).toBeLessThan(behind);
    const isHarmless = (at: number): boolean => {
      const bytes = decoded(at);
      return (
        bytes?.length === right.length && right.subarray(behind).equals(bytes.subarray(behind))
      );
    };
    const at = Array.from({ length: end - start }, (_, place) => place).find(
      (place) => isHarmless(place) && !right.equals(decoded(place)!),
    );
    const path = await broken(start + at!);
    const { message, hint } = await refusal(verify(trial.request(path), trial.context));
    expect(message).toMatch(
      /its manifests, configs and layers are good, but other bytes of the file are not/,
    );
    expect(hint).toContain(`bundle repair ${path} -o`);
    const repaired = await repair(
      { bundle: trial.request(path), output: await ownFolder() },
      trial.context,
    );
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
  });

  it('that is cut off is repaired with a patch that holds the rest', async () => {
    const path = await broken();
    await truncate(path, middle(trial.layers.at(-3)!));
    const patch = await patchFor(await mapOf(path));
    const repaired = await repair(
      { bundle: { ...trial.request(''), paths: [path, patch.path] }, output: await ownFolder() },
      trial.context,
    );
    expect((await readFile(repaired.path)).equals(trial.genuine)).toBe(true);
  });

  it('that is cut off has one fault, with the numbers of what is missing', async () => {
    const path = await broken();
    const at = middle(trial.layers.at(-3)!);
    await truncate(path, at);
    const events: TransferEvent[] = [];
    const observe: Observe = (event) => void events.push(event);
    const cutOff = `${path} ends at byte ${at} of ${trial.genuine.length}; 3 configs and layers (`;
    const refused = await refusal(verify(trial.request(path), { ...trial.context, observe }));
    expect(refused.message).toContain(`DAMAGED: ${basename(path)}: 3 of `);
    const [faults, images] = refused.details;
    expect(faults).toMatchObject({ label: 'faults', items: [expect.stringContaining(cutOff)] });
    expect(images?.label).toBe('images');
    expect(new Set(images?.items).size).toBe(images?.items.length);
    expect(refused.hint).toContain(verifyCommand(path));
    expect(refused.exitStatus).toBe(22);
    const told = events.filter((event) => event.type === 'noticed');
    expect(told).toMatchObject([
      { code: 'fault-found', cause: faults!.items[0]!, gravest: true },
      { code: 'audit-failed', faults: 1, good: trial.layers.length - 3, lost: 3 },
    ]);
    const map = JSON.parse(await readFile(await mapOf(path), 'utf8')) as {
      faults: { start: number; end: number; entries: string[] }[];
    };
    expect(map.faults).toMatchObject([{ start: at, end: trial.genuine.length }]);
    expect(map.faults[0]!.entries).toHaveLength(1 + 3);
    const target = join(await ownFolder(), 'target');
    const output = await ownFolder();
    const copy = /Copy the bundle again from the connected side, where it was packed\. /;
    const or = 'Or push the images that are whole now, with --partial. If neither will do, make ';
    for (const [work, ways] of [
      [() => unpackTo(trial, [path], target, false), new RegExp(`^${copy.source}${or}`)],
      [() => repair({ bundle: trial.request(path), output }, trial.context), copy],
    ] as const) {
      const { message, hint } = await refusal(work());
      expect(message).toContain(cutOff);
      expect(hint).toContain(verifyCommand(path));
      expect(hint).not.toContain('None of the patches');
      expect(hint).toMatch(ways);
    }
  });

  it('that is cut off within its last bytes lacks no blob, and is repaired without a patch', async () => {
    const path = await broken();
    await truncate(path, trial.genuine.length - 1);
    const refused = await refusal(verify(trial.request(path), trial.context));
    expect(refused.message).toContain('layers are good, but other bytes of the file are not');
    expect(refused.details[0]?.items.join()).toContain('; no config or layer is missing');
    const { hint, code } = await refusal(
      unpackTo(trial, [path], join(await ownFolder(), 'target'), false),
    );
    expect(code).toBe('BUNDLE_UNUSABLE');
    expect(hint).toContain('No image is damaged in what was read so far');
    expect(hint).toContain(
      ` Write the whole bundle again as it was:\n  bundle repair ${path} -o FOLDER`,
    );
    expect(hint).toMatch(/\nOr push the images that prove to be whole, with --partial\.$/);
    expect(hint).not.toContain('patch');
    const whole = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(trial, [path], whole, true);
    expect(delivery.parts.map(({ isWhole }) => isWhole)).toEqual([true]);
    expect(refused.hint).toContain(`bundle repair ${path} -o`);
  });

  it('that is cut off within a volume has one fault, of that volume', async () => {
    const folder = await ownFolder();
    const volumeSize = Math.ceil(trial.genuine.length / 3);
    await pack({ ...trial.packRequest, output: folder, volumeSize }, trial.context);
    const names = (await readdir(folder)).filter((name) => name.endsWith('.002'));
    const path = join(folder, names[0]!);
    const { size } = await stat(path);
    await truncate(path, Math.floor(size / 2));
    const { details } = await refusal(verify(trial.request(folder), trial.context));
    expect(details[0]?.items.join()).toContain(
      `${path} ends at byte ${Math.floor(size / 2)} of ${size}; `,
    );
  });

  it('is not needed where the target has its bad blob already', async () => {
    const target = join(await ownFolder(), 'target');
    await unpackTo(trial, [trial.path], target, false);
    const { delivery } = await unpackTo(
      trial,
      [await broken(middle(trial.layers[2]!))],
      target,
      false,
    );
    expect(delivery.copied).toMatchObject({ blobs: { pushed: 0 }, left: [] });
  });

  it('is unpacked in part, and the rest of it when the patch is there', async () => {
    const layer = trial.layers.find(
      ({ images }) => images.length === 1 && images[0] !== trial.release,
    )!;
    const path = await broken(middle(layer));
    const target = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(trial, [path], target, true);
    expect(delivery.copied!.left.toSorted()).toEqual([trial.release, ...layer.images].toSorted());
    expect(await tagsIn(target)).toEqual(
      trial.components.filter((image) => !layer.images.includes(image)).toSorted(),
    );
    const patch = await patchFor(await mapOf(path));
    await unpackTo(trial, [path, patch.path], target, false);
    expect(await tagsIn(target)).toEqual([...trial.components, trial.release].toSorted());
  });

  it.each([
    ['head', () => 200],
    ['seek table', () => trial.genuine.length - 30],
  ])('in its %s alone is unpacked with all tags, where damage is accepted', async (_, where) => {
    const path = await broken(where());
    const target = join(await ownFolder(), 'target');
    await expect(unpackTo(trial, [path], target, false)).rejects.toMatchObject({ exitStatus: 22 });
    const { delivery } = await unpackTo(trial, [path], target, true);
    expect(delivery.copied!.left).toEqual([]);
    expect(delivery.parts.map(({ isWhole }) => isWhole)).toEqual([true]);
    expect(await tagsIn(target)).toEqual([...trial.components, trial.release].toSorted());
  });

  it('leaves out, in part, what refers to images that are left out, and says so', async () => {
    const own = await prepareTrial(join(await ownFolder(), 'referrers'), { referrers: true });
    const { referrers, components } = own.made;
    const bearer = components.find(({ digest }) =>
      referrers.some(({ subject }) => subject === digest),
    )!;
    const image = own.components.find((name) => name.endsWith(`-${bearer.name}`))!;
    const layer = own.layers.find(({ images }) => images.length === 1 && images[0] === image)!;
    const path = join(await ownFolder(), basename(own.path));
    await writeFile(path, own.genuine.with(middle(layer), own.genuine[middle(layer)]! ^ 1));
    const target = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(own, [path], target, true);

    const ofBearer = new Set<string>([bearer.digest]);
    for (const { digest, subject } of referrers) if (ofBearer.has(subject)) ofBearer.add(digest);
    const ofRelease = new Set<string>([own.made.release.digest]);
    for (const { digest, subject } of referrers) if (ofRelease.has(subject)) ofRelease.add(digest);
    const names = [...ofBearer, ...ofRelease].filter((digest) =>
      referrers.some((referrer) => referrer.digest === digest),
    );
    expect(delivery.copied!.left.toSorted()).toEqual([own.release, image, ...names].toSorted());
    const store = await ImageLayout.open(target);
    for (const descriptor of referrers)
      expect(await store.exists(descriptor)).toBe(!names.includes(descriptor.digest));
  });

  it('is not repaired in its own place, nor with a patch that lacks something', async () => {
    const [one, two] = [trial.layers[1]!, trial.layers[3]!];
    const path = await broken(middle(one));
    const patch = await patchFor(await mapOf(path));
    const both = await broken(middle(one), middle(two));
    const request = { ...trial.request(''), paths: [both, patch.path] };
    expect(
      (await refusal(repair({ bundle: request, output: await ownFolder() }, trial.context)))
        .exitStatus,
    ).toBe(20);
    await expect(
      repair({ bundle: request, output: join(both, '..') }, trial.context),
    ).rejects.toMatchObject({ code: 'USAGE' });
  });

  describe('has a patch that', () => {
    it('is refused where a whole bundle is needed', async () => {
      const patch = await patchFor(await mapOf(await broken(middle(trial.layers[1]!))));
      const unusable = { code: 'BUNDLE_UNUSABLE' };
      await expect(verify(trial.request(patch.path), trial.context)).rejects.toMatchObject(
        unusable,
      );
      await expect(
        unpackTo(trial, [patch.path], join(folder, 'nowhere'), true),
      ).rejects.toMatchObject(unusable);
      await expect(stat(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('is refused under another name than its own, and told what it has to be called', async () => {
      const path = await broken(middle(trial.layers[1]!));
      const patch = await patchFor(await mapOf(path));
      const own = basename(patch.path);
      const named = /^(.+)\.([0-9a-f]{8})\.patch\.tar\.zst$/.exec(own)!;
      expect(named[1]).toBe('ocp-4.17.3-x86_64');
      for (const name of ['ocp-4.17.3-x86_64.patch.tar.zst', own.replace('4.17.3', '4.17.4')]) {
        const renamed = join(await ownFolder(), name);
        await copyFile(patch.path, renamed);
        const target = join(await ownFolder(), 'target');
        await expect(unpackTo(trial, [path, renamed], target, false)).rejects.toMatchObject({
          ...{ code: 'NOT_THE_EXPECTED_BUNDLE', exitStatus: 21 },
          got: own.replace('.tar.zst', ''),
          hint: expect.stringContaining(own) as string,
        });
        await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
      }
    });

    it('is refused when it is damaged itself, for another bundle, or signed by nobody who is trusted', async () => {
      const path = await broken(middle(trial.layers[1]!));
      const patch = await patchFor(await mapOf(path));
      const bytes = await readFile(patch.path);
      const named = async (content: Uint8Array): Promise<string> => {
        const file = join(await ownFolder(), basename(patch.path));
        await writeFile(file, content);
        return file;
      };
      const withByte = (at: number): Uint8Array => bytes.with(at, bytes[at]! ^ 1);
      const target = join(await ownFolder(), 'target');
      expect(
        (
          await refusal(
            unpackTo(trial, [path, await named(withByte(bytes.length - 40))], target, false),
          )
        ).exitStatus,
      ).toBe(22);

      const { contents, blobs } = await partsOf(patch.path);
      const key = SigningKey.generate('ed25519');
      const other = { ...contents, repairs: digestOf('another bundle') };
      const own = { ...trial, request: () => ({ ...trial.request(''), trustedKeyFiles: [] }) };
      const stranger = await named(craft({ contents, blobs, key }));
      const forOther = await named(craft({ contents: other, blobs, key }));
      for (const [file, status] of [
        [forOther, 22],
        [stranger, 21],
      ] as const) {
        // A user of their own trusts nobody yet; this one trusts the packer, and only them.
        const trusting = status === 21 ? await trustingPacker() : own;
        expect((await refusal(unpackTo(trusting, [path, file], target, false))).exitStatus).toBe(
          status,
        );
      }
      await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    const trustingPacker = async (): Promise<DamageTrial> => {
      const pub = join(await ownFolder(), 'packer.pub');
      await copyFile(join(trial.context.configFolder, 'signing-key.pub'), pub);
      return { ...trial, request: (file) => ({ ...trial.request(file), trustedKeyFiles: [pub] }) };
    };
  });

  it('whose map is of another bundle, or no map, makes no patch', async () => {
    const damageFile = await mapOf(await broken(middle(trial.layers[1]!)));
    const text = await readFile(damageFile, 'utf8');
    const changed = async (change: (text: string) => string): Promise<string> => {
      const file = join(await ownFolder(), 'damage.json');
      await writeFile(file, change(text));
      return file;
    };
    const hex = /"bundleDigest": "([0-9a-f]{64})"/.exec(text)![1]!;
    await expect(
      patchFor(await changed((map) => map.replace(hex, '0'.repeat(64)))),
    ).rejects.toMatchObject({ code: 'USAGE' });
    await expect(
      patchFor(
        await changed((map) =>
          map.replace(/"blobs": \[\s*"[0-9a-f]{64}"/, `"blobs": ["${'0'.repeat(64)}"`),
        ),
      ),
    ).rejects.toMatchObject({ code: 'USAGE' });
    await expect(patchFor(await changed(() => '{}'))).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
    await expect(patchFor(join(folder, 'nothing.json'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
