import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { BundleError } from '../../../core/errors.ts';
import { listFolder } from '../../../files/folder.ts';
import { ifThere, isThere } from '../../../files/look.ts';
import { readPem, readCertificates } from './certificates.ts';

/** The contents of one host's folder of certificates (containers-certs.d(5)). */
export interface HostCertificates {
  readonly folder: string;
  /** CAs that this host's certificate may be of as well, as PEM. */
  readonly ca: readonly string[];
  /** Client certificates and their keys, as PEM, pair by pair. */
  readonly client: readonly ClientCertificate[];
}

export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateFolderOptions {
  /**
   * `certs.d` folders in which every host has a folder of its own; the first that has one counts.
   * They need not exist.
   */
  readonly folders: readonly string[];
  /**
   * One that was named (`--cert-dir`): tried first; files that lie in it directly are for all
   * hosts.
   */
  readonly named?: string | undefined;
}

/** The `certs.d` folders of this host. Read when a host is first spoken to, and once. */
export class CertificateFolders {
  readonly #options: CertificateFolderOptions;
  readonly #read = new Map<string, Promise<HostCertificates | undefined>>();

  constructor(options: CertificateFolderOptions) {
    this.#options = options;
  }

  /**
   * The certificates for a host under any of its names (`quay.io`, `quay.io:443`).
   * @throws BundleError CONFIGURATION for files that cannot be used; DISK, NOT_FOUND for a named
   * folder that cannot be read.
   */
  async of(names: readonly string[]): Promise<HostCertificates | undefined> {
    const key = names.join(' ');
    const known = this.#read.get(key) ?? this.#find(names);
    this.#read.set(key, known);
    return known;
  }

  async #find(names: readonly string[]): Promise<HostCertificates | undefined> {
    const { folders, named } = this.#options;
    for (const folder of named === undefined ? folders : [named, ...folders]) {
      for (const name of names) {
        const path = join(folder, name);
        const files = await filesOf(path);
        if (files !== undefined) return readFolder(path, files);
      }
      if (folder === named) {
        const files = await listFolder(named);
        if (files.some(isCertificateFile)) return readFolder(named, files);
      }
    }
    return undefined;
  }
}

/** `undefined` where there is no such folder, or it is not for us. */
async function filesOf(folder: string): Promise<readonly string[] | undefined> {
  return ifThere(listFolder(folder), ['ENOENT', 'EACCES']);
}

function isCertificateFile(name: string): boolean {
  return /\.(?:crt|cert|key)$/.test(name);
}

async function readFolder(folder: string, files: readonly string[]): Promise<HostCertificates> {
  const ca: string[] = [];
  const client: ClientCertificate[] = [];
  for (const file of files) {
    const path = join(folder, file);
    // Distributions leave links there to what is not installed.
    if (file.endsWith('.crt') && (await isThere(path))) ca.push(...(await readCertificates(path)));
    if (file.endsWith('.key') && !files.includes(file.replace(/\.key$/, '.cert')))
      throw unpaired(path, 'certificate', '.cert');
    if (!file.endsWith('.cert')) continue;
    const keyFile = file.replace(/\.cert$/, '.key');
    if (!files.includes(keyFile)) throw unpaired(path, 'key', '.key');
    const pair = { certificate: await readPem(path), key: await readPem(join(folder, keyFile)) };
    checkPair(path, pair);
    client.push(pair);
  }
  return { folder, ca, client };
}

function unpaired(path: string, missing: string, extension: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use ${path}: there is no ${missing} beside it`, {
    hint:
      'A client certificate is NAME.cert with NAME.key; ' +
      `the ${missing} has to end with ${extension}. Certificates of a CA end with .crt.`,
    subject: path,
  });
}

/**
 * That key and certificate belong together would otherwise be found out by a failing connection.
 */
function checkPair(path: string, { certificate, key }: ClientCertificate): void {
  try {
    createSecureContext({ cert: certificate, key });
  } catch {
    // The cause could quote the key.
    throw new BundleError(
      'CONFIGURATION',
      `cannot use the client certificate ${path} with its key`,
      {
        hint:
          'Both have to be PEM, the key without a passphrase, ' +
          'and the certificate has to be that of the key.',
        subject: path,
      },
    );
  }
}
