import { BundleError } from '../../core/errors.ts';
import { isTag } from '../../core/reference.ts';
import type { Architecture } from './architecture.ts';

/** A version as a tag: the `+`, which no tag can have, is a `_`. */
export function plainTag(version: string): string {
  return version.replaceAll('+', '_');
}

/** The tags that a release image may have: with its architecture, then without, as OKD tags. */
export function tagsFor(version: string, architecture: string): readonly [string, string] {
  const plain = plainTag(version);
  return [`${plain}-${architecture}`, plain];
}

/**
 * The tag of a release image or, with a name, of a component: `<version>-<arch>[-<component>]`, as
 * `oc adm release mirror` makes them.
 * @throws BundleError USAGE when that is no tag.
 */
export function tagOf(version: string, architecture: Architecture, component?: string): string {
  const [release] = tagsFor(version, architecture);
  const tag = component === undefined ? release : `${release}-${component}`;
  if (isTag(tag)) return tag;
  throw new BundleError('USAGE', `the image cannot be tagged ${tag}`, {
    hint: 'A tag has at most 128 letters, digits, dots, dashes and underscores.',
  });
}

/** How reports call a release. */
export function releaseLabel(version: string, architecture: string): string {
  return `${version} for ${architecture}`;
}
