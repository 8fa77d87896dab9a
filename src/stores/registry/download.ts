import type { ByteStream } from '../../core/bytes.ts';
import { BundleError, isTemporary } from '../../core/errors.ts';
import { networkError } from './faults.ts';
import { abandon, headerOf, type HttpResponse, type Transport } from './transport.ts';

/** How often one download may break without having got much further. */
const ATTEMPTS = 5;
/** What counts as having got further, in bytes. */
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
  /** Asks for content with the given Range header, or all of it. Throws for anything but 200, 206 and 416. */
  readonly open: (range: string | undefined) => Promise<HttpResponse>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a body, from `start` on. A transfer that breaks is continued where it broke, by Range. Stops at `end`; content that
 * is shorter ends early.
 * @throws BundleError NETWORK where it broke too often, or the registry cannot give parts.
 */
export async function* download({ transport, action, part, open, signal }: Download): AsyncGenerator<Uint8Array> {
  let position = part.start;
  let lastBreak = position;
  let breaks = 0;
  for (;;) {
    const response = await open(rangeHeader(position, part.end));
    try {
      for await (const chunk of bodyFrom(response, position, part, action)) {
        position += chunk.length;
        yield chunk;
      }
      return;
    } catch (thrown) {
      const error = networkError(thrown, response.url);
      if (!isTemporary(error) || response.headers['content-encoding'] !== undefined) throw error;
      breaks = position - lastBreak >= PROGRESS ? 1 : breaks + 1;
      if (breaks >= ATTEMPTS) throw error;
      lastBreak = position;
      await transport.pause(`${action}, from byte ${position}`, error.message, breaks, transport.backoff(breaks), signal);
    } finally {
      // A consumer that stops early leaves a body that would hold its connection.
      abandon(response);
    }
  }
}

function rangeHeader(position: number, end: number | undefined): string | undefined {
  if (end !== undefined) return `bytes=${position}-${end - 1}`;
  return position === 0 ? undefined : `bytes=${position}-`;
}

/** The wanted part of one answer, whose body begins at the asked position (206) or at the first byte (200). */
async function* bodyFrom(response: HttpResponse, position: number, part: Part, action: string): AsyncGenerator<Uint8Array> {
  let skip = 0;
  if (response.status === 416) return; // nothing is there from here on
  if (response.status === 206) {
    const answered = /^bytes ([0-9]+)-/.exec(headerOf(response, 'content-range') ?? '')?.[1];
    if (answered !== undefined && Number(answered) !== position) throw noParts(action, response);
  } else {
    if (position !== part.start) throw noParts(action, response);
    skip = position;
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

function noParts(action: string, response: HttpResponse): BundleError {
  return new BundleError('NETWORK', `cannot ${action}: the transfer broke, and ${response.url.host} does not give parts of content`, {
    hint: 'Try again.',
  });
}
