import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { withLock } from '../../../src/files/lock.ts';

const MINUTE_MS = 60_000;
const { signal } = new AbortController();

describe('a lock', () => {
  let folder: string;
  let path: string;
  let lockPath: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-lock-'));
    path = join(folder, 'ocp.tar.zst');
    lockPath = `${path}.lock`;
  });
  afterEach(() => rm(folder, { recursive: true }));

  const take = async (): Promise<string> =>
    withLock(path, signal, async () => readFile(lockPath, 'utf8'));
  const silence = async (): Promise<void> => {
    const silent = new Date(Date.now() - 2 * MINUTE_MS);
    await utimes(lockPath, silent, silent);
  };
  const left = (owner: object): Promise<void> => writeFile(lockPath, `${JSON.stringify(owner)}\n`);

  it('is there while the work goes on, and gone afterwards, whatever came of it', async () => {
    expect(JSON.parse(await take())).toMatchObject({ host: hostname(), pid: process.pid });
    await expect(withLock(path, signal, () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('is refused to a second run, which leaves it alone', async () => {
    await withLock(path, signal, async () => {
      await expect(take()).rejects.toMatchObject({ code: 'DISK' });
      expect(await readdir(folder)).toEqual(['ocp.tar.zst.lock']);
    });
  });

  it('is taken over from a process that is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.on('exit', resolve));
    const own = JSON.parse(await take()) as object;
    await left({ ...own, pid: child.pid });
    expect(JSON.parse(await take())).toEqual(own);
  });

  it('is taken over from a process id that is used again', async () => {
    const own = JSON.parse(await take()) as object;
    await left({ ...own, started: '1' });
    expect(JSON.parse(await take())).toEqual(own);
  });

  it.each([
    ['from before the last boot, or of another host of this name', { boot: 'another' }],
    ['of a container of this name', { namespace: 'pid:[1]' }],
    ['of another host', { host: 'elsewhere' }],
  ])(
    '%s is taken over after a minute of silence; until then it says what to do',
    async (_, other) => {
      const own = JSON.parse(await take()) as { host: string };
      const { host, ...owner } = { ...own, ...other, pid: 12 };
      await left({ host, ...owner });
      const heard = new Date(Date.now() - 20_000);
      await utimes(lockPath, heard, heard);
      await expect(take()).rejects.toMatchObject({
        ...{ code: 'DISK', message: `the lock ${lockPath} belongs to process 12 on ${host}` },
        expected: 'no sign of life for 60 s',
        got: expect.stringMatching(/^the last one \d+ s ago$/) as string,
        hint: expect.stringMatching(/taken over by itself.*delete the lock file/) as string,
      });
      await silence();
      expect(JSON.parse(await take())).toEqual(own);
      expect(await readdir(folder)).toEqual([]);
    },
  );

  it('is refused where something else has its name, which is neither waited for nor removed', async () => {
    for (const make of ['mkfifo', 'mkdir', 'ln -s elsewhere'].map((text) => text.split(' '))) {
      await promisify(execFile)(make[0]!, [...make.slice(1), lockPath]);
      await expect(take()).rejects.toMatchObject({ code: 'DISK' });
      expect(await readdir(folder)).toEqual(['ocp.tar.zst.lock']);
      await rm(lockPath, { recursive: true });
    }
  });

  it('is refused where a file of somebody else has its name, which is never removed', async () => {
    const large = `{"host":"${'x'.repeat(5000)}"}`;
    for (const text of ['hi', 'null', '{"name":"mine"}\n', large]) {
      await writeFile(lockPath, text);
      const silent = new Date(Date.now() - 2 * MINUTE_MS);
      for (const touched of [new Date(), silent]) {
        await utimes(lockPath, touched, touched);
        await expect(take()).rejects.toMatchObject({
          ...{ code: 'USAGE', exitStatus: 2 },
          message: `${lockPath} exists already, and is no lock of this program`,
          hint: expect.stringContaining('move it away') as string,
        });
        expect(await readFile(lockPath, 'utf8')).toBe(text);
      }
    }
    expect(await readdir(folder)).toEqual(['ocp.tar.zst.lock']);
  });

  it('that cannot be read is taken over after a minute of silence and not before', async () => {
    await writeFile(lockPath, '{"ho');
    await expect(take()).rejects.toMatchObject({ code: 'DISK' });
    await silence();
    expect(JSON.parse(await take())).toMatchObject({ pid: process.pid });
    expect(await readdir(folder)).toEqual([]);
  });

  it('goes to one of many who find it stale at once', async () => {
    await left({ host: hostname(), boot: 'another', pid: 1, started: '1' });
    await silence();
    let holders = 0;
    let most = 0;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        withLock(path, signal, async () => {
          most = Math.max(most, (holders += 1));
          await readFile(lockPath);
          holders -= 1;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
  });
});
