import type { ByteStream } from '../../../core/bytes.ts';
import { BundleError, isTemporary } from '../../../core/errors.ts';
import { attemptsAt, networkError } from '../http/faults.ts';
import { abandon, headerOf, type HttpResponse, type Transport } from '../http/transport.ts';

/** A transfer has got further if it moved this many bytes. */
const PROGRESS = 1024 * 1024;

export interface Part {
  readonly start: number;
  /** First byte that is not wanted any more; `undefined`: all there are. */
  readonly end: number | undefined;
}

export interface Download {
  readonly transport: Transport;
  /** In the infinitive, for messages. */
  readonly action: string;
  readonly part: Part;
  /** Bytes that there shall be in all. */
  readonly size: number;
  /**
   * Asks for content with the given Range header, or all of it. Throws for anything but 200, 206
   * and 416.
   */
  readonly open: (range: string | undefined) => Promise<HttpResponse>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a body, from `start` on. A transfer that breaks, or that ends before `size`, is
 * continued where it broke, by Range; where the registry gives no parts, what was had already is
 * read again and passed over. Stops at `end`; content that is shorter ends early.
 * @throws BundleError NETWORK where it broke too often.
 */
export async function* download({
  transport,
  action,
  part,
  size,
  open,
  signal,
}: Download): AsyncGenerator<Uint8Array> {
  const end = part.end ?? size;
  const patience = transport.patience();
  let position = part.start;
  let lastBreak = position;
  let ended: number | undefined;
  for (;;) {
    const begun = performance.now();
    const response = await open(rangeHeader(position, part.end));
    let cause: string;
    let most: number | undefined;
    const watch = transport.watch(action);
    try {
      for await (const chunk of bodyFrom(response, position, part, action)) {
        position += chunk.length;
        yield chunk;
        watch.moved(); // whoever reads it may have taken its time
      }
      // Content that ends twice at the same byte is that long, and whoever checks it says what that
      // means.
      if (position >= end || position === ended || response.status === 416 || isEncoded(response))
        return;
      ended = position;
      cause = `the transfer ended at byte ${position} of ${end}`;
    } catch (thrown) {
      const error = networkError(thrown, response.url);
      if (!isTemporary(error) || isEncoded(response)) throw error;
      // Whoever reads slowly is left alone with the last bytes, and hears of the end when the other
      // end has hung up.
      if (position >= end) return;
      transport.broke(error, begun);
      cause = error.message;
      most = attemptsAt(error);
    } finally {
      watch.end();
      // A consumer that stops early leaves a body that would hold its connection.
      abandon(response);
    }
    if (position - lastBreak >= PROGRESS) patience.restore();
    lastBreak = position;
    if (!(await patience.again({ what: `${action}, from byte ${position}`, cause, most, signal })))
      throw broken(action, cause);
  }
}

function rangeHeader(position: number, end: number | undefined): string | undefined {
  if (end !== undefined) return `bytes=${position}-${end - 1}`;
  return position === 0 ? undefined : `bytes=${position}-`;
}

/**
 * The wanted part of one answer, whose body begins at the asked position (206) or at the first byte
 * (200).
 */
async function* bodyFrom(
  response: HttpResponse,
  position: number,
  part: Part,
  action: string,
): AsyncGenerator<Uint8Array> {
  let skip = position;
  if (response.status === 416) return; // nothing is there from here on
  if (response.status === 206) {
    const answered = /^bytes ([0-9]+)-/.exec(headerOf(response, 'content-range') ?? '')?.[1];
    if (answered !== undefined && Number(answered) !== position) throw wrongPart(action, response);
    skip = 0;
  }
  let wanted = part.end === undefined ? Number.POSITIVE_INFINITY : part.end - position;
  if (wanted <= 0) return;
  for await (const chunk of response.body as ByteStream) {
    if (wanted === 0) return;
    const from = Math.min(skip, chunk.length);
    skip -= from;
    const bytes = chunk.subarray(from, from + Math.min(chunk.length - from, wanted));
    wanted -= bytes.length;
    if (bytes.length > 0) yield bytes;
    // An answer with just this part ends here by itself, which lets the connection be used again.
    if (wanted === 0 && response.status !== 206) return;
  }
}

function isEncoded(response: HttpResponse): boolean {
  return response.headers['content-encoding'] !== undefined;
}

function wrongPart(action: string, response: HttpResponse): BundleError {
  return new BundleError(
    'NETWORK',
    `cannot ${action}: ${response.url.host} sent other bytes than the requested range`,
    {
      hint:
        'Something between here and the registry answers wrongly, perhaps a cache: ' +
        'fetch from another registry, or without that cache.',
    },
  );
}

function broken(action: string, cause: string): BundleError {
  return new BundleError('NETWORK', `cannot ${action}: ${cause}`, {
    hint: 'Run the same command again: finished work is kept.',
    temporary: true,
  });
}
