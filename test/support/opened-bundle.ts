import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { BundleManifest } from '../../src/bundle/format/manifest.ts';
import { refuseFault } from '../../src/bundle/reading/fault.ts';
import { SealedBundle } from '../../src/bundle/reading/sealed.ts';
import type { Context } from '../../src/core/context.ts';
import type { Closure } from '../../src/kinds/closure.ts';
import {
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../../src/opening/open-bundle.ts';

/** What is known of a bundle that is whole, once it is closed again. */
export type OpenedBundle = Omit<SurveyedBundle, 'closure'> & { readonly closure: Closure };

/** Opens a bundle in which nothing may be wrong, and closes it again. */
export async function openedBundle(request: OpenRequest, context: Context): Promise<OpenedBundle> {
  const bundle = await surveyBundle(request, context, refuseFault);
  await bundle.close();
  const { closure } = bundle;
  if (closure === undefined) throw new Error('the parts of the bundle are not known');
  return { ...bundle, closure };
}

/** The one file of a bundle in a folder, in which nothing else may be called like one. */
export async function bundleIn(folder: string): Promise<string> {
  const [name, ...others] = (await readdir(folder)).filter((one) => one.endsWith('.tar.zst'));
  if (name === undefined || others.length > 0) throw new Error(`not one bundle in ${folder}`);
  return join(folder, name);
}

/** What a bundle lists, whose listing is undamaged. */
export async function listingOf(path: string): Promise<BundleManifest> {
  const sealed = await SealedBundle.open(path);
  try {
    return (await sealed.unseal()).manifest;
  } finally {
    await sealed.close();
  }
}
