import { isTemporary } from '../../../core/errors.ts';
import { attemptsAt, tooSlow } from './faults.ts';
import { type HttpResponse, readBody, type Transport } from './transport.ts';

export interface WholeOptions {
  readonly transport: Transport;
  /** Bytes of the body at most. */
  readonly limit: number;
  /** For messages: `the tag list of quay.io/a/b`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks for something small until its body came whole. A body that comes drop by drop is waited for
 * as long as an answer may take: it never stalls, and might never end. The body is `undefined`
 * where the answer is not 200: it is the caller's then.
 * @throws BundleError CONTENT_MISMATCH above the limit; NETWORK; what `ask` throws.
 */
export async function readWhole(
  ask: () => Promise<HttpResponse>,
  { transport, limit, what, signal }: WholeOptions,
): Promise<{ response: HttpResponse; body: Uint8Array | undefined }> {
  const patience = transport.patience();
  for (;;) {
    const begun = performance.now();
    const response = await ask();
    if (response.status !== 200) return { response, body: undefined };
    const deadline = setTimeout(() => {
      response.body.destroy(tooSlow(response.url, transport.wholeMs));
    }, transport.wholeMs);
    try {
      return { response, body: await readBody(response, limit, what) };
    } catch (error) {
      if (!isTemporary(error)) throw error;
      transport.broke(error, begun);
      const setback = {
        what: `read ${what}`,
        cause: error.message,
        most: attemptsAt(error),
        signal,
      };
      if (!(await patience.again(setback))) throw error;
    } finally {
      clearTimeout(deadline);
    }
  }
}
