import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial } from '../../scripts/lib/damage.ts';
import { pack } from '../../src/workflows/pack.ts';
import { repair } from '../../src/workflows/repair.ts';

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

  const packed = async (volumeSize?: number): Promise<unknown> =>
    pack(
      { ...trial.packRequest, output, ...(volumeSize !== undefined && { volumeSize }) },
      trial.context,
    );
  const repaired = async (): Promise<unknown> =>
    repair({ bundle: trial.request(trial.path), output }, trial.context);
  const third = (): number => Math.ceil(trial.genuine.length / 3);

  const text = 'a note of mine\n';
  const names = ['pub', 'sha256', 'tar.zst.partial'];
  it.each([
    ...names.map((end) => ({ end, what: 'pack', work: () => packed(), content: text })),
    ...names.map((end) => ({ end, what: 'repair', work: repaired, content: text })),
    ...['tar.zst.001.partial', 'tar.zst.002.partial'].map((end) => ({
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
    expect(await readFile(path, 'utf8')).toBe(content);
    expect(await readdir(output)).toEqual([basename(path)]);
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
