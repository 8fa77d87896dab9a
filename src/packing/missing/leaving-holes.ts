import type { HoleReason } from '../../bundle/format/manifest.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError, type ErrorCode } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { BUDGET_EXHAUSTED } from '../../core/http/backoff.ts';
import { parseShortReference } from '../../image-sets/short-reference.ts';
import { holesOf } from '../../kinds/closure.ts';
import type { AbsentTags, HoleCause, Holes, WantedImage } from '../../kinds/holes.ts';
import type { Part } from '../../kinds/kind.ts';
import { manifestsOf, type WalkedImage } from '../../transfer/image.ts';

/**
 * The failures that say that a source does not give an image. All others end the run: what cannot be
 * carried or is not trusted does not become better by waiting, and a full disk is no hole.
 */
const REASONS: Partial<Record<ErrorCode, HoleReason>> = {
  NOT_FOUND: 'not-found',
  NOT_ALLOWED: 'not-allowed',
  CONTENT_MISMATCH: 'wrong-content',
  NETWORK: 'unreadable',
  REGISTRY: 'unreadable',
};

/** Why an image may be missing after a failure; `undefined` for one that ends the run. */
export function reasonOf(error: unknown): HoleReason | undefined {
  if (!(error instanceof BundleError) || error.message.includes(BUDGET_EXHAUSTED)) return undefined;
  return REASONS[error.code];
}

/** A host that gives nothing at all is no hole: its name, the network or the credentials are wrong. */
export function mayBeTheHost(reason: HoleReason): boolean {
  return reason === 'not-allowed' || reason === 'unreadable';
}

/** Lets images be left out whose sources do not give them, and remembers why. */
export class LeavingHoles implements Holes {
  readonly looksInside = true;
  readonly #observe: Observe;
  readonly #lost = new Map<Digest, HoleReason>();
  /** The first failure of each host that may be one of the whole host. */
  readonly #suspect = new Map<string, BundleError>();
  /** The first of all failures. */
  #first: BundleError | undefined;
  /** Hosts that have given an image. */
  readonly #read = new Set<string>();
  readonly #told = new Set<string>();

  constructor(observe: Observe) {
    this.#observe = observe;
  }

  /** From now on, images that need one of these blobs are left out. */
  lose(lost: ReadonlyMap<Digest, HoleReason>): void {
    for (const [digest, reason] of lost) this.#lost.set(digest, reason);
  }

  known({ absent }: WantedImage): HoleCause | undefined {
    return absent === undefined ? undefined : { reason: absent };
  }

  excuse(image: WantedImage, error: unknown): HoleCause | undefined {
    const reason = this.#note(image.source, image.name, error);
    return reason === undefined ? undefined : { reason };
  }

  /** The same for an image whose tag could not be resolved. */
  readonly tags: AbsentTags = {
    known: () => undefined,
    excuse: (image, error) => this.#note(image, image, error),
  };

  inside(images: readonly WalkedImage[]): HoleCause | undefined {
    if (this.#lost.size === 0) return undefined;
    const blobs = new Map<Digest, number>();
    let cause: HoleCause | undefined;
    for (const { tree } of images) {
      for (const { manifest } of manifestsOf(tree)) {
        if (manifest.kind === 'index') continue;
        for (const { digest, size } of [manifest.config, ...manifest.layers]) {
          blobs.set(digest, size);
          const reason = this.#lost.get(digest);
          if (reason !== undefined) cause ??= { reason, lacks: digest };
        }
      }
    }
    if (cause === undefined) return undefined;
    return { ...cause, size: [...blobs.values()].reduce((total, size) => total + size, 0) };
  }

  /** What a part has shown of hosts, whether it stays as it is or not. */
  look({ images }: Part): void {
    for (const { request } of images) this.#read.add(hostOf(request.source));
  }

  /**
   * @throws the failure of a host that has given nothing at all, and any failure where no image is
   * whole: a bundle of nothing is none.
   */
  refuseHopeless(parts: readonly Part[]): void {
    const holes = holesOf({ parts });
    if (holes.length === 0) return;
    for (const { reason, source } of holes) {
      const failure = this.#suspect.get(hostOf(source));
      const hasGiven = this.#read.has(hostOf(source));
      if (!mayBeTheHost(reason) || hasGiven || failure === undefined) continue;
      throw failure.withHint(hopeless(hostOf(source), failure.hint));
    }
    const isNothing = parts.every(({ images }) => images.length === 0);
    if (isNothing && this.#first !== undefined) throw this.#first;
  }

  #note(source: string, image: string, error: unknown): HoleReason | undefined {
    const reason = reasonOf(error);
    if (reason === undefined || !(error instanceof BundleError)) return undefined;
    this.#first ??= error;
    const host = hostOf(source);
    if (mayBeTheHost(reason) && !this.#suspect.has(host)) this.#suspect.set(host, error);
    if (!this.#told.has(image)) {
      this.#told.add(image);
      this.#observe({
        type: 'noticed',
        code: 'image-missing',
        image,
        reason,
        cause: error.message,
      });
    }
    return reason;
  }
}

/** What to do where a host has given nothing, with what its failure says. */
export function hopeless(host: string, hint: string | undefined): string {
  const own =
    `Nothing at all could be read from ${host}, so --incomplete does not take its images for ` +
    'missing ones: look at its name, the network and the credentials first.';
  return hint === undefined ? own : `${own} ${hint}`;
}

/** The registry of an image, as clusters know it. */
export function hostOf(source: string): string {
  return parseShortReference(source).reference.registry;
}
