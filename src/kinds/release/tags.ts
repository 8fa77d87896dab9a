import { BundleError } from '../../core/errors.ts';
import { isTag } from '../../core/reference.ts';
import type { Architecture } from './architecture.ts';

/**
 * The tag of a release image or, with a name, of a component: `<version>-<arch>[-<component>]`, as
 * `oc adm release mirror` makes them. The `+` of a version, which no tag can have, is a `_`.
 * @throws BundleError USAGE when that is no tag.
 */
export function tagOf(version: string, architecture: Architecture, component?: string): string {
  const release = `${version.replaceAll('+', '_')}-${architecture}`;
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
