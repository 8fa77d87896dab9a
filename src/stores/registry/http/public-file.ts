import type { Credentials } from '../../../core/credentials.ts';
import { BundleError } from '../../../core/errors.ts';
import { shownUrl } from '../../../core/text.ts';
import { discard, headerOf, type HttpRequest, type Transport, withoutQuery } from './transport.ts';
import { readWhole } from './whole.ts';

const MAX_REDIRECTS = 10;

export interface PublicFileOptions {
  /** Bytes of it at most. */
  readonly limit: number;
  /** Media types that are asked for. */
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who may have the file; everybody, unless told. */
  readonly login?: FileLogin | undefined;
}

/** What a server is shown that does not give its files to everybody. */
export interface FileLogin {
  /** Shown unasked. */
  readonly known?: Credentials | undefined;
  /** Looked up where the server asks for credentials (401), and none are known. */
  readonly lookup: () => Promise<Credentials | undefined>;
  /** What to do where that is not enough. */
  readonly hint: string;
}

/**
 * A small file, whole, or `undefined` where the server says that there is none (404). Sends no
 * credentials but those in the URL, or those of a login, as Basic authentication and to its server
 * alone; follows redirects.
 * @throws BundleError NETWORK; REGISTRY for other answers; CONTENT_MISMATCH for a file above
 * `limit` bytes; with a login NOT_ALLOWED where it is refused, and CONFIGURATION where it would be
 * sent without encryption.
 */
export async function fetchPublicFile(
  transport: Transport,
  url: URL,
  { limit, accept, signal, login }: PublicFileOptions,
): Promise<Uint8Array | undefined> {
  let authorization = basicOf(url) ?? shown(login?.known, url, transport);
  let current = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const headers = {
      ...(accept !== undefined && { accept }),
      ...(authorization !== undefined && current.origin === url.origin && { authorization }),
    };
    const request: HttpRequest = { method: 'GET', url: current, headers, signal };
    const { response, body } = await readWhole(async () => transport.sendRepeatedly(request), {
      transport,
      limit,
      what: withoutQuery(url),
      signal,
    });
    const { status } = response;
    if (body !== undefined) return body;
    await discard(response);
    if (status === 404) return undefined;
    const isOwn = current.origin === url.origin;
    if (status === 401 && isOwn && authorization === undefined) {
      authorization = shown(await login?.lookup(), url, transport);
      if (authorization !== undefined) continue;
    }
    if (login !== undefined && (status === 401 || status === 403))
      throw refused(current, { status, isShown: isOwn && authorization !== undefined, login });
    const location = [301, 302, 303, 307, 308].includes(status)
      ? headerOf(response, 'location')
      : undefined;
    if (location === undefined || !URL.canParse(location, current.href)) {
      throw new BundleError(
        'REGISTRY',
        `cannot fetch ${withoutQuery(url)}: ${current.host} answered ${status}`,
      );
    }
    const next = new URL(location, current);
    if (!/^https?:$/.test(next.protocol))
      throw new BundleError(
        'REGISTRY',
        `cannot fetch ${withoutQuery(url)}: it redirects to ${shownUrl(location)}`,
      );
    current = next;
  }
  throw new BundleError(
    'REGISTRY',
    `cannot fetch ${withoutQuery(url)}: more than ${MAX_REDIRECTS} redirects`,
  );
}

/** @throws BundleError CONFIGURATION where everybody on the way could read it */
function shown(
  credentials: Credentials | undefined,
  url: URL,
  transport: Transport,
): string | undefined {
  if (credentials === undefined) return undefined;
  if (url.protocol === 'http:' && !transport.isInsecure(url)) {
    throw new BundleError(
      'CONFIGURATION',
      `the password for ${withoutQuery(url)} would be sent over plain HTTP`,
      {
        hint:
          'Name the repository with https://. Where nobody else can listen, ' +
          `--insecure-registry ${url.host} allows it.`,
        subject: url.host,
      },
    );
  }
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refused(
  url: URL,
  { status, isShown, login }: { status: number; isShown: boolean; login: FileLogin },
): BundleError {
  const what = isShown ? 'refused the user and password' : 'wants a user and a password';
  return new BundleError(
    'NOT_ALLOWED',
    `cannot fetch ${withoutQuery(url)}: ${url.host} ${what} (${status})`,
    { hint: login.hint, subject: url.host },
  );
}

/** The user and the password of a URL, for its server. */
function basicOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

/** As in `curl`, a percent sign that begins no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
