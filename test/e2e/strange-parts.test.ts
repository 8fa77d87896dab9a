import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import type { BundleContents } from '../../src/bundle/format/plan.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { type Ingredients, partsOf, writeCrafted } from '../support/crafted-bundle.ts';
import { temporaryFolder, User } from '../support/user.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';

/** What a stranger with a key can write, though `pack` never does. */
describe('a bundle with strange parts', () => {
  const key = SigningKey.generate('ed25519');
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let made: MadeRelease;
  let genuine: Omit<Ingredients, 'key'>;

  beforeAll(async () => {
    temporary = await temporaryFolder('strange-parts');
    user = await User.new(temporary.path);
    const out = join(temporary.path, 'release');
    made = await makeRelease({ out, components: 2, scale: 0.0001 });
    const medium = join(temporary.path, 'medium');
    const from = ['--from', `oci:${made.layout!}`, '--signature-store', made.signatureStore];
    const pack = ['pack', '4.17.3', ...from, '--release-key', made.releaseKey, '-o', medium];
    expect(await user.bundle(pack)).toMatchObject({ status: 0 });
    genuine = await partsOf(join(medium, NAME));
  });
  afterAll(() => temporary.remove());

  const verify = async (
    name: string,
    contents: BundleContents,
  ): Promise<{ status: number | null; stdout: string }> => {
    const folder = join(temporary.path, name);
    await mkdir(folder);
    const path = await writeCrafted(folder, { ...genuine, contents, key }, undefined, NAME);
    const stranger = await User.new(join(temporary.path, `${name}-reader`));
    const args = ['verify', path, '--release-key', made.releaseKey, '--output', 'json'];
    return stranger.bundle(args);
  };

  it('is good with the parts that it has (so that the next tests mean something)', async () => {
    expect(await verify('as-it-is', genuine.contents)).toMatchObject({ status: 0 });
  });

  it('is none without a part: 22', async () => {
    const nothing = { images: [], files: [], manifests: [], blobs: [] };
    const { name } = genuine.contents;
    const { status, stdout } = await verify('empty', { name, parts: [], ...nothing });
    expect(status).toBe(22);
    expect(stdout).toContain('no parts');
  });

  it('is refused with one part twice: 20', async () => {
    const { parts, images } = genuine.contents;
    const { status, stdout } = await verify('twice', {
      ...genuine.contents,
      parts: [...parts, ...parts],
      images: images.map((image) => ({ ...image, parts: [0, 1] })),
    });
    expect(status).toBe(20);
    expect(stdout).toContain('twice');
  });

  it('is refused with a time that no tar header holds: 20', async () => {
    const { parts } = genuine.contents;
    const { status } = await verify('late', {
      ...genuine.contents,
      parts: parts.map(({ kind, claim }) => ({
        kind,
        claim: { ...claim, created: '9999-12-31T23:59:59Z' },
      })),
    });
    expect(status).toBe(20);
  });
});
