import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { utf8 } from '../../../core/bytes.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_CERTIFICATES_BYTES } from '../../../core/limits.ts';
import { readGivenFile } from '../../../files/small-file.ts';

/** Where Red Hat's and Debian's distributions keep what their administrators trust. */
const SYSTEM_BUNDLES = [
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/certs/ca-certificates.crt',
];

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Every CA that is trusted, as PEM: those built into Node, those of this host (`$SSL_CERT_FILE`,
 * else the distribution's bundle), and those in `files` (`--ca-file`). Each adds to the others.
 * @throws BundleError CONFIGURATION for one of `files` that is missing or holds no certificate.
 */
export async function systemCertificates(
  env: Readonly<Record<string, string | undefined>>,
  files: readonly string[],
): Promise<readonly string[]> {
  const trusted = new Map(rootCertificates.map((pem) => [keyOf(pem), pem]));
  const named = env['SSL_CERT_FILE'];
  for (const path of [...(named === undefined || named === '' ? [] : [named]), ...SYSTEM_BUNDLES]) {
    const found = await certificatesOf(path).catch(() => undefined);
    if (found === undefined) continue;
    for (const pem of found) if (!trusted.has(keyOf(pem)) && isCertificate(pem)) add(pem);
    break;
  }
  for (const path of files) for (const pem of await readCertificates(path)) add(pem);
  return [...trusted.values()];

  function add(pem: string): void {
    trusted.set(keyOf(pem), pem);
  }
}

/**
 * Node and the distributions break lines elsewhere. Both have nearly the same hundred and more
 * certificates, and each that is read takes a tenth of a millisecond, here and for each context.
 */
function keyOf(pem: string): string {
  return pem.replace(/\s/g, '');
}

/**
 * The certificates of a file that was named. @throws BundleError CONFIGURATION where it is missing,
 * or holds something else.
 */
export async function readCertificates(path: string): Promise<readonly string[]> {
  const found = (await readPem(path, 'NOT_FOUND')).match(CERTIFICATE) ?? [];
  if (found.length > 0 && found.every(isCertificate)) return found;
  throw new BundleError(
    'CONFIGURATION',
    `cannot use the CA file ${path}: it does not hold certificates in PEM`,
    {
      hint: 'It has to hold one or more "-----BEGIN CERTIFICATE-----" blocks.',
      subject: path,
    },
  );
}

/**
 * The text of a file of certificates or of a key.
 * @param missing the code for one that is not there: a command line has named another than exists,
 * or a folder of certificates refers to it.
 * @throws BundleError CONFIGURATION, or `missing`.
 */
export async function readPem(
  path: string,
  missing: 'NOT_FOUND' | 'CONFIGURATION' = 'CONFIGURATION',
): Promise<string> {
  try {
    return await readText(path);
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    const code = cause.code === 'NOT_FOUND' ? missing : 'CONFIGURATION';
    throw new BundleError(code, `cannot use ${path}: ${cause.message}`, {
      cause,
      hint: 'Check --ca-file, --cert-dir and the certs.d folders.',
      subject: path,
    });
  }
}

async function certificatesOf(path: string): Promise<readonly string[]> {
  return (await readText(path)).match(CERTIFICATE) ?? [];
}

async function readText(path: string): Promise<string> {
  return utf8(await readGivenFile(path, MAX_CERTIFICATES_BYTES));
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
