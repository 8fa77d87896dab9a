import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { madeReleasePart } from '../../scripts/lib/made-release-part.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { encodeSignatureFile } from '../../src/bundle/format/signature-file.ts';
import { countersignaturePath } from '../../src/opening/signers.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import type { Context } from '../../src/core/context.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { pack } from '../../src/workflows/pack.ts';
import { sign } from '../../src/workflows/sign.ts';
import { contextIn } from '../support/context.ts';
import { openedBundle } from '../support/opened-bundle.ts';

describe('a packer whom nobody knows', () => {
  const key = SigningKey.generate('ed25519');
  let folder: string;
  let made: MadeRelease;
  let genuine: string;
  let swapped: string;

  const newUser = async (): Promise<Context> => contextIn(await mkdtemp(join(folder, 'user-')));

  const packInto = async (output: string): Promise<string> => {
    const { path } = await pack(
      {
        parts: [madeReleasePart(made)],
        referrers: false,
        output: join(folder, output),
        key: { keyFile: join(folder, 'packer.pem'), passphrase: async () => undefined },
        network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
        restart: false,
        dryRun: false,
      },
      await newUser(),
    );
    return path;
  };

  const open = async (
    path: string,
    trustedKeyFiles: readonly string[],
    user?: Context,
  ): Promise<string> => {
    const { standing } = await openedBundle(
      { paths: [path], kinds: KINDS, trustedKeyFiles, releaseKeyFiles: [made.releaseKey] },
      user ?? (await newUser()),
    );
    return standing;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-first-use-'));
    await writeFile(join(folder, 'packer.pem'), key.pem());
    await writeFile(join(folder, 'packer.pub'), key.public.pem);
    made = await makeRelease({
      out: join(folder, 'release'),
      components: 3,
      scale: 0.0001,
      cosign: true,
    });
    genuine = await packInto('genuine');
    // What a packer can do who wants content of their own in the registry: another image under a
    // signature's tag.
    const layout = await ImageLayout.open(made.layout!);
    const tag = (await layout.tags()).find((name) => name.endsWith('.sig'))!;
    const release = await layout.resolve('4.17.3-x86_64');
    await layout.tag(release, tag);
    swapped = await packInto('swapped');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is accepted for what the release proves, and for signatures that speak of it', async () => {
    expect(await open(genuine, [])).toBe('unknown');
  });

  it('is refused for anything else that they put beside it', async () => {
    await expect(open(swapped, [])).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
  });

  it('is believed once they are trusted', async () => {
    expect(await open(swapped, [join(folder, 'packer.pub')])).toBe('trusted');
  });

  it('is not called trusted where somebody else is, who has signed the bundle too', async () => {
    const other = SigningKey.generate('ed25519');
    const [pem, pub] = [join(folder, 'other.pem'), join(folder, 'other.pub')];
    await writeFile(pem, other.pem());
    await writeFile(pub, other.public.pem);
    const passphrase = async (): Promise<undefined> => undefined;
    await sign(
      {
        paths: [genuine],
        key: { keyFile: pem, passphrase },
        trustedKeyFiles: [join(folder, 'packer.pub')],
      },
      await newUser(),
    );
    expect(await open(genuine, [pub])).toBe('countersigned');
    expect(await open(genuine, [pub, join(folder, 'packer.pub')])).toBe('trusted');
    const packer = await newUser();
    await mkdir(packer.configFolder, { recursive: true });
    await writeFile(join(packer.configFolder, 'signing-key.pub'), key.public.pem);
    expect(await open(genuine, [pub], packer)).toBe('own');
  });

  it('is told which file beside the bundle is no signature of it', async () => {
    const other = SigningKey.generate('ed25519');
    const pub = join(folder, 'third.pub');
    await writeFile(pub, other.public.pem);
    const path = countersignaturePath(genuine, other.public);
    const ofAnother = encodeSignatureFile(other.sign(Buffer.from('another bundle')));
    for (const content of [ofAnother, Buffer.from('no signature')]) {
      await writeFile(path, content);
      const failure = await open(genuine, [pub]).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'SIGNATURE_INVALID',
        message: expect.stringContaining(path) as string,
        hint: expect.stringContaining('move it away') as string,
      });
    }
    await rm(path);
  });
});
