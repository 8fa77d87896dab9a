import { type Closure, partsWithHoles } from '../kinds/closure.ts';
import type { Kind } from '../kinds/kind.ts';

/**
 * Numbers of the parts that nothing at a target may name: those that are known to lack something,
 * those whose images the bundle lists as missing, and those that speak about one of these.
 * @param damaged those that are known to lack something for another reason.
 */
export function heldBackParts(
  closure: Closure,
  kinds: readonly Kind[],
  damaged: Iterable<number> = [],
): ReadonlySet<number> {
  const incomplete = new Set([...damaged, ...partsWithHoles(closure)]);
  const lacking = new Set([...incomplete].map((part) => closure.parts[part]!.kind));
  for (const [number, { kind: name }] of closure.parts.entries()) {
    const about = kinds.find((kind) => kind.name === name)?.describes;
    if (about !== undefined && lacking.has(about)) incomplete.add(number);
  }
  return incomplete;
}
