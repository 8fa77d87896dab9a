import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { isFolder, makeFolder } from '../../../src/files/folder.ts';
import { readSmallFile } from '../../../src/files/small-file.ts';

describe('files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-files-'));
    await writeFile(join(folder, 'file'), 'ten bytes.');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are put into folders that are made with all that is missing above them', async () => {
    const deep = join(folder, 'a/b/c');
    await Promise.all([makeFolder(deep, 0o700), makeFolder(deep, 0o700)]);
    await makeFolder(deep);
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700);
    expect(await isFolder(deep)).toBe(true);
  });

  it('have no folder where a file is in the way, or where the system makes none', async () => {
    await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(folder, 'file/below'))).rejects.toThrow();
    await expect(makeFolder('/proc/self/nowhere/below')).rejects.toThrow();
    expect(await isFolder(join(folder, 'file/below'))).toBe(false);
  });

  it('are read whole up to their limit, and not beyond', async () => {
    expect(Buffer.from(await readSmallFile(join(folder, 'file'), 10)).toString()).toBe('ten bytes.');
    await expect(readSmallFile(join(folder, 'file'), 9)).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(readSmallFile(join(folder, 'none'), 9)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readSmallFile(folder, 1e6)).rejects.toMatchObject({ code: 'DISK' });
  });
});
