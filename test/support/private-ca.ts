import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const LOOPBACK = 'IP:127.0.0.1,IP:::1,DNS:localhost';

/** Files in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Issue {
  /** Subject alternative names; `undefined` for none. */
  readonly names: string | undefined;
  readonly commonName?: string;
  /** Negative for a certificate that has expired. */
  readonly days?: number;
  readonly usage?: 'serverAuth' | 'clientAuth';
}

/** A CA, and a server certificate of it for 127.0.0.1, ::1 and localhost. */
export interface PrivateCa extends KeyPair {
  readonly folder: string;
  readonly caFile: string;
  /** The CA's certificate. */
  readonly pem: string;
  issue(issue: Issue): Promise<KeyPair>;
  readonly remove: () => Promise<void>;
}

/** A CA that nobody trusts yet, and a server certificate of it; valid for two days. */
export async function makePrivateCa(names = LOOPBACK): Promise<PrivateCa> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-ca-'));
  const file = (name: string): string => join(folder, name);
  const openssl = async (...args: string[]): Promise<unknown> => run('openssl', args);
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  );
  let issued = 0;
  const issue: PrivateCa['issue'] = async ({
    names: alternative,
    commonName = 'Test',
    days = 2,
    usage = 'serverAuth',
  }) => {
    const base = file(`issued-${++issued}`);
    await writeFile(
      `${base}.ext`,
      `${alternative === undefined ? '' : `subjectAltName=${alternative}\n`}extendedKeyUsage=${usage}\n`,
    );
    await openssl(
      'req',
      ...NEW_KEY,
      '-subj',
      `/CN=${commonName}`,
      '-keyout',
      `${base}.key`,
      '-out',
      `${base}.csr`,
    );
    await openssl(
      ...[
        'x509',
        '-req',
        '-days',
        String(days),
        '-in',
        `${base}.csr`,
        '-CA',
        file('ca.crt'),
        '-CAkey',
        file('ca.key'),
      ],
      // Its own file of serial numbers is written by two at once.
      ...['-set_serial', `0x${randomBytes(8).toString('hex')}`],
      ...['-extfile', `${base}.ext`, '-out', `${base}.crt`],
    );
    return { certificate: `${base}.crt`, key: `${base}.key` };
  };
  return {
    ...(await issue({ names })),
    folder,
    caFile: file('ca.crt'),
    pem: await readFile(file('ca.crt'), 'utf8'),
    issue,
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}

/** A root, an authority below it, and a server's certificate of that one. Files in PEM. */
export interface Chain extends KeyPair {
  readonly root: string;
  readonly intermediate: string;
  readonly remove: () => Promise<void>;
}

/** A chain of three that nobody trusts yet, for 127.0.0.1; valid for two days. */
export async function makeChain(): Promise<Chain> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-chain-'));
  const file = (name: string): string => join(folder, name);
  const sections = [
    '[req]\ndistinguished_name=name\n[name]',
    '[authority]\nbasicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash',
    `[server]\nsubjectAltName=${LOOPBACK}\nextendedKeyUsage=serverAuth`,
  ];
  await writeFile(file('openssl.cnf'), `${sections.join('\n')}\n`);
  const issue = async (name: string, kind: string, by?: string): Promise<void> => {
    const issuer = by === undefined ? [] : ['-CA', file(`${by}.crt`), '-CAkey', file(`${by}.key`)];
    await run('openssl', [
      ...['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=Test ${name}`, ...issuer],
      ...['-config', file('openssl.cnf'), '-extensions', kind],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    ]);
  };
  await issue('root', 'authority');
  await issue('intermediate', 'authority', 'root');
  await issue('server', 'server', 'intermediate');
  return {
    root: file('root.crt'),
    intermediate: file('intermediate.crt'),
    certificate: file('server.crt'),
    key: file('server.key'),
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}
