import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial, unpackTo } from '../../scripts/lib/damage.ts';
import { compressedFrame } from '../../src/bundle/format/frames.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import { repair } from '../../src/workflows/repair.ts';
import { verify } from '../../src/workflows/verify.ts';

describe('what systems leave on a medium is nobody’s bundle', () => {
  let folder: string;
  let trial: DamageTrial;
  let medium: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-droppings-'));
    trial = await prepareTrial(folder);
    medium = join(folder, 'medium');
    await mkdir(medium);
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** A Mac writes 4096 bytes beside each file; Windows has folders that nobody may read. */
  const litter = async (): Promise<readonly string[]> => {
    const beside = (await readdir(medium)).map((name) => `._${name}`);
    const folders = ['System Volume Information', '$RECYCLE.BIN', '.Trashes', 'lost+found'];
    for (const name of folders) await mkdir(join(medium, name), { recursive: true, mode: 0 });
    const files = ['Thumbs.db', 'desktop.ini', '.DS_Store', '._.Trashes', ...beside];
    for (const name of files) await writeFile(join(medium, name), Buffer.alloc(4096, 7));
    return [...folders, ...files];
  };

  it.each([
    ['one file', undefined],
    ['volumes', 3],
  ])('for pack, verify, unpack and repair of %s', async (_, parts) => {
    await rm(medium, { recursive: true });
    await mkdir(medium);
    await litter();
    const volumeSize = parts === undefined ? undefined : Math.ceil(trial.genuine.length / parts);
    const request = { ...trial.packRequest, output: medium, ...(volumeSize && { volumeSize }) };
    await pack(request, trial.context);
    const left = await litter();
    // A second run finds its own bundle there, and continues nothing else.
    await pack(request, trial.context);
    const bundle = trial.request(medium);
    expect((await verify(bundle, trial.context)).blobs).toBeGreaterThan(0);
    const target = await mkdtemp(join(folder, 'layout-'));
    for (const name of ['.DS_Store', 'System Volume Information'])
      await writeFile(join(target, name), '');
    const { delivery } = await unpackTo(trial, [medium], target, false);
    expect(delivery.images.length).toBeGreaterThan(0);
    const output = await mkdtemp(join(folder, 'repaired-'));
    await repair({ bundle, output, restart: false }, trial.context);
    expect((await verify(trial.request(output), trial.context)).blobs).toBeGreaterThan(0);
    expect(await readdir(medium)).toEqual(expect.arrayContaining([...left]));
  });
});

describe('a file of somebody else under a name that a pack would write', () => {
  let folder: string;
  let trial: DamageTrial;
  let stem: string;
  let output: string;
  let cases = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-foreign-'));
    trial = await prepareTrial(folder);
    stem = basename(trial.path).replace(/\.tar\.zst$/, '');
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    output = join(folder, `case-${(cases += 1)}`);
    await mkdir(output);
  });

  const packed = async (volumeSize?: number, restart = false): Promise<unknown> =>
    pack(
      { ...trial.packRequest, restart, output, ...(volumeSize !== undefined && { volumeSize }) },
      trial.context,
    );
  const repaired = async (restart = false): Promise<unknown> =>
    repair({ bundle: trial.request(trial.path), output, restart }, trial.context);
  const third = (): number => Math.ceil(trial.genuine.length / 3);

  const text = 'a note of mine\n';
  const zstd = Buffer.from(compressedFrame(Buffer.alloc(10_000, 'an archive of mine')));
  const names = ['pub', 'sha256', 'volume-size.partial', 'tar.zst', 'tar.zst.partial'];
  it.each([
    ...names.map((end) => ({ end, what: 'pack', work: () => packed(), content: text })),
    ...names.map((end) => ({ end, what: 'repair', work: () => repaired(), content: text })),
    ...[...names, 'tar.zst.001'].flatMap((end) => [
      { end, what: 'pack --restart', work: () => packed(undefined, true), content: text },
      { end, what: 'repair --restart', work: () => repaired(true), content: text },
    ]),
    ...[
      { what: 'pack', work: () => packed() },
      { what: 'pack --restart', work: () => packed(undefined, true) },
      { what: 'repair', work: () => repaired() },
      { what: 'repair --restart', work: () => repaired(true) },
    ].map((one) => ({ ...one, end: 'tar.zst', content: zstd })),
    ...['tar.zst.001', 'tar.zst.002', 'tar.zst.001.partial', 'tar.zst.002.partial'].map((end) => ({
      ...{ end, what: 'pack in volumes', work: () => packed(third()), content: text },
    })),
    { end: 'sha256', what: 'pack', work: () => packed(), content: 'x'.repeat(2 ** 20 + 1) },
    { end: 'tar.zst.partial', what: 'pack', work: () => packed(), content: 'x' },
  ])('.$end is refused by $what, and stays as it is', async ({ end, work, content }) => {
    const path = join(output, `${stem}.${end}`);
    await writeFile(path, content);
    await expect(work()).rejects.toMatchObject({
      code: 'USAGE',
      exitStatus: 2,
      message: expect.stringContaining(path) as string,
      hint: expect.stringContaining('another folder') as string,
    });
    expect((await readFile(path)).equals(Buffer.from(content))).toBe(true);
    expect(await readdir(output)).toEqual([basename(path)]);
  });

  it.each([
    ['volumes that are too small', undefined, () => packed(10, true)],
    ['a foreign key, by pack', 'pub', () => packed(undefined, true)],
    ['a foreign list of checksums, by pack', 'sha256', () => packed(undefined, true)],
    ['a foreign volume beside it, by pack', 'tar.zst.002', () => packed(undefined, true)],
    ['a foreign key, by repair', 'pub', () => repaired(true)],
    ['a foreign volume beside it, by repair', 'tar.zst.002', () => repaired(true)],
  ])('leaves a finished bundle where it is: %s, with --restart', async (_, end, work) => {
    await packed();
    const finished = await readFile(join(output, `${stem}.tar.zst`));
    if (end !== undefined) await writeFile(join(output, `${stem}.${end}`), text);
    const before = await readdir(output);
    await expect(work()).rejects.toMatchObject({ code: 'USAGE', exitStatus: 2 });
    expect(await readdir(output)).toEqual(before);
    const bundle = await readFile(join(output, `${stem}.tar.zst`));
    expect(bundle.equals(finished)).toBe(true);
  });

  it.each(['pack', 'repair'])('is none where it is empty: %s --restart drops it', async (what) => {
    for (const end of ['tar.zst', 'tar.zst.001'])
      await writeFile(join(output, `${stem}.${end}`), '');
    await (what === 'pack' ? packed(undefined, true) : repaired(true));
    expect((await stat(join(output, `${stem}.tar.zst`))).size).toBe(trial.genuine.length);
    expect(await readdir(output)).not.toContain(`${stem}.tar.zst.001`);
  });

  it('is a bundle of the same name with other content, for repair as for pack', async () => {
    const other = await prepareTrial(join(folder, 'other'), { components: 2 });
    const path = join(output, `${stem}.tar.zst`);
    await writeFile(path, other.genuine);
    for (const work of [packed, repaired])
      await expect(work()).rejects.toMatchObject({ code: 'USAGE', exitStatus: 2 });
    expect((await readFile(path)).equals(other.genuine)).toBe(true);
  });

  it('is none where it is of an earlier run: that is replaced', async () => {
    const key = await readFile(join(trial.path, '..', `${stem}.pub`), 'utf8');
    await writeFile(join(output, `${stem}.sha256`), `${'0'.repeat(64)}  ${stem}.tar.zst\n`);
    await writeFile(join(output, `${stem}.pub`), key);
    await writeFile(join(output, `${stem}.tar.zst.partial`), trial.genuine.subarray(0, 100));
    await packed();
    expect(await readFile(join(output, `${stem}.sha256`), 'utf8')).not.toContain('0'.repeat(64));
    expect((await stat(join(output, `${stem}.tar.zst`))).size).toBe(trial.genuine.length);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(4096)],
    ['the first two bytes', Buffer.of(0x28, 0xb5)],
  ])('is none where a cut of the power left %s', async (_, content) => {
    for (const end of ['sha256', 'pub']) await writeFile(join(output, `${stem}.${end}`), '');
    await writeFile(join(output, `${stem}.tar.zst.partial`), content);
    await packed();
    expect((await stat(join(output, `${stem}.tar.zst`))).size).toBe(trial.genuine.length);
  });
});
