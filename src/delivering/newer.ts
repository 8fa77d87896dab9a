import type { Context } from '../core/context.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Kind, Part } from '../kinds/kind.ts';
import type { Places } from './places.ts';

/** What a target holds that is newer than all that is delivered of its kind. */
export interface Newer {
  readonly target: string;
  readonly kind: string;
  readonly names: readonly string[];
}

/** Going back to something older is allowed, but nobody should do it without knowing. */
export async function newerAt(
  { used, storeAt }: Places,
  parts: readonly Part[],
  kinds: readonly Kind[],
  { observe, signal }: Context,
): Promise<readonly Newer[]> {
  if (!used.includes('entry')) return [];
  const target = storeAt('entry');
  let tags: readonly string[];
  try {
    tags = await target.tags({ signal });
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return [];
    signal.throwIfAborted();
    if (!(error instanceof BundleError)) throw error;
    const { message: cause } = error;
    observe({ type: 'noticed', code: 'newer-not-known', target: target.name, cause });
    return [];
  }
  const newer = kinds.flatMap((kind): readonly Newer[] => {
    const ofKind = parts.filter((part) => part.kind === kind.name);
    const names = kind.newerThan(ofKind, tags);
    return names.length === 0 ? [] : [{ target: target.name, kind: kind.name, names }];
  });
  for (const facts of newer) observe({ type: 'noticed', code: 'newer-at-target', ...facts });
  return newer;
}
