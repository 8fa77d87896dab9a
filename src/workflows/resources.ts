import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { Applying } from '../delivering/applying/applying.ts';
import type { ApplyReport, ApplyRequest } from '../delivering/applying/request.ts';
import type { DeliveryTarget } from '../delivering/delivery-target.ts';
import { ocOptions } from '../delivering/applying/oc-options.ts';
import { planResources } from '../delivering/resources/plan.ts';
import type { ResourceRequest } from '../delivering/resources/request.ts';
import { certificatesIn } from '../delivering/resources/trust.ts';
import {
  prepareResources,
  type ResourcesReport,
  writeResources,
} from '../delivering/resources/write.ts';
import { NO_WISHES, readWishes, refuseUnmetWishes } from '../kinds/catalog/wishes.ts';
import { type Closure, closureOf, partsWithHoles, selectParts } from '../kinds/closure.ts';
import type { OpenedFacts, OpenRequest } from '../opening/open-bundle.ts';
import { openToRead } from '../opening/open-to-read.ts';

export interface ResourcesJob {
  readonly bundle: OpenRequest;
  readonly to: Extract<DeliveryTarget, { kind: 'registry' }>;
  readonly resources: ResourceRequest;
  /** The parts that count, by any of their names; all of them if none is named. */
  readonly select: readonly string[];
  /** What is applied to a cluster, if anything. */
  readonly apply: ApplyRequest | undefined;
  readonly dryRun: boolean;
}

export interface ResourcesOutcome {
  readonly bundle: OpenedFacts;
  readonly target: string;
  /** What was asked for. Files are written for those parts alone that the bundle has whole. */
  readonly selected: Closure;
  /** `undefined` on a dry run. */
  readonly resources: ResourcesReport | undefined;
  /** What was applied, or would be; `undefined` where nothing was asked for. */
  readonly cluster: ApplyReport | undefined;
}

/**
 * Writes for a bundle what unpack writes for clusters, and asks no registry: for another name of
 * the registry, or in other forms. The bundle is checked as for opening it; its layers are not
 * hashed: they may be damaged, and volumes with nothing but layers may be missing.
 * Applies them too, where that is asked for.
 * @throws BundleError as opening a bundle and applying do; NOT_FOUND, CONFIGURATION, USAGE, DISK
 */
export async function writeForClusters(
  { bundle: open, to, resources: request, select, apply, dryRun }: ResourcesJob,
  context: Context,
): Promise<ResourcesOutcome> {
  const { bundle, closure: held } = await openToRead(open, select, context);
  try {
    const { reader } = bundle;
    const selected = selectParts(held, select);
    const closure = wholeParts(selected);
    const catalogs = await readWishes(request.catalogs ?? NO_WISHES);
    refuseUnmetWishes(selected.parts, catalogs);
    const certificates = await certificatesIn(request.caFiles ?? []);
    await reader.pass?.finish(); // of a pipe only its end tells that it is whole
    const known = { newer: undefined, certificates, ocOptions: apply ? ocOptions(apply) : [] };
    const planned = planResources(closure, open.kinds, to.destinations, {
      ...{ ...request, ...known, catalogs },
    });
    const { destinations } = to;
    const { kinds } = open;
    const what = { closure, kinds, destinations, files: planned.objects, by: 'writing' } as const;
    const applying = apply && (await Applying.plan(apply, what, context));
    const outcome = { bundle: { ...bundle, closure }, target: to.name, selected };
    if (dryRun) return { ...outcome, resources: undefined, cluster: applying?.planned };
    await applying?.confirm();
    await prepareResources(planned);
    const resources = await writeResources(planned);
    return { ...outcome, resources, cluster: await applying?.apply(planned.objects) };
  } finally {
    await bundle.close();
  }
}

/** @throws BundleError NOT_FOUND where the bundle lacks images of all parts */
function wholeParts(closure: Closure): Closure {
  const lacking = partsWithHoles(closure);
  if (lacking.size === 0) return closure;
  const whole = closure.parts.filter((_, number) => !lacking.has(number));
  if (whole.length > 0) return closureOf(whole);
  const labels = closure.parts.map(({ label }) => label).join(', ');
  throw new BundleError('NOT_FOUND', `the bundle lacks images of ${labels}`, {
    hint:
      'It is not complete, and says so: no cluster should use these parts. Complete it on the ' +
      'connected side: bundle pack --complete BUNDLE -o FOLDER. Then name both bundles.',
  });
}
