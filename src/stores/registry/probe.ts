import type { ByteStream } from '../../core/bytes.ts';
import { digestOf } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { formatRepository } from '../../core/reference.ts';
import { pathOf, type RepositoryAccess } from './auth/access.ts';
import { probeSparse, probeTypes, type TypeFindings } from './manifests/probe-types.ts';
import { discard, headerOf, uploadAnswerMs } from './http/transport.ts';
import { askSession, cancelSession, mountRequest, startSession } from './blobs/upload-session.ts';

const MiB = 1024 * 1024;
/**
 * The request sizes that are tried. A larger one than the last is never needed: blobs go up in
 * chunks.
 */
const REQUEST_SIZES = [1, 4, 16, 64].map((size) => size * MiB);
/** Tried, the larger one first, where not even the least of the others passes. */
const SMALL_SIZES = [MiB / 4, MiB / 16];

/** How the registry is spoken to, before any repository comes into it. */
export interface Meeting {
  readonly tls: 'verified' | 'unverified' | 'none';
  /** The kind of registry, where it is one with peculiarities. */
  readonly product: string | undefined;
  readonly asks: 'nothing' | 'basic' | 'bearer';
}

/** The outcome of requests of growing size in one upload. */
export interface ChunkFindings {
  /** Bytes of the largest that passed; 0 where the registry takes no chunks. */
  readonly largest: number;
  /** Why the next one did not. */
  readonly refusal: BundleError | undefined;
  /** Whether the session says what it holds, so that a broken upload can be continued. */
  readonly tells: boolean;
}

/**
 * Finds out what can be done with a repository, and leaves nothing there: uploads are started, and
 * given up.
 */
export class RepositoryProbe {
  readonly name: string;
  readonly #access: RepositoryAccess;

  constructor(access: RepositoryAccess) {
    this.name = formatRepository(access.name);
    this.#access = access;
  }

  /** @throws BundleError NETWORK. */
  async meet(): Promise<Meeting> {
    const { origin, challenges, quirk } = await this.#access.contact();
    const tls =
      origin.protocol === 'http:'
        ? 'none'
        : this.#access.transport.isInsecure(origin)
          ? 'unverified'
          : 'verified';
    const schemes = challenges.map(({ scheme }) => scheme);
    const asks = schemes.includes('bearer')
      ? 'bearer'
      : schemes.includes('basic')
        ? 'basic'
        : 'nothing';
    return { tls, product: quirk?.product, asks };
  }

  /**
   * Whether the credentials are good, whatever they allow. @throws BundleError NOT_ALLOWED,
   * REGISTRY, NETWORK.
   */
  async login(signal: AbortSignal): Promise<void> {
    const action = `log in for ${this.name}`;
    const request = { method: 'GET', to: '/v2/', action, access: 'login', signal } as const;
    const response = await this.#access.send(request);
    if (response.status < 200 || response.status > 299)
      throw await this.#access.failure(response, action);
    await discard(response);
  }

  /** Whether credentials are known, and where they were looked for. */
  async credentials(): Promise<{ known: boolean; places: readonly string[] }> {
    return this.#access.credentials();
  }

  /**
   * Whether it may be read: `false` where it is not there yet. @throws BundleError NOT_ALLOWED,
   * REGISTRY, NETWORK.
   */
  async pull(signal: AbortSignal): Promise<boolean> {
    const action = `pull from ${this.name}`;
    const response = await this.#access.send({
      method: 'GET',
      to: `/v2/${pathOf(this.#access.name)}/tags/list?n=1`,
      action,
      access: 'pull',
      signal,
    });
    if (response.status !== 200 && response.status !== 404)
      throw await this.#access.failure(response, action);
    await discard(response);
    return response.status === 200;
  }

  /** @throws BundleError as a push would: NOT_ALLOWED, NOT_FOUND, REGISTRY, NETWORK. */
  async push(signal: AbortSignal | undefined): Promise<void> {
    const action = `push to ${this.name}`;
    try {
      const { url } = await startSession(this.#access, action, signal);
      await cancelSession(this.#access, url, action);
    } catch (error) {
      const { quirk } = await this.#access.contact();
      if (
        quirk?.makeFirst === undefined ||
        !(hasCode(error, 'NOT_ALLOWED') || hasCode(error, 'NOT_FOUND'))
      )
        throw error;
      throw new BundleError(error.code, error.message, {
        hint: `${quirk.makeFirst} ${error.hint ?? ''}`.trim(),
        cause: error,
      });
    }
  }

  /**
   * Requests of growing size in one upload, until one is refused; smaller ones where that is the
   * first. @throws BundleError where no upload can be started.
   */
  async chunks(signal: AbortSignal): Promise<ChunkFindings> {
    const found = await this.#growing(REQUEST_SIZES, signal);
    if (found.largest > 0) return found;
    for (const size of SMALL_SIZES) {
      const small = await this.#growing([size], signal);
      if (small.largest > 0) return { ...small, refusal: found.refusal };
    }
    return found;
  }

  async #growing(sizes: readonly number[], signal: AbortSignal): Promise<ChunkFindings> {
    const action = `upload to ${this.name}`;
    let session = await startSession(this.#access, action, signal);
    let [largest, sent] = [0, 0];
    let refusal: BundleError | undefined;
    try {
      for (const size of sizes) {
        const response = await this.#access.send({
          method: 'PATCH',
          to: session.url,
          action,
          access: 'push',
          headers: {
            'content-type': 'application/octet-stream',
            'content-length': String(size),
            'content-range': `${sent}-${sent + size - 1}`,
          },
          body: zeros(size),
          answerWithin: uploadAnswerMs(size),
          signal,
        });
        if (response.status < 200 || response.status > 299) {
          refusal = await this.#access.failure(response, action);
          break;
        }
        [largest, sent] = [size, sent + size];
        if (headerOf(response, 'location') !== undefined)
          session = { ...session, url: await this.#access.uploadUrl(response, action) };
        await discard(response);
      }
      const found =
        largest > 0 ? await askSession(this.#access, session, action, signal) : undefined;
      if (found !== undefined) session = found.session;
      return { largest, refusal, tells: found?.held === sent };
    } catch (error) {
      // A connection that is broken in the middle of a large request is how some proxies refuse it.
      if (!hasCode(error, 'NETWORK') || signal.aborted) throw error;
      return { largest, refusal: error, tells: false };
    } finally {
      await cancelSession(this.#access, session.url, action);
    }
  }

  /**
   * How a request to take over a blob that is nowhere is answered: 202 where it is understood, and
   * would rather be an upload.
   */
  async mountOfNothing(from: RepositoryProbe, signal: AbortSignal): Promise<number> {
    const action = `mount into ${this.name}`;
    const response = await mountRequest(this.#access, {
      digest: digestOf(this.name),
      from: pathOf(from.#access.name),
      action,
      signal,
    });
    await discard(response);
    if (response.status === 202)
      await cancelSession(this.#access, await this.#access.uploadUrl(response, action), action);
    return response.status;
  }

  /**
   * Which manifests it takes. @throws BundleError where not even a blob can be pushed.
   */
  async manifestTypes(signal: AbortSignal): Promise<TypeFindings> {
    return probeTypes(this.#access, signal);
  }

  /**
   * Why it takes no list of images that are not all there; `undefined` where it does.
   * @param type of the list. @throws BundleError NETWORK
   */
  async sparse(type: string, signal: AbortSignal): Promise<BundleError | undefined> {
    return probeSparse(this.#access, type, signal);
  }

  /** Whether the registry answers the referrers API (distribution-spec, "Listing Referrers"). */
  async referrers(signal: AbortSignal): Promise<boolean> {
    const response = await this.#access.send({
      method: 'GET',
      to: `/v2/${pathOf(this.#access.name)}/referrers/${digestOf(this.name)}`,
      action: `list referrers in ${this.name}`,
      access: 'pull',
      signal,
    });
    const type = headerOf(response, 'content-type') ?? '';
    await discard(response);
    return response.status === 200 && type.startsWith('application/vnd.oci.image.index.v1+json');
  }
}

async function* zeros(size: number): ByteStream & AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(MiB);
  for (let left = size; left > 0; left -= chunk.length)
    yield chunk.subarray(0, Math.min(left, chunk.length));
}
