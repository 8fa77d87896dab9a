import type { ByteStream } from '../../../core/bytes.ts';
import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError, hasCode, isTemporary } from '../../../core/errors.ts';
import { retryAfter } from '../../../core/http/backoff.ts';
import { RepeatableContent } from '../../../transfer/verified.ts';
import type { RepositoryAccess } from '../auth/access.ts';
import { attemptsAt } from '../http/faults.ts';
import type { Patience } from '../http/patience.ts';
import { Portions } from './portions.ts';
import { discard, headerOf, type HttpResponse, uploadAnswerMs } from '../http/transport.ts';
import { CREATED } from '../manifests/manifests.ts';
import { askSession, cancelSession, heldBy, type Session, startSession } from './upload-session.ts';

/** A transfer has got further if it moved this many bytes. */
const PROGRESS = 1024 * 1024;
const MAX_REDIRECTS = 10;
/** How registries answer the first chunk who take none. */
const NO_CHUNKS_STATUS = [400, 404, 405, 501];

export interface UploadJob {
  readonly access: RepositoryAccess;
  readonly descriptor: Descriptor;
  readonly content: ByteStream;
  /** Gives the content again, from a byte on. Without it a failure is the caller's to deal with. */
  readonly again: ((start: number) => ByteStream) | undefined;
  /** What is given again is the same: wrong content is not asked for once more. */
  readonly isSteady: boolean;
  /** Whether the repository holds the blob. */
  readonly exists: () => Promise<boolean>;
  /** In the infinitive, for messages. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Uploads a blob: in one request where the registry takes it so (distribution-spec, "POST then
 * PUT"), in chunks where it asks for them or the request is too large, and also once something
 * broke. What broke is continued from the byte that the registry says it holds, or begun anew where
 * it holds nothing any more. The bytes are hashed on their way; the upload is completed only if
 * they were right. Wrong ones are asked for once more. Where it fails, its session is closed as
 * well as that can be done.
 * @throws BundleError CONTENT_MISMATCH; REGISTRY, NETWORK (`temporary` where a new attempt may
 * succeed); NOT_ALLOWED.
 */
export async function uploadBlob(job: UploadJob): Promise<void> {
  const upload = new Upload(job);
  const patience = job.access.transport.patience();
  for (;;) {
    try {
      await upload.goOn();
      return;
    } catch (error) {
      let failure = error;
      try {
        if (await upload.recover(error, patience)) continue;
      } catch (reason) {
        failure = reason; // the run has no retry left, or was ended
      }
      await upload.cancel();
      throw failure;
    } finally {
      await upload.release();
    }
  }
}

class Upload {
  readonly #job: UploadJob;
  readonly #content: RepeatableContent;
  #session: Session | undefined;
  /** Where the next request begins. */
  #offset = 0;
  #portions: Portions | undefined;
  /** A break showed that one request is too much. */
  #inChunks = false;
  #isFirstRead = true;
  #lastBreak = 0;
  #askedMs: number | undefined;
  /** Of refused credentials, as far as they were noticed here. */
  #replacements: number;
  /** Failures after which the upload may be tried in another way, once for each of them. */
  readonly #secondChances = new Set(['content', 'answer 400', 'answer 401']);

  constructor(job: UploadJob) {
    this.#job = job;
    this.#replacements = job.access.replacements;
    this.#content = new RepeatableContent(job.descriptor, (start) => this.#read(start));
  }

  async goOn(): Promise<void> {
    const { access, descriptor, exists, action, signal } = this.#job;
    const { size } = descriptor;
    if (this.#session === undefined) {
      if (!this.#isFirstRead && (await exists())) return; // what was lost was the answer
      this.#session = await startSession(access, action, signal);
      this.#offset = 0;
    }
    const { limits } = access;
    const whole =
      this.#offset === 0 &&
      (!limits.takesChunks ||
        (!this.#inChunks && size <= limits.largest && !this.#isAskedForChunks()));
    if (whole && (await this.#put(size))) return;
    while (this.#offset < size) await this.#patch();
    await this.#put(0);
  }

  /** After a failure: whether, after a pause, it is worth going on. */
  async recover(error: unknown, patience: Patience): Promise<boolean> {
    const { again, isSteady, action, signal } = this.#job;
    if (again === undefined || signal?.aborted) return false;
    if (this.#portions?.brokeWith(error)) {
      const isWrong = hasCode(error, 'CONTENT_MISMATCH');
      if (!isWrong || isSteady || !this.#secondChances.delete('content')) return false;
      await this.cancel();
      this.#content.restart();
    } else if (!isTemporary(error)) return false;
    if (this.#hasGotFurther) patience.restore();
    const cause = error.message;
    const askedMs = this.#askedMs;
    this.#askedMs = undefined;
    if (
      !(await patience.again({
        what: `${action}, from byte ${this.#offset}`,
        cause,
        error,
        askedMs,
        most: attemptsAt(error),
        signal,
      }))
    )
      return false;
    this.#inChunks = true;
    await this.#locate();
    return true;
  }

  /** Best effort: a failure to cancel must not hide the failure that led to it. */
  async cancel(): Promise<void> {
    if (this.#session !== undefined)
      await cancelSession(this.#job.access, this.#session.url, this.#job.action);
    this.#session = undefined;
  }

  /** Lets go of the content, wherever it is. */
  async release(): Promise<void> {
    await this.#portions?.close();
    this.#portions = undefined;
  }

  #read(start: number): ByteStream {
    const { content, again } = this.#job;
    if (this.#isFirstRead && start === 0) {
      this.#isFirstRead = false;
      return content;
    }
    if (again === undefined) throw cannotRepeat(this.#job.action);
    return again(start);
  }

  #isAskedForChunks(): boolean {
    const least = this.#session?.leastChunk;
    return least !== undefined && this.#job.descriptor.size > least;
  }

  /** Finds out where the session is; without one, the next step starts over. */
  async #locate(): Promise<void> {
    const { access, action, signal } = this.#job;
    const sent = this.#offset + this.#sentSince;
    const found =
      this.#session &&
      !access.limits.losesBroken &&
      (await askSession(access, this.#session, action, signal));
    // Who claims to hold more than was sent holds something else.
    this.#session = found && found.held <= sent ? found.session : undefined;
    this.#offset = this.#session && found ? found.held : 0;
    this.#lastBreak = this.#offset;
    this.#sentSince = 0;
  }

  /**
   * Completes the upload, with the last `bytes` bytes; `false` where those are too many for one
   * request.
   */
  async #put(bytes: number): Promise<boolean> {
    const { descriptor, exists } = this.#job;
    const to = new URL(this.#session!.url);
    to.search += `${to.search === '' ? '?' : '&'}digest=${encodeURIComponent(descriptor.digest)}`;
    const response = await this.#send('PUT', to, bytes);
    if (response === undefined) return false;
    const stored = headerOf(response, 'docker-content-digest');
    await discard(response);
    if (stored !== undefined && stored !== descriptor.digest)
      throw storedOtherwise(this.#job, stored);
    // A proxy or a login page may have answered in place of the registry.
    if (response.status !== CREATED && !(await exists())) throw notStored(this.#job, response);
    return true;
  }

  async #patch(): Promise<void> {
    const { access, descriptor, action } = this.#job;
    const { url, leastChunk } = this.#session!;
    const bytes = Math.min(access.limits.chunk(leastChunk), descriptor.size - this.#offset);
    const end = this.#offset + bytes;
    const response = await this.#send('PATCH', url, bytes);
    if (response === undefined) return;
    const held = heldBy(response);
    const next =
      headerOf(response, 'location') === undefined ? url : await access.uploadUrl(response, action);
    await discard(response);
    this.#session = { url: next, leastChunk };
    // Not every registry tells, or tells the truth; what it lacks in the end it will say.
    const isPart = held !== undefined && held > this.#offset && held < end;
    this.#offset = isPart ? held : end;
    this.#sentSince = 0;
    if (isPart) await this.release();
  }

  /** Bytes of the request under way that have been handed to the connection. */
  #sentSince = 0;

  /**
   * One request with the next `bytes` bytes; `undefined` where they are too many and smaller
   * requests are worth trying.
   */
  async #send(method: 'PUT' | 'PATCH', to: URL, bytes: number): Promise<HttpResponse | undefined> {
    const { access, descriptor, action, signal, again } = this.#job;
    const range = method === 'PATCH' && {
      'content-range': `${this.#offset}-${this.#offset + bytes - 1}`,
    };
    const hasBody = bytes > 0 || this.#offset === 0;
    const send = async (url: URL): Promise<HttpResponse> => {
      if (hasBody) this.#portions ??= new Portions(this.#content.from(this.#offset));
      return access.send({
        method,
        to: url,
        action,
        access: 'push',
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(bytes),
          ...range,
        },
        ...(hasBody && { body: this.#counted(this.#portions!.next(bytes)) }),
        answerWithin: uploadAnswerMs(descriptor.size, access.transport.answerMs),
        signal,
      });
    };
    let response = await send(to);
    // The body begins again at the other address, if it can be read again.
    for (let redirects = 0; redirects < MAX_REDIRECTS && again !== undefined; redirects++) {
      if (![307, 308].includes(response.status)) break;
      const next = await access.uploadUrl(response, action);
      await discard(response);
      await this.release();
      response = await send(next);
    }
    if (response.status >= 200 && response.status <= 299) return response;
    const isSmallerWorthIt = response.status === 413 && bytes > 0 && access.limits.refused(bytes);
    if (isSmallerWorthIt && again !== undefined) {
      await discard(response);
      await this.release();
      return undefined;
    }
    throw await this.#refused(method, response, isSmallerWorthIt);
  }

  get #hasGotFurther(): boolean {
    return this.#offset - this.#lastBreak >= PROGRESS;
  }

  async *#counted(content: ByteStream): AsyncGenerator<Uint8Array> {
    this.#sentSince = 0;
    for await (const chunk of content) {
      this.#sentSince += chunk.length;
      yield chunk;
    }
  }

  /**
   * An answer that is no success, as an error that says whether another attempt may fare better.
   */
  async #refused(
    method: string,
    response: HttpResponse,
    isSmallerWorthIt: boolean,
  ): Promise<BundleError> {
    const { access, action } = this.#job;
    const { status } = response;
    this.#askedMs = retryAfter(headerOf(response, 'retry-after'));
    const error = await access.failure(response, action);
    if (
      method === 'PATCH' &&
      NO_CHUNKS_STATUS.includes(status) &&
      this.#offset === 0 &&
      access.limits.largest === Number.POSITIVE_INFINITY
    ) {
      access.limits.refusedChunks();
      return mayPass(error);
    }
    // The session is gone, or not where we thought it was.
    if ([404, 410, 416].includes(status))
      return mayPass(new BundleError('REGISTRY', error.message, { hint: error.hint }));
    // The token ran out, which it may do again and again; the registry did not find in the bytes
    // what we had found.
    const isReplaced = status === 403 && access.replacements > this.#replacements;
    this.#replacements = access.replacements;
    const isAnother = isReplaced || (status === 401 && this.#hasGotFurther);
    if (
      isAnother ||
      ([400, 401].includes(status) && this.#secondChances.delete(`answer ${status}`))
    )
      return mayPass(error);
    return isSmallerWorthIt ? mayPass(error) : error;
  }
}

function mayPass(error: BundleError): BundleError {
  return new BundleError(error.code, error.message, {
    hint: error.hint,
    cause: error.cause,
    temporary: true,
  });
}

function cannotRepeat(action: string): BundleError {
  return new BundleError(
    'NETWORK',
    `cannot ${action}: the upload broke, and its bytes cannot be re-read`,
    {
      temporary: true,
    },
  );
}

function notStored({ access, descriptor }: UploadJob, { status }: HttpResponse): BundleError {
  const { registry } = access.name;
  return new BundleError(
    'REGISTRY',
    `${registry} said ${status} to the upload of ${descriptor.digest}, and does not have it`,
    {
      expected: 'status 201, and the blob',
      got: `status ${status}, and nothing`,
      hint:
        'A proxy or login page before the registry may have answered in its place: look at what ' +
        'is between here and the registry.',
    },
  );
}

function storedOtherwise({ access, descriptor }: UploadJob, got: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `${access.name.registry} stored the blob ${descriptor.digest} under another digest`,
    {
      expected: descriptor.digest,
      got,
      hint:
        'The registry, or something on the way, changes content: ' +
        'images that are pushed there cannot be pulled by digest.',
    },
  );
}
