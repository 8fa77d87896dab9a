import { mkdir, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { TransferEvent } from '../../../src/core/events.ts';
import {
  bundlePath,
  inOutput,
  isForMedium,
  isMedium,
  parseOutput,
  prepareOutput,
} from '../../../src/packing/output.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-output-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function noticesFor(output: string): Promise<readonly TransferEvent[]> {
  const events: TransferEvent[] = [];
  const observe = (event: TransferEvent): void => void events.push(event);
  const made = await prepareOutput(await parseOutput(output), { observe });
  return made === undefined ? events : [...events, { type: 'noticed', ...made }];
}

it('a folder that had to be made is told, with its file system and what is free there', async () => {
  const made = join(folder, 'not/there');
  const [notice, ...more] = await noticesFor(made);
  expect((await stat(made)).isDirectory()).toBe(true);
  expect(notice).toMatchObject({ code: 'made-folder', folder: made });
  const { mountPoint, free } = notice as unknown as { mountPoint: string; free: number };
  expect((await stat(mountPoint)).dev).toBe((await stat(made)).dev);
  expect((await realpath(made)).startsWith(mountPoint)).toBe(true);
  expect(free).toBeGreaterThan(0);
  expect(more).toEqual([]);
});

it('a folder that had to be made is told only when it stays', async () => {
  const events: string[] = [];
  const observe = (event: TransferEvent): void =>
    void events.push(event.type === 'noticed' ? event.code : event.type);
  const output = await parseOutput(join(folder, 'new'));
  await expect(
    inOutput(output, { observe }, () => Promise.reject(new Error('no'))),
  ).rejects.toThrow();
  expect(events).toEqual([]);
  const failing = async (): Promise<never> => {
    await writeFile(join(folder, 'new/begun'), '');
    throw new Error('later');
  };
  await expect(inOutput(output, { observe }, failing)).rejects.toThrow('later');
  expect(events).toEqual(['made-folder']);
});

it.each([
  ['out', 'out/a.tar.zst'],
  ['./out/', 'out/a.tar.zst'],
  ['.', 'a.tar.zst'],
  ['..', '../a.tar.zst'],
  ['/srv/out', '/srv/out/a.tar.zst'],
  ['out/a.tar.zst', 'out/a.tar.zst'],
  ['a.tar.zst', 'a.tar.zst'],
  ['-out', resolve('-out/a.tar.zst')],
])('a bundle in %s is called %s', async (typed, path) => {
  expect(bundlePath(await parseOutput(typed), 'a')).toBe(path);
});

it('a folder that was there is not told', async () => {
  const there = join(folder, 'there');
  await mkdir(there);
  expect(await noticesFor(there)).toEqual([]);
  expect(await noticesFor(join(there, 'ocp-4.17.3-x86_64.tar.zst'))).toEqual([]);
});

it.each([
  ['/media/usb', '/', true],
  ['/mnt/stick/bundles', '/', true],
  ['/run/media/op/STICK', '/run', true],
  ['/media/usb', '/media/usb', false],
  ['/mnt/stick/bundles', '/mnt/stick', false],
  ['/mnt/share', '/mnt', false],
  ['/srv/bundles', '/', false],
  ['/mnt2/bundles', '/', false],
])('%s on the file system of %s is a place for media without one: %s', (path, mount, expected) => {
  expect(isForMedium(path, mount)).toBe(expected);
});

it.each([
  ['/media/usb', true],
  ['/mnt', true],
  ['/run/media/op/STICK', true],
  ['/', false],
  ['/run', false],
  ['/srv/media', false],
])('what is mounted at %s is a medium: %s', (mountPoint, expected) => {
  expect(isMedium(mountPoint)).toBe(expected);
});

it('a file and another name both name the bundle: one of them is refused', async () => {
  await expect(parseOutput('med/a.tar.zst', 'b')).rejects.toMatchObject({
    ...{ code: 'USAGE', message: '--name b and -o med/a.tar.zst both name the bundle' },
    hint: expect.stringContaining('Give one of them') as string,
  });
  expect(await parseOutput('med/a.tar.zst', 'a')).toEqual({ folder: 'med', name: 'a' });
  expect(await parseOutput('med', 'b')).toEqual({ folder: 'med', name: undefined });
});
