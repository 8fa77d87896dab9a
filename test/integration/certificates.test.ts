import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemCertificates } from '../../src/stores/registry/http/certificates.ts';
import { describeWith } from '../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';

describeWith(['openssl'], 'systemCertificates', () => {
  let folder: string;
  let first: PrivateCa;
  let second: PrivateCa;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-certificates-'));
    [first, second] = await Promise.all([makePrivateCa(), makePrivateCa()]);
  });
  afterAll(async () => {
    await Promise.all([first.remove(), second.remove(), rm(folder, { recursive: true })]);
  });
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };

  it('adds to what Node trusts, and takes each once', async () => {
    const both = await file('both.pem', `# a comment\n${first.pem}\r\n${second.pem}`);
    const trusted = await systemCertificates({ SSL_CERT_FILE: first.caFile }, [
      both,
      second.caFile,
    ]);
    expect(trusted).toEqual(
      expect.arrayContaining([...rootCertificates, first.pem.trim(), second.pem.trim()]),
    );
    expect(new Set(trusted).size).toBe(trusted.length);
  });

  it('takes none again that Node has, with its lines broken elsewhere', async () => {
    const [known] = rootCertificates;
    const body = known!.replace(/-----[A-Z ]+-----|\s/g, '');
    const rewrapped = `-----BEGIN CERTIFICATE-----\n${body.replace(/.{48}/g, '$&\r\n')}\n-----END CERTIFICATE-----\n`;
    expect(rewrapped).not.toContain(known!.split('\n')[1]);
    const path = await file('rewrapped.pem', `${rewrapped}${first.pem}`);
    const trusted = await systemCertificates({ SSL_CERT_FILE: path }, []);
    expect(trusted).toEqual([...rootCertificates, first.pem.trim()]);
    const broken = await file('first.pem', first.pem.replaceAll('\n', '\r\n'));
    expect(await systemCertificates({ SSL_CERT_FILE: path }, [broken])).toHaveLength(
      trusted.length,
    );
  });

  it('goes on without a file that $SSL_CERT_FILE names and that is not there', async () => {
    const trusted = await systemCertificates({ SSL_CERT_FILE: join(folder, 'absent') }, []);
    expect(trusted.length).toBeGreaterThanOrEqual(rootCertificates.length);
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['broken', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ])('refuses a CA file that is %s', async (name, text) => {
    const path = text === undefined ? join(folder, name) : await file(name, text);
    await expect(systemCertificates({}, [path])).rejects.toMatchObject({
      code: text === undefined ? 'NOT_FOUND' : 'CONFIGURATION',
      subject: path,
    });
  });
});
