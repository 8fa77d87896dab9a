import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { madeReleasePart } from '../../scripts/lib/made-release-part.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { SealedBundle } from '../../src/bundle/reading/sealed.ts';
import { encodeSignatureFile } from '../../src/bundle/format/signature-file.ts';
import { countersignaturePath } from '../../src/opening/signers.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { readAll } from '../../src/core/bytes.ts';
import type { Context } from '../../src/core/context.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Digest } from '../../src/core/digest.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import type { PackRequest } from '../../src/workflows/pack/request.ts';
import { sign } from '../../src/workflows/sign.ts';
import { unpack, type UnpackRequest } from '../../src/workflows/unpack.ts';
import { verify } from '../../src/workflows/verify.ts';
import { contextIn } from '../support/context.ts';
import { partsOf, writeCrafted } from '../support/crafted-bundle.ts';
import { listingOf, openedBundle } from '../support/opened-bundle.ts';

describe('a packer whom nobody knows', () => {
  const key = SigningKey.generate('ed25519');
  let folder: string;
  let made: MadeRelease;
  let genuine: string;
  let swapped: string;
  /** The tag of a signature, and a byte of its statement in the bundle. */
  let statementTag: string;
  let statementAt: number;
  let statement: Digest;

  const newUser = async (): Promise<Context> => contextIn(await mkdtemp(join(folder, 'user-')));

  const releaseKeys = (): { releaseKeyFiles: readonly string[] } => ({
    releaseKeyFiles: [made.releaseKey],
  });

  const packInto = async (
    output: string,
    other: Pick<PackRequest, 'volumeSize' | 'baselines'> = {},
  ): Promise<string> => {
    const { path } = await pack(
      {
        parts: [madeReleasePart(made)],
        referrers: false,
        output: join(folder, output),
        key: { keyFile: join(folder, 'packer.pem'), passphrase: async () => undefined },
        network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
        ...other,
        restart: false,
        dryRun: false,
      },
      await newUser(),
    );
    return path;
  };

  /** Makes the bundle with another image under the tag of a signature, which is then restored. */
  const pushSwapped = async (): Promise<void> => {
    const layout = await ImageLayout.open(made.layout!);
    const genuineImage = await layout.resolve(statementTag);
    await layout.tag(await layout.resolve('4.17.3-x86_64'), statementTag);
    swapped = await packInto('swapped');
    await layout.tag(genuineImage, statementTag);
  };

  const open = async (
    paths: string | readonly string[],
    trustedKeyFiles: readonly string[],
    user?: Context,
  ): Promise<string> => {
    const { standing } = await openedBundle(
      { paths: [paths].flat(), kinds: KINDS, trustedKeyFiles, releaseKeyFiles: [made.releaseKey] },
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
    statementTag = tag;
    const manifest = await layout.resolve(tag);
    const parsed = parseManifest(await readAll(layout.fetch(manifest), manifest.size, tag));
    if (parsed.kind === 'index') throw new Error('a signature image is no index');
    const reader = await (await SealedBundle.open(genuine)).unseal();
    statement = parsed.layers[0]!.digest;
    const [place] = reader.placesOf(statement);
    statementAt = place!.end - 500;
    await reader.close();
    await pushSwapped();
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is accepted for what the release proves, and for signatures that speak of it', async () => {
    expect(await open(genuine, [])).toBe('unknown');
  });

  it('is refused for anything else that they put beside it', async () => {
    await expect(open(swapped, [])).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
  });

  it('is no reason to leave the rest unchecked where a signature is damaged or missing', async () => {
    const cut = await packInto('cut');
    const { length } = await readFile(cut);
    await truncate(cut, length - 100_000);
    const flipped = await packInto('flipped');
    const bytes = await readFile(flipped);
    bytes[statementAt]! ^= 1;
    await writeFile(flipped, bytes);
    const volumes = await packInto('volumes', { volumeSize: Math.ceil(length / 3) });
    await rm(`${volumes}.003`);
    for (const [path, code, message] of [
      [cut, 'BUNDLE_UNUSABLE', `${cut} ends at byte ${length - 100_000} of ${length}; `],
      [flipped, 'CONTENT_MISMATCH', 'has a wrong digest'],
      [`${volumes}.001`, 'BUNDLE_UNUSABLE', 'volume 3 is missing'],
    ] as const) {
      const events: TransferEvent[] = [];
      const request = { paths: [path], kinds: KINDS, trustedKeyFiles: [], ...releaseKeys() };
      const context = {
        ...(await newUser()),
        observe: (event: TransferEvent) => events.push(event),
      };
      const failure: unknown = await verify(request, context).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code,
        details: [{ items: [expect.stringContaining(message) as string] }, { label: 'images' }],
      });
      const faults = events.filter((event) => 'code' in event && event.code === 'fault-found');
      expect(faults).toHaveLength(1);
      expect(events.at(-1)).toMatchObject({ code: 'audit-failed', faults: 1 });
    }
  });

  it('says so where a release key cannot be read, which is no damage', async () => {
    const events: TransferEvent[] = [];
    const request = { paths: [genuine], kinds: KINDS, trustedKeyFiles: [] };
    const context = { ...(await newUser()), observe: (event: TransferEvent) => events.push(event) };
    await expect(verify({ ...request, releaseKeyFiles: [folder] }, context)).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(folder) as string,
    });
    expect(events).toEqual([]);
  });

  it('is accepted for an increment, which has the signatures that others have, too', async () => {
    const request = { trustedKeyFiles: [join(folder, 'packer.pub')], ...releaseKeys() };
    const baselines = {
      ...{ baselines: [], sinceLast: [], sites: [], assumed: [genuine], history: undefined },
      open: { kinds: KINDS, ...request },
    };
    const increment = await packInto('increment', { baselines });
    const { requires = [] } = await listingOf(increment);
    expect(requires.flatMap(({ blobs }) => blobs).length).toBeGreaterThan(3);
    expect(await open(increment, [])).toBe('unknown');
  });

  it('is refused where a signature is left out that nobody can check then', async () => {
    const { contents, blobs } = await partsOf(genuine);
    const { bundleDigest, name } = await openedBundle(
      { paths: [genuine], kinds: KINDS, trustedKeyFiles: [], ...releaseKeys() },
      await newUser(),
    ).then(({ digest, reader }) => ({ bundleDigest: digest, name: reader.manifest.name }));
    const isLeft = ({ descriptor: { digest } }: { descriptor: Descriptor }): boolean =>
      digest === statement;
    const [{ size }] = contents.blobs.filter(isLeft).map(({ descriptor }) => descriptor) as [
      Descriptor,
    ];
    const leaving = {
      ...contents,
      requires: [{ bundle: bundleDigest, name, blobs: [{ digest: statement, size }] }],
      blobs: contents.blobs.filter((blob) => !isLeft(blob)),
    };
    await mkdir(join(folder, 'leaving'));
    const path = await writeCrafted(join(folder, 'leaving'), { contents: leaving, blobs, key });
    await expect(open(path, [])).rejects.toMatchObject({
      code: 'SIGNER_UNKNOWN',
      message: expect.stringContaining(statement) as string,
    });
    expect(await open([path, genuine], [])).toBe('unknown');
    expect(await open(path, [join(folder, 'packer.pub')])).toBe('trusted');
    const request = { kinds: KINDS, trustedKeyFiles: [], ...releaseKeys() };
    const piped = { ...request, paths: [], input: createReadStream(path) };
    await expect(verify(piped, await newUser())).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
  });

  it('is given nothing out that was not checked: a signature that cannot be read is left out', async () => {
    const flipped = await packInto('left-out');
    const bytes = await readFile(flipped);
    bytes[statementAt]! ^= 1;
    await writeFile(flipped, bytes);
    const to = join(folder, 'target');
    const request = (partial: boolean): UnpackRequest => ({
      bundle: { paths: [flipped], kinds: KINDS, trustedKeyFiles: [], ...releaseKeys() },
      delivery: {
        to: { kind: 'layout', folder: to, name: `oci:${to}` },
        ...{ replaceTags: false, resources: { folder: join(folder, 'resources') }, dryRun: false },
      },
      network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
      select: [],
      partial,
    });
    await expect(unpack(request(false), await newUser())).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      hint: expect.stringContaining('--partial') as string,
    });
    const { delivery } = await unpack(request(true), await newUser());
    expect(delivery.copied?.left).toContain(statementTag);
    expect(await (await ImageLayout.open(to)).tags()).not.toContain(statementTag);
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
    const { uncheckedSignatures } = await openedBundle(
      {
        ...{ paths: [genuine], kinds: KINDS, ...releaseKeys() },
        trustedKeyFiles: [join(folder, 'packer.pub')],
      },
      await newUser(),
    );
    const path = countersignaturePath(genuine, other.public);
    expect(uncheckedSignatures).toEqual([{ path, shortId: other.public.shortId }]);
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
