import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { formatRepository, type RepositoryName } from '../core/reference.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../core/store.ts';
import { verified } from '../transfer/verified.ts';
import { isSignatureTag, type PullPlace } from './rules.ts';

export interface MirroredStoreOptions {
  /** The name of the repository for people, wherever its content comes from. */
  readonly name: RepositoryName;
  /** Where a tag or digest of it is asked for, in order. */
  readonly placesFor: (reference: string) => readonly PullPlace[];
  readonly open: (place: PullPlace) => ReadOnlyStore;
  readonly observe: Observe;
  /**
   * Registries that could not be reached in this run, with the failure: they are not asked again.
   * Shared by the stores of a run.
   */
  readonly unreachable: Map<string, BundleError>;
}

/** Something that one place after the other is asked. */
interface Question {
  /** The tag or digest that it is about. */
  readonly reference: string;
  /** In the infinitive, for messages. */
  readonly what: string;
  /** The optional content that is asked for, such as signatures. */
  readonly optional?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The action that failed at a place. */
interface Attempt {
  /** In the infinitive, for messages. */
  readonly what: string;
  /** There is no other place to ask. */
  readonly isLast: boolean;
  /** It failed before anything came. */
  readonly isAtOnce: boolean;
}

/**
 * One repository that may be found at several places: what one lacks or fails at is asked of the
 * next, and an event tells so. Nothing is believed for coming from a mirror: content goes by its
 * digest, as from anywhere.
 */
export class MirroredStore implements ReadOnlyStore {
  readonly name: string;
  readonly #options: MirroredStoreOptions;
  /** The place that is known to hold a digest; manifests are kept there for a moment. */
  readonly #holders = new Map<Digest, string>();
  /** The last place that gave something under a digest. */
  readonly #givers = new Map<Digest, string>();
  /** Places that gave something else under a digest. */
  readonly #wrong = new Map<Digest, Set<string>>();
  /** What was left out, that it was told of. */
  readonly #told = new Set<string>();

  constructor(options: MirroredStoreOptions) {
    this.name = formatRepository(options.name);
    this.#options = options;
  }

  placeOf(digest: Digest): string | undefined {
    return this.#givers.get(digest);
  }

  /**
   * A transfer that breaks for good at one place is continued at the next; what a place gave
   * wrongly is not asked of it again.
   */
  async *fetch(
    descriptor: Descriptor,
    { range, signal }: FetchOptions = {},
  ): ByteStream & AsyncGenerator<Uint8Array> {
    const { digest, size } = descriptor;
    const start = range?.start ?? 0;
    const end = range?.end ?? size;
    let position = start;
    const failures = new Failures(this.name);
    for (const [place, isLast] of this.#inOrder(digest)) {
      const name = formatRepository(place.name);
      const whole = range === undefined && position === 0;
      try {
        const store = this.#open(place);
        const part = whole ? {} : { range: { start: position, end } };
        const content = store.fetch(descriptor, { ...part, ...(signal && { signal }) });
        for await (const chunk of whole && !isLast ? verified(content, descriptor) : content) {
          if (position === start) this.#givers.set(digest, name);
          position += chunk.length;
          yield chunk;
        }
        if (position >= end || isLast) return;
        throw new BundleError(
          'REGISTRY',
          `${name} has only ${position} of ${end} bytes of ${digest}`,
        );
      } catch (error) {
        if (signal?.aborted === true || !(error instanceof BundleError)) throw error;
        const isWrong = error.code === 'CONTENT_MISMATCH' && whole;
        if (isWrong) {
          this.#wrong.set(digest, (this.#wrong.get(digest) ?? new Set()).add(name));
          this.#givers.set(digest, name);
        }
        this.#passOver(place, error, {
          what: `fetch ${digest}`,
          isLast,
          isAtOnce: position === start,
        });
        failures.add(place, error);
        // Bytes that were handed out cannot be taken back: who asks again gets them from another
        // place.
        if (isWrong && position > start)
          throw new BundleError('CONTENT_MISMATCH', `${name}: ${error.message}`, {
            hint: error.hint,
            expected: error.expected,
            got: error.got,
            temporary: true,
          });
      }
    }
    throw failures.error();
  }

  async exists(descriptor: Descriptor, { signal }: StoreOptions = {}): Promise<boolean> {
    const failures = new Failures(this.name);
    let isAbsent = false;
    for (const [place, isLast] of this.#inOrder(descriptor.digest)) {
      try {
        if (await this.#open(place).exists(descriptor, { ...(signal && { signal }) })) return true;
        isAbsent = true;
      } catch (error) {
        if (signal?.aborted === true || !(error instanceof BundleError)) throw error;
        this.#passOver(place, error, {
          what: `look up ${descriptor.digest}`,
          isLast,
          isAtOnce: true,
        });
        failures.add(place, error);
        // The answer of the last place that may be asked decides.
        if (error.code !== 'BLOCKED') isAbsent = false;
      }
    }
    if (isAbsent) return false;
    throw failures.error();
  }

  async resolve(reference: string, { signal }: StoreOptions = {}): Promise<Descriptor> {
    const optional = isSignatureTag(reference) ? 'cosign signatures' : undefined;
    const resolve = async (store: ReadOnlyStore): Promise<Descriptor> =>
      store.resolve(reference, { ...(signal && { signal }) });
    const question = { reference, what: `resolve ${reference}`, optional, signal };
    const found = await this.#first(question, resolve);
    this.#holders.set(found.value.digest, found.place);
    return found.value;
  }

  /** Those of the first place that has any. */
  async tags({ signal }: StoreOptions = {}): Promise<readonly string[]> {
    const question = { reference: 'latest', what: 'list the tags', signal };
    const { value } = await this.#first(question, async (store, isLast) => {
      const tags = await store.tags({ ...(signal && { signal }) });
      if (tags.length === 0 && !isLast)
        throw new BundleError('NOT_FOUND', `${store.name} has no tags`);
      return tags;
    });
    return value;
  }

  /**
   * Those of the first place that lists any: a mirror that lists none may only not have been given
   * them.
   */
  async referrers(subject: Digest, { signal }: StoreOptions = {}): Promise<readonly Descriptor[]> {
    const list = async (store: ReadOnlyStore): Promise<readonly Descriptor[]> => {
      const listed = await store.referrers(subject, { ...(signal && { signal }) });
      if (listed.length === 0)
        throw new BundleError('NOT_FOUND', `${store.name} lists no referrers of ${subject}`);
      return listed;
    };
    const what = `list the referrers of ${subject}`;
    const question = { reference: subject, what, optional: 'referrers', signal };
    try {
      return (await this.#first(question, list)).value;
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return [];
      throw error;
    }
  }

  /** The answer of the first place that can answer. */
  async #first<T>(
    { reference, what, optional, signal }: Question,
    work: (store: ReadOnlyStore, isLast: boolean) => Promise<T>,
  ): Promise<{ value: T; place: string }> {
    const failures = new Failures(this.name);
    for (const [place, isLast] of this.#inOrder(reference)) {
      try {
        return {
          value: await work(this.#open(place), isLast),
          place: formatRepository(place.name),
        };
      } catch (error) {
        if (signal?.aborted === true || !(error instanceof BundleError)) throw error;
        this.#passOver(place, error, { what, isLast, isAtOnce: true });
        failures.add(place, error);
      }
    }
    throw optional === undefined ? failures.error() : this.#without(optional, failures);
  }

  /**
   * The places with the one that is known to hold it first, and without those that gave something
   * else; at least one.
   */
  #inOrder(reference: string): readonly (readonly [PullPlace, boolean])[] {
    const places = this.#options.placesFor(reference);
    const holder = this.#holders.get(reference as Digest);
    const wrong = this.#wrong.get(reference as Digest);
    const trusted = places.filter(({ name }) => wrong?.has(formatRepository(name)) !== true);
    const usable = trusted.length > 0 ? trusted : places;
    const isHolder = ({ name }: PullPlace): boolean => formatRepository(name) === holder;
    const ordered = [...usable.filter(isHolder), ...usable.filter((place) => !isHolder(place))];
    return ordered.map((place, index) => [place, index === ordered.length - 1]);
  }

  /**
   * @throws BundleError BLOCKED; what went wrong where the registry could not be reached before.
   */
  #open(place: PullPlace): ReadOnlyStore {
    if (place.blockedBy !== undefined) throw blocked(place.name, place.blockedBy);
    const failure = this.#options.unreachable.get(place.name.registry);
    if (failure) throw failure;
    return this.#options.open(place);
  }

  /** Notes a registry that cannot be reached, and tells that the next place is asked. */
  #passOver({ name }: PullPlace, error: BundleError, { what, isLast, isAtOnce }: Attempt): void {
    const { unreachable, observe } = this.#options;
    const known = unreachable.get(name.registry) === error;
    if (error.code === 'NETWORK' && isAtOnce) unreachable.set(name.registry, error);
    if (!isLast && !known)
      observe({
        type: 'passed-over',
        place: formatRepository(name),
        what,
        code: error.code,
        cause: error.message,
      });
  }

  /**
   * A signature or referrer that the mirrors do not have counts as missing where the source cannot
   * be asked: that is the network that mirrors are made for. It is told once. A mirror that refuses
   * it does not have it: so registries answer for a tag or a repository that does not exist.
   */
  #without(what: string, failures: Failures): BundleError {
    const isAbsent = ({ place, error: { code } }: Failure): boolean =>
      code === 'NOT_FOUND' || (code === 'NOT_ALLOWED' && place !== this.name);
    const absent = failures.list.find(isAbsent)?.error;
    const rest = failures.list.filter((failure) => !isAbsent(failure));
    if (
      absent === undefined ||
      rest.some(({ error }) => !['NETWORK', 'BLOCKED'].includes(error.code))
    )
      return failures.error();
    if (rest.length > 0 && !this.#told.has(what)) {
      this.#told.add(what);
      const places = rest.map(({ place }) => place);
      const facts = { what, repository: this.name, places };
      this.#options.observe({ type: 'noticed', code: 'attached-not-asked', ...facts });
    }
    if (absent.code === 'NOT_FOUND') return absent;
    return new BundleError('NOT_FOUND', absent.message, { hint: absent.hint, cause: absent });
  }
}

interface Failure {
  readonly place: string;
  readonly error: BundleError;
}

/** The failure at each place. */
class Failures {
  readonly list: Failure[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  add({ name }: PullPlace, error: BundleError): void {
    this.list.push({ place: formatRepository(name), error });
  }

  /** The failure of the last place that may be asked decides; the others are told. */
  error(): BundleError {
    const decisive =
      this.list.findLast(({ error }) => error.code !== 'BLOCKED') ?? this.list.at(-1);
    if (decisive === undefined)
      return new BundleError('NOT_FOUND', `no registry is known to fetch ${this.#name} from`);
    const others = this.list
      .filter((failure) => failure !== decisive)
      .map(({ error }) => error.message);
    if (others.length === 0) return decisive.error;
    const { code, message, hint, cause, temporary, expected, got } = decisive.error;
    return new BundleError(code, `${message} (also tried: ${others.join('; ')})`, {
      hint,
      cause,
      temporary,
      expected,
      got,
    });
  }
}

/** The site's configuration forbids to ask a place. */
export function blocked(name: RepositoryName, by: string): BundleError {
  return new BundleError('BLOCKED', `${formatRepository(name)} is blocked by ${by}`, {
    hint: `Take it from another place (--from, --mirror), or change ${by}.`,
  });
}
