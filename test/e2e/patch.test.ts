import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { shellWord } from '../../src/core/text.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { type Ended, runBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { type PackableRelease, packableRelease } from '../support/packable-release.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';

/** Each test goes on from where the one before it ended. */
describeWith(['docker-registry'], 'what a pack says is to be done with its medium', () => {
  let release: PackableRelease;
  /** As a medium may well be called. */
  let medium: string;
  let packed: Ended;
  const bundle = (args: readonly string[]): Promise<Ended> =>
    runBundle(args, { folder: release.folder });
  /**
   * The indented line of a result that has this in it, as somebody copies it, run by a shell. What
   * the result does not say of keys nobody adds.
   */
  const followed = async ({ stdout }: Pick<Ended, 'stdout'>, what: string) => {
    const line = stdout
      .split('\n')
      .find((text) => text.startsWith('  ') && text.includes(what))!
      .trim();
    const program = `bundle() { "${process.execPath}" "${projectPath('dist/bin.js')}" "$@"; }`;
    const env = { HOME: join(release.folder, 'home') };
    return execa('sh', ['-c', `${program}\n${line}`], { env, reject: false });
  };
  const follow = async (ended: Ended, what: string): Promise<number | undefined> =>
    (await followed(ended, what)).exitCode;
  const damage = async (path: string): Promise<void> => {
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    await writeFile(path, bytes);
  };

  beforeAll(async () => {
    release = await packableRelease('patch', { components: 3, scale: 0.0005 });
    medium = join(release.folder, "the packer's medium");
    packed = await bundle([...release.packing(), '-o', medium]);
    expect(packed.status).toBe(0);
  });
  afterAll(() => release.remove());

  it('finds a bundle whole, and damaged where it is', async () => {
    expect(await follow(packed, 'bundle verify')).toBe(0);
    await damage(join(medium, NAME));
    expect(await follow(packed, 'bundle verify')).toBe(20);
  });

  it('finds one volume whole, and damaged where it is, while others are elsewhere', async () => {
    const part = await bundle([
      ...release.packing(),
      '-o',
      join(medium, 'first'),
      '--volume-size',
      '1M',
      '--stop-after',
      '1',
    ]);
    expect(part.status).toBe(30);
    expect(await follow(part, 'sha256sum')).toBe(0);
    await damage(join(medium, 'first', `${NAME}.001`));
    expect(await follow(part, 'sha256sum')).toBe(1);
  });

  it('finds a patch whole, and damaged where it is', async () => {
    const map = join(release.folder, 'damage.json');
    const found = await bundle(['verify', medium, ...release.trust, '--damage', map]);
    expect(found.status).toBe(20);
    expect(found.stderr).toContain(`what is damaged is listed in ${map}\n`);
    const patched = await bundle([
      ...release.packing(),
      '-o',
      join(medium, 'patch'),
      '--repair',
      map,
    ]);
    expect(patched.status).toBe(0);
    expect(await follow(patched, 'sha256sum')).toBe(0);
    expect(patched.stdout).toMatch(/^mends +1 config or layer \(/m);
    expect(patched.stdout).not.toMatch(/^images /m);
    const [, patch] = /^file +(.+) \(/m.exec(patched.stdout) ?? [];
    // Somebody who has the patch alone can compare it with its digest.
    const inspect = ['inspect', join(medium, 'patch', patch!), ...release.trust];
    const inspected = await bundle([...inspect, '--output', 'json']);
    expect(inspected.status).toBe(0);
    const report = JSON.parse(inspected.stdout) as {
      patch: { digest: string; repairs: string; labels: readonly string[] };
    };
    const grouped = (hex: string): string => hex.replace(/.{8}(?=.)/g, '$& ');
    expect(patched.stdout.replace(/\s+/g, ' ')).toContain(
      `patch digest ${grouped(report.patch.digest)}`,
    );
    expect(report.patch.labels).toEqual(['4.17.3 for x86_64']);
    const shown = (await bundle(inspect)).stdout.replace(/\s+/g, ' ');
    expect(shown).toContain(`patch digest ${grouped(report.patch.digest)}`);
    expect(shown).toContain(grouped(report.patch.repairs));
    expect(shown).toMatch(/^A patch, not a bundle: .* mends 1 config or layer /);
    const alone = await bundle(inspect);
    const untold = release.trust.filter(
      (word, index, all) => word !== '--release-key' && all[index - 1] !== '--release-key',
    );
    const inspecting = await bundle(['inspect', join(medium, 'patch', patch!), ...untold]);
    for (const [stdout, isSaid] of [
      [alone.stdout, untold.length === release.trust.length],
      [inspecting.stdout, true],
    ] as const)
      expect(stdout.includes('Add --release-key FILE to both')).toBe(isSaid);
    const whole = join(release.folder, 'whole');
    const stdout = alone.stdout
      .replaceAll(/ BUNDLE /g, ` ${shellWord(join(medium, NAME))} `)
      .replace('FOLDER', whole);
    const repaired = await followed({ stdout }, 'bundle repair');
    expect(repaired.exitCode).toBe(0);
    expect((await followed(repaired, 'bundle verify')).exitCode).toBe(0);
    expect(await readdir(whole)).toContain(NAME);
    const other = ['--bundle-digest', '0'.repeat(64)];
    expect((await bundle([...inspect, ...other])).status).toBe(21);
    await damage(join(medium, 'patch', patch!));
    expect(await follow(patched, 'sha256sum')).toBe(1);
  });
});
