import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { systemCode } from '../../src/core/errors.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { type Ended, runBundle, startBundle } from '../support/bundle-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWhere, describeWith } from '../support/needs.ts';
import { type PackableRelease, packableRelease } from '../support/packable-release.ts';
import { startRegistry } from '../support/registry.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';
const TAG = 'ocp4/openshift/release-images/manifests/4.17.3-x86_64';

/** Whether this user may mount a file system in memory. */
function mayMount(): boolean {
  const where = mkdtempSync(join(tmpdir(), 'bundle-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', where]).status === 0;
  if (mounted) spawnSync('umount', [where]);
  rmdirSync(where);
  return mounted;
}

describeWith(['docker-registry'], 'a disk', () => {
  let release: PackableRelease;
  let folder: string;
  let file: string;

  const bundle = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
    runBundle(args, { folder, env });
  const packing = (host: string, output: string): string[] => [
    ...release.packing(host),
    '-o',
    output,
    '--output',
    'json',
  ];
  const unpacking = (host: string, from: string): string[] => [
    ...['unpack', from, '--to', `${host}/ocp4`, ...release.trust, '--output', 'json'],
  ];

  beforeAll(async () => {
    release = await packableRelease('disk', { components: 3, scale: 0.05 });
    ({ folder } = release);
    expect(await bundle(packing(release.source.host, join(folder, 'out')))).toMatchObject({
      status: 0,
    });
    file = join(folder, 'out', NAME);
  });
  afterAll(() => release.remove());

  describeWhere(mayMount(), 'leave to mount', 'in memory', () => {
    let mounted: string;
    beforeAll(async () => {
      mounted = join(folder, 'mounted');
      await mkdir(mounted);
      const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', mounted]);
      expect(status).toBe(0);
    });
    afterAll(() => spawnSync('umount', [mounted]));

    it('that fills up under way ends a pack with 26, and what is there is continued', async () => {
      const filler = join(mounted, 'filler');
      let layers = 0;
      const proxy = await startFaultProxy(release.source.url, ({ method, url }) => {
        // Others fill the disk after its space was looked at.
        if (method === 'GET' && url.includes('/blobs/') && (layers += 1) === 10) fill(filler);
        return undefined;
      });
      const ended = await bundle(packing(proxy.host, mounted));
      await proxy.stop();
      expect(ended).toMatchObject({ status: 26 });
      expect(await readdir(mounted)).toContain(`${NAME}.partial`);
      const begun = await readFile(join(mounted, `${NAME}.partial`));
      expect(begun.equals((await readFile(file)).subarray(0, begun.length))).toBe(true);
      await rm(filler);
      expect(await bundle(packing(release.source.host, mounted))).toMatchObject({ status: 0 });
      expect((await readFile(join(mounted, NAME))).equals(await readFile(file))).toBe(true);
    });

    it('without the space that is needed is refused before anything is fetched', async () => {
      fill(join(mounted, 'filler'));
      await rm(join(mounted, NAME), { force: true });
      expect(await bundle(packing(release.source.host, mounted))).toMatchObject({ status: 26 });
      expect((await readdir(mounted)).filter((name) => name.startsWith(NAME))).toEqual([]);
      await rm(join(mounted, 'filler'));
    });

    it('without the space for a layout is refused before anything is made', async () => {
      fill(join(mounted, 'filler'));
      const empty = join(mounted, 'empty');
      await mkdir(empty);
      const before = await readdir(mounted);
      for (const layout of [empty, join(mounted, 'new', 'layout')]) {
        const args = ['unpack', file, '--to', `oci:${layout}`, ...release.trust];
        const ended = await bundle([...args, '--output', 'json']);
        expect(ended).toMatchObject({ status: 26 });
        expect(ended.stdout).toContain('not enough space');
      }
      expect(await readdir(mounted)).toEqual(before);
      expect(await readdir(empty)).toEqual([]);
      await rm(join(mounted, 'filler'));
    });

    it('has no space in the volumes that are finished and stay', async () => {
      const set = (host: string): string[] => [
        ...packing(host, mounted),
        '--volume-size',
        '5MB',
        '--stop-after',
        '1',
      ];
      expect(await bundle(set(release.source.host))).toMatchObject({ status: 30 });
      const filler = join(mounted, 'filler');
      fill(filler);
      await truncate(filler, (await stat(filler)).size - 1024 * 1024);
      const refused = await bundle(set(release.source.host));
      expect(refused.status).toBe(26);
      expect(JSON.parse(refused.stdout)).toMatchObject({
        error: {
          code: 'DISK',
          expected: expect.stringMatching(/^5\.00 MB, [0-9]+ bytes to write$/) as string,
        },
      });
      expect((await readdir(mounted)).filter((name) => /\.\d{3}/.test(name))).toEqual([
        `${NAME}.001`,
      ]);
      await rm(filler);
      expect(await bundle(set(release.source.host))).toMatchObject({ status: 30 });
      for (const name of ['001', '002']) await rm(join(mounted, `${NAME}.${name}`));
    });

    it('that is mounted read-only is read from like any other, and not written to', async () => {
      const target = await startRegistry();
      await cp(file, join(mounted, NAME));
      expect(spawnSync('mount', ['-o', 'remount,ro', mounted]).status).toBe(0);
      expect(await bundle(['verify', mounted, ...release.trust])).toMatchObject({ status: 0 });
      expect(await bundle(unpacking(target.host, mounted))).toMatchObject({ status: 0 });
      expect(await bundle(packing(release.source.host, mounted))).toMatchObject({ status: 26 });
      await target.stop();
    });
  });

  it('that allows no file so large is named with the file, and no image is blamed', async () => {
    const output = join(folder, 'limited');
    const limited = ['sh', '-c', 'ulimit -f 1000 && exec "$@"', 'sh', process.execPath];
    const args = packing(release.source.host, output);
    const { status, stdout } = await (await startBundle(args, { folder }, limited)).ended;
    expect(status).toBe(26);
    const { error } = JSON.parse(stdout) as { error: Record<string, unknown> };
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^cannot write .*\.partial: the file would be larger than is allowed there \(EFBIG\)$/,
      ) as string,
      hint: expect.stringContaining('ulimit -f') as string,
    });
    expect(error).not.toHaveProperty('subject');
  });

  describeWith(['gcc'], 'with a bad sector', () => {
    let shim: string;
    beforeAll(() => {
      shim = join(folder, 'eio.so');
      const source = projectPath('test/support/eio.c');
      expect(spawnSync('gcc', ['-shared', '-fPIC', '-o', shim, source, '-ldl']).status).toBe(0);
    });

    it('that never answers is left at a signal', async () => {
      const env = { LD_PRELOAD: shim, EIO_PATH: file, EIO_OFFSET: '1000', EIO_STALLS: '1' };
      const { child, ended, told } = await startBundle(['verify', file], { folder, env });
      try {
        await told(/stalled/);
        child.kill('SIGTERM');
        const { status, signal, stderr } = await ended;
        expect({ status, signal }).toEqual({ status: null, signal: 'SIGTERM' });
        expect(stderr).toContain('interrupted by SIGTERM');
      } finally {
        child.kill('SIGKILL');
      }
    });

    it('is named with file, byte and images, is no end of the audit, and lets no release be tagged', async () => {
      const bytes = await readFile(file);
      const [at, further] = [Math.floor(bytes.length * 0.7), Math.floor(bytes.length * 0.95)];
      const env = { LD_PRELOAD: shim, EIO_PATH: file, EIO_OFFSET: String(at) };
      const verified = await bundle(['verify', file, ...release.trust, '--output', 'json'], env);
      expect(verified.status).toBe(26);
      const { error } = JSON.parse(verified.stdout) as {
        error: { code: string; details: { label: string; items: string[] }[] };
      };
      expect(error).toMatchObject({
        code: 'DISK',
        details: [
          { label: 'faults' },
          {
            label: 'images',
            items: expect.arrayContaining([
              expect.stringContaining('4.17.3-x86_64') as string,
            ]) as string[],
          },
        ],
      });
      const fault = error.details[0]!.items.join();
      const named = Number(/ at byte ([0-9]+)/.exec(fault)?.[1]);
      expect(fault.includes(file) && named <= at && at < named + 1024 * 1024).toBe(true);

      const bad = join(folder, 'bad', NAME);
      const map = join(folder, 'damage.json');
      bytes[further]! ^= 1;
      await mkdir(join(folder, 'bad'));
      await writeFile(bad, bytes);
      expect(
        await bundle(['verify', bad, ...release.trust, '--damage', map], { ...env, EIO_PATH: bad }),
      ).toMatchObject({ status: 20 });
      const { faults } = JSON.parse(await readFile(map, 'utf8')) as {
        faults: {
          start: number;
          end: number;
          images: { name: string; parts: string[] }[];
        }[];
      };
      expect(
        faults.map(({ start, end, images }) => [
          start <= at && at < end,
          start <= further && further < end,
          images.length > 0 && images.every(({ parts }) => parts.join() === '4.17.3 for x86_64'),
        ]),
      ).toEqual([
        [true, false, true],
        [false, true, true],
      ]);

      const target = await startRegistry();
      expect((await bundle(unpacking(target.host, file), env)).status).toBe(26);
      expect((await fetch(`${target.url}/v2/${TAG}`)).status).toBe(404);
      await target.stop();
    });
  });

  describeWith(['strace'], 'that refuses', () => {
    it.each([
      ['EDQUOT', 'the disk quota of this user is used up (EDQUOT)'],
      ['ESTALE', 'the file server does not know it any more (ESTALE)'],
      ['EIO', 'the medium reports an error (EIO)'],
    ])('says so in words: %s', async (code, words) => {
      const program = [
        ...['strace', '-f', '-qq', '-o', '/dev/null', '-P', file],
        ...['-e', 'trace=openat', '-e', `inject=openat:error=${code}`, process.execPath],
      ];
      const { ended } = await startBundle(['verify', file], { folder }, program);
      const { status, stderr } = await ended;
      expect(status).toBe(26);
      expect(stderr).toContain(`bundle: cannot open ${file}: ${words}\n  next: `);
    });
  });

  describeWith(['strace'], 'that may lose power', () => {
    it('has every byte of a bundle, and then its folder entry, before anybody sees the final name', async () => {
      const log = join(folder, 'calls');
      const output = join(folder, 'synced');
      const program = [
        'strace',
        '-f',
        '-y',
        '-o',
        log,
        '-e',
        'trace=fsync,fdatasync,rename,renameat,renameat2',
        process.execPath,
      ];
      const { ended } = await startBundle(
        packing(release.source.host, output),
        { folder },
        program,
      );
      expect(await ended).toMatchObject({ status: 0 });
      const calls = (await readFile(log, 'utf8'))
        .split('\n')
        .filter((line) => line.includes(output));
      const place = (pattern: RegExp): number => calls.findIndex((line) => pattern.test(line));
      const renamed = place(new RegExp(`rename.*${NAME}\\.partial.*${NAME}"`));
      const synced = place(new RegExp(`fsync\\(.*${NAME}\\.partial>`));
      expect(synced).toBeGreaterThanOrEqual(0);
      expect(renamed).toBeGreaterThan(synced);
      expect(
        calls.slice(renamed).some((line) => new RegExp(`fsync\\([0-9]+<${output}>`).test(line)),
      ).toBe(true);
    });
  });
});

/** Takes all the room that a file system has left. */
function fill(path: string): void {
  for (const size of [1024 * 1024, 4096]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC') throw error;
    }
  }
}
