import { armor, enums, generateKey, unarmor } from 'openpgp';
import { describe, expect, it } from 'vitest';
import { MAX_KEY_BYTES } from '../../../src/core/limits.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { PINNED_RELEASE_KEYS } from '../../../src/trust/pinned-release-keys.ts';
import { readReleaseKeys } from '../../../src/trust/release-keys.ts';
import { keyFile } from '../../support/release-signatures.ts';

const RELEASE = '567E347AD0044ADE55BA8A5F199E2F91FD431D51';
const BETA = 'B08B659EE86AF623BC90E8DB938A80CAF21541EB';
const CI = 'D04761B116203B0C0859B61628B76E05B923888E';
const CI_4 = '6A9588F07F2D3AE7973AD2A9193E53CCD2E2F7A4';

const release = keyFile('verifier-public-key-redhat-release').content;
const beta = keyFile('verifier-public-key-redhat-beta-2').content;

async function fingerprints(...contents: readonly Uint8Array[]): Promise<string[]> {
  const keys = await readReleaseKeys(
    contents.map((content, index) => ({ name: `file ${index}`, content })),
  );
  return keys.map(({ fingerprint }) => fingerprint);
}

async function binary(armored: Uint8Array): Promise<Buffer> {
  const data: unknown = (await unarmor(Buffer.from(armored).toString())).data;
  if (!(data instanceof Uint8Array)) throw new TypeError('no bytes');
  return Buffer.from(data);
}

const configuration = expect.objectContaining({ code: 'CONFIGURATION' }) as unknown as Error;

describe('readReleaseKeys', () => {
  it('has the Red Hat keys built in, as they are published', async () => {
    const keys = await readReleaseKeys(PINNED_RELEASE_KEYS);
    expect(keys.map(({ fingerprint, name }) => [fingerprint, name])).toEqual([
      [RELEASE, 'Red Hat, Inc. (release key 2) <security@redhat.com>'],
      [BETA, 'Red Hat, Inc. (beta key 2) <security@redhat.com>'],
    ]);
    expect(await binary(PINNED_RELEASE_KEYS[0]!.content)).toEqual(await binary(release));
    expect(await binary(PINNED_RELEASE_KEYS[1]!.content)).toEqual(await binary(beta));
  });

  it('reads keys that have expired: they are refused when they are used', async () => {
    const files = ['verifier-public-key-openshift-ci', 'verifier-public-key-openshift-ci-4'].map(
      keyFile,
    );
    expect((await readReleaseKeys(files)).map(({ fingerprint }) => fingerprint)).toEqual([
      CI,
      CI_4,
    ]);
  });

  it('reads several keys of one file, armored and binary', async () => {
    expect(await fingerprints(Buffer.concat([release, beta]))).toEqual([RELEASE, BETA]);
    expect(await fingerprints(Buffer.concat([await binary(release), await binary(beta)]))).toEqual([
      RELEASE,
      BETA,
    ]);
    const keyring = armor(
      enums.armor.publicKey,
      Buffer.concat([await binary(release), await binary(beta)]),
    );
    expect(await fingerprints(Buffer.from(keyring))).toEqual([RELEASE, BETA]);
  });

  it('reads armor with CR LF and text around it', async () => {
    const text = `Key of somebody\n\n${Buffer.from(release).toString()}\nthe end\n`;
    expect(await fingerprints(Buffer.from(text.replace(/\r?\n/g, '\r\n')))).toEqual([RELEASE]);
  });

  it('refuses the corrupt key', async () => {
    await expect(readReleaseKeys([keyFile('ocmirror-buggy-ocp-sig-key.asc')])).rejects.toThrow(
      configuration,
    );
  });

  it('refuses files without a whole public key', async () => {
    const { privateKey } = await generateKey({ type: 'ecc', userIDs: { name: 'Test' } });
    const text = Buffer.from(release).toString();
    const packets = await binary(release);
    const contents: readonly (string | Uint8Array)[] = [
      '',
      'no key',
      text.slice(0, -40),
      text.replace('-----BEGIN PGP PUBLIC KEY BLOCK-----', ''),
      `${text}\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQIN\n`,
      privateKey,
      `${text}\n${privateKey}`,
      packets.subarray(0, -1),
      packets.subarray(0, 600),
      Buffer.concat([packets, Buffer.alloc(1)]),
      Buffer.alloc(MAX_KEY_BYTES + 1, 0x99),
    ];
    for (const content of contents)
      await expect(fingerprints(release, Buffer.from(content))).rejects.toThrow(configuration);
  });

  it('refuses the key of a packer, and says once where it belongs', async () => {
    const { pem } = SigningKey.generate('ed25519').public;
    const error: unknown = await fingerprints(Buffer.from(pem)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      message: expect.stringMatching(/: it is a bundle key, which signs bundles$/) as string,
      hint: expect.stringMatching(
        /^Give it with --trusted-key, or to bundle trust add\. /,
      ) as string,
    });
  });

  it('never makes another key of a damaged one', async () => {
    const packets = await binary(release);
    for (let at = 0; at < packets.length; at += 1) {
      const damaged = Buffer.from(packets);
      damaged[at]! ^= 0x04;
      const found = await fingerprints(damaged).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'CONFIGURATION' });
        return [RELEASE];
      });
      expect(found).toEqual([RELEASE]);
    }
  });
});
