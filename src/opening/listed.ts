import { type DescribedBundle, describeBundle } from '../bundle/format/plan.ts';
import type { Context } from '../core/context.ts';
import { BundleError, gravest } from '../core/errors.ts';
import { type Closure, contentsOf } from '../kinds/closure.ts';
import { type OpenRequest, surveyBundle } from './open-bundle.ts';

/** What a bundle lists, checked like the bundle itself. */
export interface ListedBundle {
  readonly described: DescribedBundle;
  readonly closure: Closure;
}

/**
 * Reads what a bundle lists, and its manifests, and closes it: no layer is read.
 * @throws BundleError as opening a bundle does; BUNDLE_UNUSABLE where the metadata is not there
 */
export async function listedIn(
  paths: readonly string[],
  open: Omit<OpenRequest, 'paths'>,
  context: Context,
): Promise<ListedBundle> {
  const faults: BundleError[] = [];
  const request = { ...open, paths };
  const bundle = await surveyBundle(request, context, ({ error }) => faults.push(error));
  try {
    const { closure, digest, reader, path } = bundle;
    if (closure === undefined) {
      if (faults.length > 0) throw gravest(faults) as BundleError;
      throw new BundleError('BUNDLE_UNUSABLE', `${path}: what it lists cannot be read`, {
        hint: 'Give the volume that holds the listing and the manifests: the first one.',
      });
    }
    const { name, requires } = reader.manifest;
    const described = describeBundle(contentsOf(name, closure, requires));
    if (described.bundleDigest === digest) return { described, closure };
    throw new BundleError('CLOSURE_MISMATCH', `${path} lists something else than its parts`, {
      expected: digest,
      got: described.bundleDigest,
    });
  } finally {
    await bundle.close();
  }
}
