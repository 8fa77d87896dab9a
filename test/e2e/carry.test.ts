import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Carried, carry } from '../../scripts/lib/carry.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { digestOf } from '../../src/core/digest.ts';
import { VERSION } from '../../src/core/version.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';

const MINUTES = 60_000;

describe('the program with its own Node', () => {
  let folder: string;
  let carried: Carried;
  let made: MadeRelease;
  let launcher: string;
  const run = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(
      '/usr/bin/env',
      ['-i', `HOME=${join(folder, 'home')}`, ...args],
      { cwd: folder },
    );
    return stdout;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-carry-test-'));
    await mkdir(join(folder, 'home'));
    carried = await carry(join(folder, 'made'));
    await promisify(execFile)('tar', ['-xzf', carried.archive, '-C', folder]);
    launcher = join(folder, basename(carried.archive, '.tar.gz'), 'bundle');
    made = await makeRelease({ out: join(folder, 'release'), components: 3, scale: 0.0001 });
  }, 3 * MINUTES);
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  it('has its checksum beside it, as sha256sum checks it', async () => {
    const digest = digestOf(await readFile(carried.archive)).slice('sha256:'.length);
    expect(await readFile(`${carried.archive}.sha256`, 'utf8')).toBe(
      `${digest}  ${basename(carried.archive)}\n`,
    );
  });

  it('says which glibc it needs', () => {
    expect(carried.needs['glibc']).toMatch(/^2\.[0-9]+$/);
  });

  it('starts with an empty environment, by any name and through links', async () => {
    const links = join(folder, 'links');
    await mkdir(links);
    await symlink(launcher, join(links, 'direct'));
    await symlink('direct', join(links, 'relative'));
    await symlink(dirname(launcher), join(links, 'folder with a space'));
    for (const path of [
      launcher,
      `./${basename(dirname(launcher))}/bundle`,
      join(links, 'relative'),
      join(links, 'folder with a space/bundle'),
    ]) {
      expect(await run(path, '--version')).toBe(`${VERSION}\n`);
    }
    const bare = await promisify(execFile)('/usr/bin/env', ['-i', launcher, '--version'], {
      cwd: '/',
    });
    expect(bare.stdout).toBe(`${VERSION}\n`);
  });

  it('packs, verifies and unpacks with an empty environment', async () => {
    const [bundle, target] = [join(folder, 'medium'), join(folder, 'target')];
    await mkdir(bundle);
    const trust = ['--release-key', made.releaseKey];
    await run(
      launcher,
      'pack',
      made.version,
      '--from',
      `oci:${made.layout!}`,
      '--signature-store',
      made.signatureStore,
      ...trust,
      '-o',
      bundle,
    );
    const report = JSON.parse(
      await run(launcher, 'verify', bundle, ...trust, '--output', 'json'),
    ) as object;
    expect(JSON.stringify(report)).toContain(made.release.digest);
    await run(launcher, 'unpack', bundle, '--to', `oci:${target}`, ...trust);
    const layout = await ImageLayout.open(target);
    for (const { digest, mediaType, size } of [made.release, ...made.components]) {
      expect(await layout.exists({ digest, mediaType, size })).toBe(true);
    }
  });
});
