import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export interface PrivateCa {
  /** Files in PEM: the CA's certificate, and a server certificate for 127.0.0.1, ::1 and localhost with its key. */
  readonly caFile: string;
  readonly certificate: string;
  readonly key: string;
  /** The CA's certificate. */
  readonly pem: string;
  readonly remove: () => Promise<void>;
}

/** A CA that nobody trusts yet, and a server certificate of it; valid for two days. */
export async function makePrivateCa(names = 'IP:127.0.0.1,IP:::1,DNS:localhost'): Promise<PrivateCa> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-ca-'));
  const file = (name: string): string => join(folder, name);
  const openssl = async (...args: string[]): Promise<unknown> => run('openssl', args);
  await writeFile(file('extensions'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
  await openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=Test CA', '-keyout', file('ca.key'), '-out', file('ca.crt'));
  await openssl('req', ...NEW_KEY, '-subj', '/CN=Test server', '-keyout', file('server.key'), '-out', file('server.csr'));
  await openssl(
    ...['x509', '-req', '-days', '2', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
    ...['-CAcreateserial', '-extfile', file('extensions'), '-out', file('server.crt')],
  );
  return {
    caFile: file('ca.crt'),
    certificate: file('server.crt'),
    key: file('server.key'),
    pem: await readFile(file('ca.crt'), 'utf8'),
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}
