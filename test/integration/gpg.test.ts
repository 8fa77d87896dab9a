import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { releaseStatement } from '../../scripts/lib/release-signer.ts';
import { digestOf } from '../../src/core/digest.ts';
import { readReleaseKeys, type ReleaseKeys } from '../../src/trust/release-keys.ts';
import {
  type ReleaseSignature,
  verifyReleaseSignature,
} from '../../src/trust/release-signature.ts';
import { describeWith } from '../support/needs.ts';
import { keyFile, OCP_4_15, RHEL_7 } from '../support/release-signatures.ts';

const digest = digestOf('a release');
const reference = 'quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64';
const statement = releaseStatement(digest, reference);

describeWith(['gpg', 'gpgconf'], 'release signatures made by GnuPG', () => {
  let home: string;
  let keys: ReleaseKeys;

  const gpg = (args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Buffer =>
    execFileSync(
      'gpg',
      [
        '--homedir',
        home,
        '--batch',
        '--quiet',
        '--no-tty',
        '--pinentry-mode',
        'loopback',
        '--passphrase',
        '',
        ...args,
      ],
      {
        input,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
  const signed = (args: readonly string[], content = statement): Buffer =>
    gpg([...args, '--sign'], content);
  const verified = (message: Uint8Array, now = new Date()): Promise<ReleaseSignature> =>
    verifyReleaseSignature(message, digest, keys, now);

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'bundle-gpg-'));
    gpg(['--quick-generate-key', 'Elliptic <e@example.com>', 'ed25519', 'sign', 'never']);
    gpg(['--quick-generate-key', 'Rivest <r@example.com>', 'rsa2048', 'cert', 'never']);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(
      gpg(['--with-colons', '--list-keys', 'r@example.com']).toString(),
    )![1]!;
    gpg(['--quick-add-key', fingerprint, 'rsa3072', 'sign', 'never']);
    keys = await readReleaseKeys([
      { name: 'armored', content: gpg(['--armor', '--export', 'e@example.com']) },
      { name: 'binary', content: gpg(['--export', 'r@example.com']) },
    ]);
  });

  afterAll(() => {
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
    rmSync(home, { recursive: true, force: true });
  });

  it.each([
    ['Ed25519', ['-u', 'e@example.com']],
    ['an RSA subkey', ['-u', 'r@example.com']],
    ['SHA-512', ['-u', 'r@example.com', '--digest-algo', 'SHA512']],
    ['SHA-384', ['-u', 'e@example.com', '--digest-algo', 'SHA384']],
    ['no compression', ['-u', 'e@example.com', '--compress-algo', 'none']],
    ['ZIP', ['-u', 'e@example.com', '--compress-algo', 'zip']],
    ['ZLIB', ['-u', 'e@example.com', '--compress-algo', 'zlib']],
    ['an expiry to come', ['-u', 'e@example.com', '--default-sig-expire', '1d']],
  ])('are good: %s', async (_, args) => {
    const owner = args.includes('r@example.com')
      ? 'Rivest <r@example.com>'
      : 'Elliptic <e@example.com>';
    await expect(verified(signed(args))).resolves.toMatchObject({
      keyName: owner,
      dockerReference: reference,
    });
  });

  it.each([
    ['Ed25519', 'e@example.com'],
    ['RSA', 'r@example.com'],
  ])('are good as text with line ends of any kind: %s', async (_, user) => {
    const lines = Buffer.from(
      JSON.stringify(JSON.parse(Buffer.from(statement).toString()), null, 2),
    );
    await expect(verified(signed(['-u', user, '--textmode'], lines))).resolves.toMatchObject({
      dockerReference: reference,
    });
  });

  it.each([
    ['bzip2', ['-u', 'e@example.com', '--compress-algo', 'bzip2', '--sign']],
    ['SHA-1', ['-u', 'r@example.com', '--digest-algo', 'SHA1', '--sign']],
    ['armor', ['-u', 'e@example.com', '--armor', '--sign']],
    ['a detached signature', ['-u', 'e@example.com', '--detach-sign']],
    ['a clear text signature', ['-u', 'e@example.com', '--clear-sign']],
    ['two signatures', ['-u', 'e@example.com', '-u', 'r@example.com', '--sign']],
  ])('are refused: %s', async (_, args) => {
    await expect(verified(gpg(args, statement))).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('are refused when they have expired', async () => {
    const message = signed(['-u', 'e@example.com', '--default-sig-expire', '2d']);
    const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);
    await expect(verified(message, days(1))).resolves.toMatchObject({ dockerReference: reference });
    await expect(verified(message, days(3))).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('that are real are good for GnuPG too, which reads the packets its own way', () => {
    gpg(['--import'], keyFile('verifier-public-key-redhat-release').content);
    for (const { message, digest: named } of [OCP_4_15, RHEL_7]) {
      expect(gpg(['--decrypt', '--trust-model', 'always'], message).toString()).toContain(named);
    }
  });
});
