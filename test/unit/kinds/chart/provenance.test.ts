import { createCleartextMessage, generateKey, sign } from 'openpgp';

import { beforeAll, describe, expect, it } from 'vitest';

import { digestOf } from '../../../../src/core/digest.ts';
import { checkProvenance } from '../../../../src/kinds/chart/provenance.ts';
import { readKeyring } from '../../../../src/trust/signed-text.ts';

const ARCHIVE = Buffer.from('the archive of a chart');
const FILE = 'web-1.2.3.tgz';

type Pair = Awaited<ReturnType<typeof keyPair>>;
const keyPair = (name: string) =>
  generateKey({ userIDs: [{ name }], type: 'ecc', format: 'object' });

/** What Helm signs: `Chart.yaml`, and the digests of files behind it. */
async function provenanceOf({ privateKey }: Pair, files: string): Promise<Uint8Array> {
  const text = `apiVersion: v2\nname: web\nversion: 1.2.3\n\n...\nfiles:\n  ${files}\n`;
  const message = await createCleartextMessage({ text });
  return Buffer.from(await sign({ message, signingKeys: privateKey }));
}

describe('a provenance file', () => {
  let publisher: Pair;
  let stranger: Pair;
  const good = `${FILE}: ${digestOf(ARCHIVE)}`;
  const check = async (pair: Pair, provenance: Uint8Array, archive = ARCHIVE): Promise<unknown> =>
    checkProvenance(
      { fileName: FILE, archive, provenance },
      await readKeyring(pair.publicKey.write(), 'the keyring'),
      new Date(),
    );

  beforeAll(async () => {
    publisher = await keyPair('Publisher');
    stranger = await keyPair('Stranger');
  });

  it('proves an archive where its key is in the keyring, binary or armored', async () => {
    const provenance = await provenanceOf(publisher, good);
    const expected = {
      signer: publisher.publicKey.getFingerprint().toUpperCase(),
      keyName: 'Publisher',
    };
    expect(await check(publisher, provenance)).toEqual(expected);
    const armored = await readKeyring(Buffer.from(publisher.publicKey.armor()), 'the keyring');
    const signed = { fileName: FILE, archive: ARCHIVE, provenance };
    expect(await checkProvenance(signed, armored, new Date())).toEqual(expected);
  });

  it('of somebody else is refused', async () => {
    await expect(check(stranger, await provenanceOf(publisher, good))).rejects.toMatchObject({
      code: 'SIGNER_UNKNOWN',
    });
  });

  it('that was changed is refused', async () => {
    const text = Buffer.from(await provenanceOf(publisher, good)).toString();
    for (const changed of [text.replace('1.2.3', '1.2.4'), text.replace(/^\w/gm, 'A'), 'no text'])
      await expect(check(publisher, Buffer.from(changed))).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
  });

  it('about other bytes, another name or another hash is refused', async () => {
    const other = Buffer.from('another archive');
    const provenance = await provenanceOf(publisher, good);
    await expect(check(publisher, provenance, other)).rejects.toMatchObject({
      ...{ code: 'CONTENT_MISMATCH', expected: digestOf(ARCHIVE), got: digestOf(other) },
    });
    for (const files of [`other.tgz: ${digestOf(ARCHIVE)}`, `${FILE}: sha1:${'0'.repeat(40)}`, ''])
      await expect(check(publisher, await provenanceOf(publisher, files))).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
  });

  it('is not checked with what is no keyring', async () => {
    for (const bytes of [Buffer.from('no key'), Buffer.alloc(0)])
      await expect(readKeyring(bytes, 'the keyring')).rejects.toMatchObject({
        code: 'CONFIGURATION',
      });
  });
});
