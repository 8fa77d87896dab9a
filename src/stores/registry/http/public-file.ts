import { BundleError } from '../../../core/errors.ts';
import { oneLine } from '../../../core/text.ts';
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
 * no credentials; follows redirects.
 * @throws BundleError NETWORK; REGISTRY for other answers; CONTENT_MISMATCH for a file above
 * `limit` bytes.
 */
export async function fetchPublicFile(
  transport: Transport,
  url: URL,
  { limit, accept, signal }: PublicFileOptions,
): Promise<Uint8Array | undefined> {
  let current = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const headers = accept === undefined ? {} : { accept };
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
        `cannot fetch ${withoutQuery(url)}: it redirects to ${oneLine(location)}`,
      );
    current = next;
  }
  throw new BundleError(
    'REGISTRY',
    `cannot fetch ${withoutQuery(url)}: more than ${MAX_REDIRECTS} redirects`,
  );
}
