import type { Descriptor } from '../../core/descriptor.ts';
import { parseDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { ARCHITECTURES } from './architecture.ts';
import { OFFICIAL_RELEASES } from './official.ts';
import {
  parseReference,
  parseRepositoryName,
  type Reference,
  type RepositoryName,
} from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { ReleaseRequest } from './request.ts';
import { ImageLayout } from '../../stores/layout/layout.ts';
import type { HeldContent } from '../../stores/oc/held-content.ts';
import { type HeldPlace, parseHeldPlace } from '../../stores/oc/open.ts';
import { locateHeld } from './held/locate.ts';
import { plainTag, tagsFor } from './tags.ts';
import type { ContentSource, Sources } from '../sources.ts';

/** A release image that was found, and the places its parts come from. */
export interface LocatedRelease {
  readonly descriptor: Descriptor;
  readonly content: ContentSource;
  /** The reference of the release image if no signature names it. */
  readonly repository: RepositoryName;
  /** The folder that it was found in, where another program has filled that: it may have proofs. */
  readonly held?: HeldContent;
}

const LISTED_TAGS = 12;

/**
 * Finds the release image of a version: the tag `<version>-<arch>`, then the plain version, as OKD
 * tags. A tag is resolved here and nowhere else; from here on everything goes by digest.
 *
 * @param from a repository, a reference with a tag or digest, `oci:DIR`, `file:DIR` or
 * `oc-mirror:DIR`; with a tag or digest the version may be left out.
 * @throws BundleError NOT_FOUND with the tags that do exist; USAGE.
 */
export async function locateRelease(
  { from, version, architecture }: Pick<ReleaseRequest, 'from' | 'version' | 'architecture'>,
  sources: Sources,
  signal: AbortSignal,
): Promise<LocatedRelease> {
  const { store, exact, content, repository, held } = await releasePlace(from, sources);
  if (exact !== undefined) {
    const descriptor = await store.resolve(exact);
    return { descriptor, content, repository, ...(held && { held }) };
  }
  if (version === undefined) {
    throw new BundleError('USAGE', 'no version was asked for', {
      hint:
        'Give a version, as in bundle pack 4.17.3, ' +
        'or --from REPOSITORY@sha256:… for a release that is known by its digest.',
    });
  }
  if (held !== undefined) {
    const descriptor = await locateHeld({ version, architecture }, held, signal);
    return { descriptor, content, repository, held };
  }
  const wanted = tagsFor(version, architecture);
  for (const tag of wanted) {
    try {
      return { descriptor: await store.resolve(tag), content, repository };
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error;
    }
  }
  throw new BundleError(
    'NOT_FOUND',
    `${store.name} has no release ${version} for ${architecture}: ` +
      `neither ${wanted.join(' nor ')} is a tag there`,
    {
      hint: await tagHint(store, plainTag(version)),
    },
  );
}

/** A place that holds release images. */
interface Place {
  readonly store: ReadOnlyStore;
  readonly content: ContentSource;
  readonly repository: RepositoryName;
  /** The tag or digest that was written out. */
  readonly exact: string | undefined;
  /** The store, if it is a folder that `oc` or oc-mirror has written. */
  readonly held?: HeldContent;
}

/**
 * @param from a repository, a reference, `oci:DIR`, `file:DIR` or `oc-mirror:DIR`; the official
 * repository if it is left out.
 * @throws BundleError USAGE, NOT_FOUND
 */
export async function releasePlace(from: string | undefined, sources: Sources): Promise<Place> {
  const place = from === undefined ? undefined : parseHeldPlace(from);
  if (place !== undefined) return openHeld(place, sources);
  return from?.startsWith('oci:') ? openLayout(from) : openRepository(from, sources);
}

async function openHeld(place: HeldPlace, sources: Sources): Promise<Place> {
  const store = await sources.held(place);
  return {
    ...{ store, held: store, content: { root: store, storeOf: () => store } },
    repository: OFFICIAL_RELEASES,
    exact: place.digest === undefined ? undefined : parseDigest(place.digest),
  };
}

function openRepository(from: string | undefined, sources: Sources): Place {
  const reference: Reference = from === undefined ? OFFICIAL_RELEASES : parseFrom(from);
  const repository = { registry: reference.registry, repository: reference.repository };
  const store = sources.source(repository);
  const content: ContentSource = { root: store, storeOf: (name) => sources.source(name) };
  return { store, content, repository, exact: reference.digest ?? reference.tag };
}

function parseFrom(from: string): Reference {
  if (/^(?:\/|\.{1,2}(?:\/|$)|~)/.test(from)) {
    throw new BundleError('USAGE', `--from ${from} is a folder, and does not say of what kind`, {
      hint:
        `Write oci:${from} for an image layout, file:${from} for what oc adm release mirror ` +
        `wrote, or oc-mirror:${from} for archives of oc-mirror.`,
    });
  }
  return from.includes('@') || /:[^/]*$/.test(from)
    ? parseReference(from)
    : parseRepositoryName(from);
}

async function openLayout(from: string): Promise<Place> {
  const [, folder = '', digest] = /^oci:(.*?)(?:@(sha256:[0-9a-f]*))?$/s.exec(from) ?? [];
  if (folder === '')
    throw new BundleError('USAGE', `not an image layout: ${from}`, {
      hint: 'Write oci:DIR, or oci:DIR@sha256:….',
    });
  const store = await ImageLayout.open(folder);
  return {
    store,
    content: { root: store, storeOf: () => store },
    repository: OFFICIAL_RELEASES,
    exact: digest === undefined ? undefined : parseDigest(digest),
  };
}

/** A tag as versions are asked for: `4.17.3 (x86_64)`. */
function versionIn(tag: string): string {
  const architecture = ARCHITECTURES.find((word) => tag.endsWith(`-${word}`));
  if (architecture === undefined) return tag;
  return `${tag.slice(0, -architecture.length - 1)} (${architecture})`;
}

/**
 * The tags that are nearest to what was asked for: those of the same minor version, else the
 * newest-looking ones.
 */
async function tagHint(store: ReadOnlyStore, version: string): Promise<string> {
  let tags: readonly string[];
  try {
    tags = (await store.tags()).filter((tag) => /^\d+\.\d+\.\d+/.test(tag));
  } catch (error) {
    if (error instanceof BundleError) return `Its tags could not be listed: ${error.message}.`;
    throw error;
  }
  if (tags.length === 0) return 'The repository has no release tags at all: check its name.';
  const minor = `${version.split('.').slice(0, 2).join('.')}.`;
  const near = tags.filter((tag) => tag.startsWith(minor));
  const shown = (near.length > 0 ? near : tags).toSorted((a, b) =>
    b.localeCompare(a, 'en', { numeric: true }),
  );
  const more = shown.length > LISTED_TAGS ? `, and ${shown.length - LISTED_TAGS} more` : '';
  const named = shown.slice(0, LISTED_TAGS).map(versionIn);
  return `These exist: ${named.join(', ')}${more}.`;
}
