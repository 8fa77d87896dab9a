import { basename } from 'node:path';

import type { Context } from '../../core/context.ts';
import type { SigningKey } from '../../trust/keys.ts';
import { findBegun } from './begun.ts';
import { BegunContent, type PartKey } from './begun-content.ts';
import { refuseOtherParts } from './other-parts.ts';
import { placeOf } from './replacing.ts';
import { firstOfSet } from './started-sets.ts';

/** Which parts are about to be packed, and under which path. */
export interface BegunRequest {
  readonly path: string;
  readonly parts: readonly PartKey[];
  /** The key that an earlier run must have signed with. */
  readonly key: SigningKey;
  /** The first volume may have been written to another medium. */
  readonly mayBeElsewhere: boolean;
  /** Parts may turn out to be others, without what cannot be had. */
  readonly mayLack: boolean;
}

/**
 * Finds content that an earlier run has written of the parts that are about to be packed.
 * @throws BundleError USAGE where another bundle has the name: nothing more is read for one that
 * could not be written.
 */
export async function findBegunContent(
  { path, parts, key, mayBeElsewhere, mayLack }: BegunRequest,
  context: Context,
): Promise<BegunContent | undefined> {
  const begun = await findBegun(await placeOf({ path, restart: false }));
  const firsts = begun.filter(({ number }) => number === 1).map((file) => file.path);
  const elsewhere = mayBeElsewhere ? await firstOfSet(path, context) : undefined;
  const paths = [...firsts, ...(elsewhere === undefined ? [] : [elsewhere])];
  const content = await BegunContent.open(paths, parts, key);
  if (content === undefined && !mayBeElsewhere && !mayLack)
    await refuseOtherParts(begun, parts, key);
  if (content !== undefined) {
    const what = `reading the manifests of ${basename(content.path)}`;
    context.observe({ type: 'phase', what });
  }
  return content;
}
