import type { Writable } from 'node:stream';
import type { Context } from '../../core/context.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import { offersOf } from '../../kinds/graph/offers.ts';
import { signatureFacts } from '../../packing/signature-facts.ts';
import { wholeContent } from '../../packing/content.ts';
import { findLocked, refuseForeignLock, writeLock } from '../../packing/lock/follow.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { nameOf } from '../../packing/naming.ts';
import type { Output } from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import { firstKey, loadSigningKey } from '../../packing/signing-key.ts';
import { packToPipe } from '../../packing/to-pipe.ts';
import {
  type PackIntoPipeRequest,
  deliveredTo,
  factsOfIncrement,
  factsOf,
  tellNeeds,
  withSources,
} from './request.ts';

const NO_FILE: Output = { folder: '', name: undefined };

/** Makes a bundle, and writes it into a pipe instead of files. */
export async function packIntoPipe(
  request: PackIntoPipeRequest,
  output: Writable,
  context: Context,
): Promise<PackReport> {
  await refuseForeignLock(request);
  return withSources(request, context, async (network, atHand) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const delivered = await deliveredTo(request, context);
    const closure = atHand.before(await findLocked(request, network, context));
    const name = nameOf({ ...request, isIncrement: delivered !== undefined }, NO_FILE, closure);
    const content = wholeContent(closure, name, delivered && leftOut(closure, delivered));
    const { described } = content;
    const offers = request.offers && offersOf(closure.parts, request.offers);
    tellNeeds(closure, context);
    await writeLock(request, closure, factsOf(request, { name }), context);
    const key = own ?? (await firstKey(request.key, false, context)).key;
    const { limitRate } = request;
    const report = await packToPipe({ described, key, closure, limitRate }, output, context);
    await keepPacked(described, closure, request, context);
    const signatures = await signatureFacts(closure, request, context);
    const increment = factsOfIncrement(content, closure, delivered);
    return { ...report, offers, signatures, increment };
  });
}
