import { hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isPlatform } from '../../core/manifest.ts';
import { formatReference, isRepository, isTag, type Reference } from '../../core/reference.ts';
import { parseShortReference } from '../../image-sets/short-reference.ts';

/** One image more, and where it goes. */
export interface ImagePartRequest {
  /** With its registry, and with a tag or a digest or both. */
  readonly reference: Reference;
  /** The path at a target, below all that is delivered. */
  readonly path: string;
  readonly tag: string;
  /** What of a list is wanted, sorted; all of it, if it is left out. */
  readonly platforms?: readonly string[] | undefined;
}

/** Where an image goes, if not to the path and tag of its own name. */
export interface ImageTarget {
  readonly path?: string | undefined;
  readonly tag?: string | undefined;
  readonly platforms?: readonly string[] | undefined;
}

/**
 * Understands the name of an image as container engines do, and chooses its place after the rules of
 * oc-mirror: the path without the registry; an image that has a digest alone gets a tag made of it.
 * @throws BundleError USAGE
 */
export function imageRequest(name: string, target: ImageTarget = {}): ImagePartRequest {
  const { reference, path: own } = parseShortReference(name);
  const { tag, digest } = reference;
  if (tag === undefined && digest === undefined) {
    throw new BundleError('USAGE', `${name} has neither a tag nor a digest`, {
      hint: `No tag is assumed. Write the one that you want, as in ${name}:latest.`,
    });
  }
  const path = target.path ?? own;
  if (!isRepository(path)) {
    throw new BundleError('USAGE', `${name}: ${path} is not a repository path`, {
      hint: 'Write the path without registry and tag, as in team/tool: 255 characters at most.',
    });
  }
  const usual = tag ?? `sha256-${hexOf(digest!)}`;
  const chosen = target.tag ?? usual;
  if (!isTag(chosen)) {
    throw new BundleError('USAGE', `${name}: ${chosen} is not a tag`, {
      hint: 'A tag has letters, digits, dots, dashes and underscores, 128 at most.',
    });
  }
  const { platforms = [] } = target;
  if (platforms.length === 0) return { reference, path, tag: chosen };
  return { reference, path, tag: chosen, platforms: platformList(name, platforms) };
}

/** @throws BundleError USAGE for what is no platform. */
function platformList(name: string, platforms: readonly string[]): readonly string[] {
  const wrong = platforms.find((text) => !isPlatform(text));
  if (wrong === undefined) return [...new Set(platforms)].sort();
  throw new BundleError('USAGE', `${name}: ${wrong || 'nothing'} is not a platform`, {
    hint: 'Write OS/ARCHITECTURE, as in linux/amd64.',
  });
}

/** How an image is called everywhere: with its registry, so that nobody has to guess it. */
export function nameOfImage({ reference }: Pick<ImagePartRequest, 'reference'>): string {
  return formatReference(reference);
}
