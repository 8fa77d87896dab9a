import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { SigningKey } from '../../src/trust/keys.ts';
import { runBundle, startBundle } from '../support/bundle-process.ts';

const PACK = ['pack', '4.17.3', '-o', 'out'];

/** What a site has sent, and no file of the user: too much of it is wrong content. */
const SENT: readonly string[] = ['receipt check', 'receipt scan'];

/** Every option and argument that names a small file to be read. */
const READERS: readonly (readonly [string, (file: string) => readonly string[]])[] = [
  ['trust add', (file) => ['trust', 'add', file]],
  ['sign --key', (file) => ['sign', 'x.tar.zst', '--key', file]],
  ['pack --key', (file) => [...PACK, '--key', file]],
  ['pack --release-key', (file) => [...PACK, '--release-key', file]],
  ['verify --release-key', (file) => ['verify', '.', '--release-key', file]],
  ['pack --authfile', (file) => [...PACK, '--authfile', file]],
  ['pack --registries-conf', (file) => [...PACK, '--registries-conf', file]],
  ['pack --idms-file', (file) => [...PACK, '--idms-file', file]],
  ['pack --ca-file', (file) => [...PACK, '--ca-file', file]],
  ['pack --locked', (file) => ['pack', '--locked', file, '-o', 'out']],
  ['pack --repair', (file) => ['pack', '--repair', file, '-o', 'out']],
  ['pack --chart', (file) => ['pack', '--chart', file, '-o', 'out']],
  ['imageset check', (file) => ['imageset', 'check', file]],
  ['imageset diff', (file) => ['imageset', 'diff', file, file]],
  ['receipt check', (file) => ['receipt', 'check', file]],
  ['receipt scan', (file) => ['receipt', 'scan', file, '-o', 'out']],
];

describe('a file that somebody names', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-named-files-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(READERS)('is not read without end by %s', async (name, args) => {
    const { status, stderr } = await runBundle(args('/dev/zero'), { folder });
    const [expected, told] = SENT.includes(name)
      ? [20, /\/dev\/zero is no .+\n +expected: \d+ bytes at most\n/]
      : [2, /\/dev\/zero is larger than \d+ bytes/];
    expect(status).toBe(expected);
    expect(stderr).toMatch(told);
  });

  it.each(READERS)(
    'may be a pipe that nothing comes through: that is told, and signals end %s',
    async (name, args) => {
      const pipe = join(folder, name.replaceAll(' ', '-'));
      expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
      const { child, ended, told } = await startBundle(args(pipe), { folder });
      onTestFinished(() => void child.kill('SIGKILL'));
      await told(new RegExp(`^waiting: .*${pipe} is a pipe, and nothing has come through it`, 'm'));
      // The second does not wait for the work to wind up.
      child.kill('SIGINT');
      child.kill('SIGTERM');
      expect([130, 143]).toContain((await ended).status);
    },
  );

  it('may be a pipe that something comes through', async () => {
    const pipe = join(folder, 'key');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const { ended } = await startBundle(['trust', 'add', pipe], { folder });
    await writeFile(pipe, SigningKey.generate('ed25519').public.pem);
    expect(await ended).toMatchObject({ status: 0 });
  });
});
