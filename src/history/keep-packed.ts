import type { DescribedBundle } from '../bundle/format/plan.ts';
import type { Context } from '../core/context.ts';
import type { Closure } from '../kinds/closure.ts';
import { History, keepIfPossible } from './history.ts';

/** A later pack leaves out what is proven to have arrived: it has to know what that was. */
export async function keepPacked(
  described: DescribedBundle,
  closure: Closure,
  { history: folder }: { readonly history?: string | undefined },
  { observe }: Context,
): Promise<void> {
  if (folder === undefined) return;
  const history = new History(folder);
  await keepIfPossible(history, described.manifest.name, observe, () =>
    history.keepBundle(described, closure),
  );
}
