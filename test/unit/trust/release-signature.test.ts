import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeReleaseSigner } from '../../../scripts/lib/release-signer.ts';
import { digestFromHex, digestOf } from '../../../src/core/digest.ts';
import { PINNED_RELEASE_KEYS } from '../../../src/trust/pinned-release-keys.ts';
import { type ReleaseKeys, readReleaseKeys } from '../../../src/trust/release-keys.ts';
import { verifyReleaseSignature, verifyReleaseSignatures } from '../../../src/trust/release-signature.ts';

const fixtures = new URL('../../../fixtures/release-signatures/', import.meta.url);
const names = readdirSync(fixtures).filter((n) => n.includes('_sha256-'));
const now = new Date('2026-06-01T00:00:00Z');
describe('x', () => {
  let keys: ReleaseKeys;
  beforeAll(async () => { keys = await readReleaseKeys([...PINNED_RELEASE_KEYS, {name:'ci', content: readFileSync(new URL('keys/verifier-public-key-openshift-ci', fixtures))}]); });
  it.each(names)('%s', async (n) => {
    const d = digestFromHex(/sha256-([0-9a-f]{64})/.exec(n)![1]!);
    try { console.log(await verifyReleaseSignature(readFileSync(new URL(n, fixtures)), d, keys, now)); } catch (e) { console.log(e); }
  });
  it.each(['rsa','ed25519'] as const)('%s', async (type) => {
    const s = await makeReleaseSigner({type});
    const k = await readReleaseKeys([{name:'t', content: Buffer.from(s.publicKeyArmored)}]);
    const m = await s.sign(digestOf('x'), 'a/b:c');
    console.log(await verifyReleaseSignature(m, digestOf('x'), k, new Date()));
  });
  it('bug', async () => {
    await readReleaseKeys([{name:'ci', content: readFileSync(new URL('keys/ocmirror-buggy-ocp-sig-key.asc', fixtures))}]).catch(e => console.log(e));
  });
});
