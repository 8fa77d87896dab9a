import { Credentials } from '../core/credentials.ts';
import { BundleError } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import { MAX_CONFIGURATION_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import { parse } from '../yaml/documents.ts';

/** Credentials of chart repositories, by the URL of each. */
export type HelmRepositories = ReadonlyMap<string, Credentials>;

/** Texts of an entry that count here. */
const TEXTS = ['url', 'username', 'password'] as const;

/**
 * Reads a file of chart repositories, as `helm repo add` writes it. Of its entries only those count
 * that have a user or a password. What the parser says of a bad file is not passed on: it would
 * quote the file.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION for a file that is none
 */
export async function readHelmRepositories(path: string): Promise<HelmRepositories> {
  const text = Buffer.from(await readGivenFile(path, MAX_CONFIGURATION_BYTES)).toString('utf8');
  const found = new Map<string, Credentials>();
  for (const entry of entriesOf(text, path)) {
    const [url, username, password] = TEXTS.map((key) => textOf(entry[key], key, path));
    if (url === '' || (username === '' && password === '')) continue;
    found.set(keyOf(url!), new Credentials(username!, password!));
  }
  return found;
}

/** @param url of the repository, with a slash at its end or without. */
export function credentialsOf(
  repositories: HelmRepositories,
  url: string,
): Credentials | undefined {
  return repositories.get(keyOf(url));
}

function entriesOf(text: string, path: string): readonly Readonly<Record<string, Json>>[] {
  let document: unknown;
  try {
    document = parse(text);
  } catch {
    throw malformed(path, 'it is no YAML');
  }
  const list = isObject(document as Json)
    ? (document as Record<string, Json>)['repositories']
    : null;
  if (!Array.isArray(list)) throw malformed(path, 'it has no list "repositories"');
  return (list as readonly Json[]).map((entry) => {
    if (!isObject(entry)) throw malformed(path, 'an entry of "repositories" is no mapping');
    return entry;
  });
}

function textOf(value: Json | undefined, key: string, path: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw malformed(path, `"${key}" of a repository is no text: put it into quotes`);
}

function keyOf(url: string): string {
  const bare = url.replace(/\/+$/, '');
  return URL.canParse(bare) ? new URL(bare).href : bare;
}

function malformed(path: string, why: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use the chart repositories of ${path}: ${why}`, {
    hint:
      'It has the form of the repositories.yaml that helm repo add writes: ' +
      '{"repositories": [{"url": …, "username": …, "password": …}]}.',
    subject: path,
  });
}
