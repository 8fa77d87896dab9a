import { execFile } from 'node:child_process';
import { link, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { isFolder, makeFolder } from '../../../src/files/folder.ts';
import { createFile, isFileThere, renameFile, reopenFile } from '../../../src/files/own-file.ts';
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
    expect(Buffer.from(await readSmallFile(join(folder, 'file'), 10)).toString()).toBe(
      'ten bytes.',
    );
    await expect(readSmallFile(join(folder, 'file'), 9)).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
    await expect(readSmallFile(join(folder, 'none'), 9)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(readSmallFile(folder, 1e6)).rejects.toMatchObject({ code: 'DISK' });
  });

  it('are made anew, so that whatever else has the same content keeps it', async () => {
    const [path, other] = [join(folder, 'anew'), join(folder, 'other')];
    await writeFile(path, 'before');
    await link(path, other);
    const file = await createFile(path, 0o600);
    await file.writeFile('after');
    await file.close();
    expect(await readFile(other, 'utf8')).toBe('before');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const again = await reopenFile(path);
    await again.write(Buffer.from('A'), 0, 1, 0);
    await again.close();
    await renameFile(path, other);
    expect(await readFile(other, 'utf8')).toBe('After');
    expect([await isFileThere(path), await isFileThere(other)]).toEqual([false, true]);
  });

  it('are never a link, a folder or a pipe', async () => {
    const victim = join(folder, 'victim');
    await writeFile(victim, 'not yours');
    await symlink(victim, join(folder, 'link'));
    await symlink(join(folder, 'nothing'), join(folder, 'dangling'));
    await promisify(execFile)('mkfifo', [join(folder, 'pipe')]);
    for (const path of [
      ...['link', 'dangling', 'pipe'].map((name) => join(folder, name)),
      folder,
    ]) {
      const refused = { code: 'DISK', message: expect.stringContaining(path) as string };
      await expect(createFile(path)).rejects.toMatchObject(refused);
      await expect(reopenFile(path)).rejects.toMatchObject(refused);
      await expect(renameFile(path, `${path}-renamed`)).rejects.toMatchObject(refused);
      await expect(isFileThere(path)).rejects.toMatchObject(refused);
    }
    expect(await readFile(victim, 'utf8')).toBe('not yours');
    expect(await isFileThere(join(folder, 'nothing'))).toBe(false);
  });
});
