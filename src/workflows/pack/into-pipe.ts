import type { Writable } from 'node:stream';
import type { Context } from '../../core/context.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import { wholeContent } from '../../packing/content.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { refuseForeignLock } from '../../packing/lock/follow.ts';
import { nameOf } from '../../packing/naming.ts';
import type { Output } from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import { packToPipe } from '../../packing/to-pipe.ts';
import type { PackIntoPipeRequest } from './request.ts';
import { withSources } from './sources.ts';
import { deliveredTo, findAll, lockAndSign, offersIn, tellNeeds, withFacts } from './steps.ts';

const NO_FILE: Output = { folder: '', name: undefined };

/** Makes a bundle, and writes it into a pipe instead of files. */
export async function packIntoPipe(
  request: PackIntoPipeRequest,
  output: Writable,
  context: Context,
): Promise<PackReport> {
  await refuseForeignLock(request);
  return withSources(request, context, async (sources) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const delivered = await deliveredTo(request, context);
    const found = await findAll(request, sources, context);
    const name = nameOf({ ...request, isIncrement: delivered !== undefined }, NO_FILE, found);
    const { described } = wholeContent(found, name, delivered && leftOut(found, delivered));
    const offers = offersIn(found, request);
    tellNeeds(found, context);
    const { key } = await lockAndSign(request, found, { own, dryRun: false, name }, context);
    const { limitRate } = request;
    const report = await packToPipe({ described, key, closure: found, limitRate }, output, context);
    await keepPacked(described, found, request, context);
    return withFacts(report, { request, offers, described, delivered }, context);
  });
}
