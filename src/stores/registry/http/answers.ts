import type { ByteStream } from '../../../core/bytes.ts';
import { BundleError, type ErrorCode } from '../../../core/errors.ts';
import { isObject, type Json } from '../../../core/json.ts';
import { MAX_ERROR_BODY_BYTES } from '../../../core/limits.ts';
import { formatRepository, type RepositoryName } from '../../../core/reference.ts';
import { oneLine } from '../../../core/text.ts';
import { isPassingStatus } from './backoff.ts';
import type { HttpResponse } from './transport.ts';

/** The request that was answered, for the error message. */
export interface Attempt {
  /** In the infinitive: `fetch sha256:… from quay.io/a/b`. */
  readonly action: string;
  readonly name: RepositoryName;
  /** Every place where credentials were looked for. */
  readonly places: readonly string[];
  /** Whether credentials for the repository were found there. */
  readonly known: boolean;
  /** What looks wrong about them. */
  readonly oddity?: string | undefined;
  /** It was not the registry that was asked, but the token server that it names. */
  readonly atTokenServer?: boolean;
}

/** The cause of an error that an answer was made into: what the registry called it. */
class Refusal extends Error {
  /** As in its body (distribution-spec, "Error Codes"). */
  readonly codes: readonly string[];
  readonly byTokenServer: boolean;

  constructor(codes: readonly string[], byTokenServer: boolean) {
    super(codes.join(', '));
    this.codes = codes;
    this.byTokenServer = byTokenServer;
  }
}

/** The codes of the distribution-spec for failures of the registry itself. */
export function registryCodes(error: BundleError): readonly string[] {
  return error.cause instanceof Refusal ? error.cause.codes : [];
}

/** Whether the token server refused, so that the registry was never asked. */
export function isOfTokenServer(error: BundleError): boolean {
  return error.cause instanceof Refusal && error.cause.byTokenServer;
}

/**
 * An answer that is no success, as an error: NOT_FOUND for 404, NOT_ALLOWED for 401 and 403, else
 * REGISTRY. Takes the body for the message, up to 64 KiB.
 */
export async function answerError(response: HttpResponse, attempt: Attempt): Promise<BundleError> {
  const { status } = response;
  const { text, codes } = await explanation(response);
  const code = codeOf(status);
  return new BundleError(
    code,
    `cannot ${attempt.action}: ${response.url.host} answered ${status}${text === '' ? '' : `, ${text}`}`,
    {
      cause: new Refusal(codes, attempt.atTokenServer === true),
      hint: hintFor(status, attempt),
      temporary: isPassingStatus(status),
    },
  );
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'NOT_FOUND';
  return status === 401 || status === 403 ? 'NOT_ALLOWED' : 'REGISTRY';
}

function hintFor(status: number, attempt: Attempt): string | undefined {
  if (status === 401 || status === 403) return credentialsHint(attempt);
  if (status === 404) return `Check the name, and that it is in ${formatRepository(attempt.name)}.`;
  if (status === 413)
    return 'The registry, or a proxy in front of it, limits uploads: raise the limit.';
  if (status >= 300 && status <= 399) {
    return (
      'This redirect cannot be followed: the registry, or a proxy in front of it, is set up ' +
      `wrongly. Show this to those who run ${attempt.name.registry}.`
    );
  }
  if (isPassingStatus(status)) return 'Try again later.';
  return undefined;
}

/** Where the credentials came from, or where they were looked for. */
function credentialsHint({ name, places, known, oddity }: Omit<Attempt, 'action'>): string {
  const looked =
    places.length === 0 ? 'no auth file was looked at' : `looked at ${places.join(', ')}`;
  if (oddity !== undefined)
    return (
      `For ${formatRepository(name)}, ${oddity} (${looked}): ` +
      '`echo password | base64` adds one, `printf %s password | base64` does not. ' +
      'bundle login writes such an entry anew.'
    );
  return known
    ? `Check the credentials for ${formatRepository(name)} and what they allow (${looked}). ` +
        'Some registries give the same answer for a repository that does not exist.'
    : `No credentials for ${formatRepository(name)} are known (${looked}): ` +
        'log in, or name an auth file with --authfile FILE.';
}

/** The text of an error body of a registry (distribution-spec, "Error Codes"), as one line. */
async function explanation(
  response: HttpResponse,
): Promise<{ readonly text: string; readonly codes: readonly string[] }> {
  const body = await readStart(response, MAX_ERROR_BODY_BYTES);
  let document: Json;
  try {
    document = JSON.parse(body) as Json;
  } catch {
    const isText = String(response.headers['content-type'] ?? '').startsWith('text/plain');
    return { text: isText ? oneLine(body) : '', codes: [] };
  }
  const errors =
    isObject(document) && Array.isArray(document['errors'])
      ? (document['errors'] as readonly Json[]).filter(isObject)
      : [];
  const lines = errors.map(({ code, message }) =>
    [code, message].filter((part) => typeof part === 'string').join(': '),
  );
  const codes = errors.map(({ code }) => code).filter((code) => typeof code === 'string');
  return { text: oneLine(lines.join('; ')), codes };
}

/**
 * The first bytes of a body as text; the rest is dropped. A body that cannot be read gives an empty
 * text, so that the status is not lost.
 */
export async function readStart(response: HttpResponse, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as ByteStream) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= limit) break;
    }
  } catch {
    // The message stays shorter.
  }
  return Buffer.concat(chunks).subarray(0, limit).toString('utf8');
}
