import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

import { certificatesIn, trustFiles } from '../../../../src/delivering/resources/trust.ts';
import { violations } from '../../../support/crds.ts';
import { describeWith } from '../../../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../../../support/private-ca.ts';
import { temporaryFolder } from '../../../support/user.ts';

describeWith(['openssl'], 'the CA of a registry', () => {
  let ca: PrivateCa;
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    ca = await makePrivateCa();
    temporary = await temporaryFolder('trust');
  });
  afterAll(async () => {
    await ca.remove();
    await temporary.remove();
  });

  it('is taken out of files once, and nothing else of them: no key, no text', async () => {
    const file = join(temporary.path, 'ca.pem');
    const key = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
    await writeFile(file, `A note\n${ca.pem}${key}${ca.pem}`);
    const certificates = await certificatesIn([file, file]);
    expect(certificates).toHaveLength(1);
    expect(certificates[0]).toMatch(
      /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/,
    );
  });

  it('is refused where a file holds none', async () => {
    const file = join(temporary.path, 'none.pem');
    await writeFile(file, 'not a certificate\n');
    await expect(certificatesIn([file])).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it.each([
    ['r.example.com:5000', 'r.example.com..5000'],
    ['r.example.com', 'r.example.com'],
    ['[2001:db8::1]:5000', '[2001:db8::1]..5000'],
  ])('is under the name of %s, and under that of the update service', (registry, key) => {
    const { configMap, patch } = trustFiles(registry, [ca.pem]);
    const [object] = configMap.objects;
    expect(object!['data']).toEqual({ [key]: ca.pem, 'updateservice-registry': ca.pem });
    expect(object!.metadata.namespace).toBe('openshift-config');
    expect(parse(String(configMap.text))).toEqual(object);
    const [image] = patch.objects;
    expect(image).toMatchObject({
      metadata: { name: 'cluster' },
      spec: { additionalTrustedCA: { name: object!.metadata.name } },
    });
    expect(violations(image!)).toEqual([]);
  });

  it('has another config map for each registry', () => {
    const names = ['r.io', 'r.io:5000', 'r-io'].map(
      (registry) => trustFiles(registry, [ca.pem]).configMap.name,
    );
    expect(new Set(names).size).toBe(3);
  });
});
