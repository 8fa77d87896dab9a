import { execFile, spawnSync } from 'node:child_process';
import {
  link,
  lstat,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { listFolder, makeFolder } from '../../../src/files/folder.ts';
import { identityOf, ifThere, isFolder, isThere, sizeOf } from '../../../src/files/look.ts';
import {
  createFile,
  isFileThere,
  removeFile,
  renameFile,
  reopenFile,
} from '../../../src/files/own-file.ts';
import { onAwaitedPipe, SILENCE_MS } from '../../../src/files/reading/pipe.ts';
import { readGivenFile, readSmallFile } from '../../../src/files/small-file.ts';
import { writeNew, writeWhole } from '../../../src/files/write-whole.ts';

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
    await expect(readGivenFile(folder, 1e6)).rejects.toMatchObject({ code: 'DISK' });
    await expect(readGivenFile(join(folder, 'none'), 9, 'the list')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(`the list ${join(folder, 'none')}`) as string,
    });
  });

  it('may be pipes and devices where they are named, and are none where they are found', async () => {
    const tooLarge = {
      code: 'CONFIGURATION',
      message: expect.stringContaining('larger') as string,
    };
    const noFile = { code: 'CONFIGURATION', message: expect.stringContaining('no file') as string };
    await expect(readGivenFile('/dev/zero', 1e6)).rejects.toMatchObject(tooLarge);
    await expect(readSmallFile('/dev/zero', 1e6)).rejects.toMatchObject(noFile);
    const pipe = join(folder, 'given');
    await promisify(execFile)('mkfifo', [pipe]);
    // Nobody writes into it, and nobody waits for that.
    onTestFinished(() => endWaits(pipe));
    await expect(readSmallFile(pipe, 1e6)).rejects.toMatchObject(noFile);
    for (const size of [0, 1, 65_536, 300_000]) {
      const content = Buffer.alloc(size, 'x');
      const [read] = await Promise.all([readGivenFile(pipe, 300_000), writeFile(pipe, content)]);
      expect(content.equals(read)).toBe(true);
    }
  });

  it('that are pipes are told of where nothing comes through them for long, and only then', async () => {
    const pipe = join(folder, 'awaited');
    await promisify(execFile)('mkfifo', [pipe]);
    const told: string[] = [];
    const end = onAwaitedPipe((name) => told.push(...(name.endsWith(pipe) ? [name] : [])));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      // Opened for both, it waits for nobody. Of two readers one gets what is written.
      const writer = await open(pipe, 'r+');
      await writer.write('at once');
      const reads = [readGivenFile(pipe, 9, 'the key'), readGivenFile(pipe, 9, 'the key')];
      await expect.poll(() => vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(SILENCE_MS);
      expect(told).toEqual([`the key ${pipe}`]);
      await writer.close();
      expect(Buffer.concat(await Promise.all(reads)).toString()).toBe('at once');
    } finally {
      vi.useRealTimers();
      end();
    }
  });

  it('are there or not, as links lead', async () => {
    const [file, linked, none] = ['file', 'linked', 'none'].map((name) => join(folder, name));
    await symlink(file!, linked!);
    expect(await isThere(linked!)).toBe(true);
    expect(await sizeOf(linked!)).toBe(10);
    expect(await identityOf(linked!)).toBe(await identityOf(file!));
    expect(await identityOf(folder)).not.toBe(await identityOf(file!));
    for (const path of [none!, join(file!, 'below')]) {
      expect(await isThere(path)).toBe(false);
      expect(await sizeOf(path)).toBeUndefined();
      expect(await identityOf(path)).toBeUndefined();
    }
    await removeFile(linked!);
    await removeFile(linked!);
    expect(await readFile(file!, 'utf8')).toBe('ten bytes.');
    await expect(removeFile(folder)).rejects.toMatchObject({ code: 'DISK' });
  });

  it('are listed by name, and a folder that is missing is told from one that is none', async () => {
    const listed = join(folder, 'listed');
    await makeFolder(listed);
    for (const name of ['b', 'a', 'C']) await writeFile(join(listed, name), '');
    expect(await listFolder(listed)).toEqual(['C', 'a', 'b']);
    const none = join(folder, 'none');
    await expect(listFolder(none)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await ifThere(listFolder(none))).toBeUndefined();
    const file = join(folder, 'file');
    await expect(ifThere(listFolder(file))).rejects.toMatchObject({ code: 'DISK' });
    expect(await ifThere(listFolder(file), ['ENOTDIR'])).toBeUndefined();
    await expect(ifThere(Promise.reject(new TypeError('a bug')))).rejects.toThrow(TypeError);
  });

  it('are written whole under their name, and leave nothing else behind', async () => {
    const written = join(folder, 'written');
    await makeFolder(written);
    const path = join(written, 'list');
    await writeWhole(path, 'first', { mode: 0o600 });
    await writeFile(`${path}.partial`, 'left behind');
    await writeWhole(path, 'second', { mode: 0o600, isLocked: true });
    expect(await readFile(path, 'utf8')).toBe('second');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const taken = join(written, 'taken');
    await makeFolder(taken);
    await expect(writeWhole(taken, 'third')).rejects.toMatchObject({ code: 'DISK' });
    await expect(writeNew(path, 'third', 0o600)).rejects.toMatchObject({ code: 'EEXIST' });
    await writeNew(join(written, 'new'), 'fourth', 0o600);
    expect(await readFile(path, 'utf8')).toBe('second');
    expect(await listFolder(written)).toEqual(['list', 'new', 'taken']);
  });

  it('are whole and one of those that were written, where several runs write at once', async () => {
    const written = join(folder, 'at once');
    await makeFolder(written);
    const path = join(written, 'list');
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(100_000));
    await Promise.all(texts.map((text) => writeWhole(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await listFolder(written)).toEqual(['list']);
  });

  it('do not take the place of a pipe, a device, a folder or a link', async () => {
    const [pipe, toPipe] = [join(folder, 'their pipe'), join(folder, 'to their pipe')];
    const [note, toNote] = [join(folder, 'their note'), join(folder, 'to their note')];
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    await symlink(pipe, toPipe);
    await writeFile(note, 'mine');
    await symlink(note, toNote);
    for (const [path, got] of [
      [pipe, 'no file'],
      [toPipe, 'a symbolic link'],
      [toNote, 'a symbolic link'],
      [folder, 'a folder'],
    ] as const)
      await expect(writeWhole(path, 'text')).rejects.toMatchObject({ code: 'DISK', got });
    expect((await lstat(pipe)).isFIFO()).toBe(true);
    expect((await lstat(toPipe)).isSymbolicLink()).toBe(true);
    expect((await lstat(toNote)).isSymbolicLink()).toBe(true);
    expect(await readFile(note, 'utf8')).toBe('mine');
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

/** Whoever waits for a writer, in a thread that nothing else ends, has one: it never blocks. */
async function endWaits(pipe: string): Promise<void> {
  await (await open(pipe, 'r+')).close();
}
