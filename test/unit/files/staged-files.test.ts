import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { StagedFiles } from '../../../src/files/staged-files.ts';
import { temporaryFolder } from '../../support/user.ts';

it('files get their names after the one that says what they are', async () => {
  const temporary = await temporaryFolder('staged');
  try {
    const staged = new StagedFiles(temporary.path);
    for (const name of ['archive', 'other', 'release.txt'])
      await staged.write(name, async (write) => write(Buffer.from(name)));
    expect((await readdir(temporary.path)).every((name) => name.endsWith('.partial'))).toBe(true);
    // No file can take this name any more: naming ends at the first archive.
    await mkdir(join(temporary.path, 'archive'));
    await expect(staged.finish('release.txt')).rejects.toThrow(/archive/);
    await staged.discard();
    expect((await readdir(temporary.path)).sort()).toEqual(['archive', 'release.txt']);
    expect(await readFile(join(temporary.path, 'release.txt'), 'utf8')).toBe('release.txt');
  } finally {
    await temporary.remove();
  }
});
