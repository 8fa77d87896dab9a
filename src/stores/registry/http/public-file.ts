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
}

/**
 * A small public file, whole, or `undefined` where the server says that there is none (404). Sends
 * no credentials but those in the URL, as Basic authentication and to its server alone; follows
 * redirects.
 * @throws BundleError NETWORK; REGISTRY for other answers; CONTENT_MISMATCH for a file above
 * `limit` bytes.
 */
export async function fetchPublicFile(
  transport: Transport,
  url: URL,
  { limit, accept, signal }: PublicFileOptions,
): Promise<Uint8Array | undefined> {
  const authorization = basicOf(url);
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
