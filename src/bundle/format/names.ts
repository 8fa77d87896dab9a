/** What bundles are called. */
export const BUNDLE_SUFFIX = '.tar.zst';

/** What patches are called: bundles that hold parts of another. */
export const PATCH_SUFFIX = '.patch.tar.zst';

/**
 * The physical files of a bundle: its own name, or that with the number of each volume behind it.
 */
export function volumeNames(path: string, count: number): readonly string[] {
  return count === 1
    ? [path]
    : Array.from({ length: count }, (_, index) => `${path}.${String(index + 1).padStart(3, '0')}`);
}

/**
 * The bundle that a file is called as a volume of, with the number of the volume; `undefined` for
 * other names.
 */
export function bundleOfName(
  name: string,
): { readonly bundle: string; readonly number: number | undefined } | undefined {
  const [, bundle, number] = /^(.+\.tar\.zst)(?:\.([0-9]{3}))?$/.exec(name) ?? [];
  return bundle === undefined
    ? undefined
    : { bundle, number: number === undefined ? undefined : Number(number) };
}
