import { basename } from 'node:path';

import { type Digest, hexOf } from '../../core/digest.ts';

/** The form of the names of bundles. */
export const BUNDLE_SUFFIX = '.tar.zst';

/** The form of the names of patches: bundles that hold some content of another bundle. */
export const PATCH_SUFFIX = '.patch.tar.zst';

/** Part of a file's name on every file system that media have, and one word for a shell. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+=-]{0,127}$/;

/** Whether a bundle can be called so: what stands before `.tar.zst` in the name of its file. */
export function isBundleName(name: string): boolean {
  return NAME.test(name);
}

/** `NAME` of a bundle that is called `NAME.tar.zst`: the files beside it begin with that, too. */
export function stemOf(path: string): string {
  return basename(path, BUNDLE_SUFFIX);
}

/**
 * The name of a patch without `.tar.zst`: the name of the bundle that it repairs, and the first 8
 * hex digits of its own bundle digest.
 */
export function patchName(bundle: string, digest: Digest): string {
  return `${bundle}.${hexOf(digest).slice(0, 8)}.patch`;
}

/** `NAME-complete`; of one that completes another already, `NAME-complete-2` and so on. */
export function completionName(name: string): string {
  const [, base = name, number] = /^(.*)-complete(?:-(\d+))?$/.exec(name) ?? [];
  return base === name ? `${name}-complete` : `${base}-complete-${Number(number ?? 1) + 1}`;
}

/**
 * The physical files of a bundle: its own name, or that with the number of each volume behind it.
 */
export function volumeNames(path: string, count: number): readonly string[] {
  if (count === 1) return [path];
  return Array.from(
    { length: count },
    (_, index) => `${path}.${String(index + 1).padStart(3, '0')}`,
  );
}

/**
 * The bundle that a file is called as a volume of, with the number of the volume; `undefined` for
 * other names. No bundle has a name that begins with a dot: `._NAME` is what a Mac leaves beside
 * each file NAME.
 */
export function bundleOfName(
  name: string,
): { readonly bundle: string; readonly number: number | undefined } | undefined {
  const [, bundle, number] = /^([^.].*\.tar\.zst)(?:\.([0-9]{3}))?$/.exec(name) ?? [];
  if (bundle === undefined) return undefined;
  return { bundle, number: number === undefined ? undefined : Number(number) };
}
