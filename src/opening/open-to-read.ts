import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import { type BundleError, gravest } from '../core/errors.ts';
import type { Closure } from '../kinds/closure.ts';
import { copyOrPatch, missingVolumesOf, missingVolumesWay, notDerived } from './damaged.ts';
import { type OpenRequest, surveyBundle, type SurveyedBundle } from './open-bundle.ts';
import { derivedOf } from './some-parts.ts';

/** A bundle, and the parts that are asked for, or more. */
export interface ReadableBundle {
  readonly bundle: SurveyedBundle;
  readonly closure: Closure;
}

/**
 * Opens a bundle for a command that needs only some of it. What is damaged beside that is told, and
 * no reason to refuse it: everything that is used is proven, and hashed before. The caller closes it.
 * @param select the parts that are needed, by any of their names; all of them if none is named.
 * @throws BundleError as opening a bundle does; the damage, where a part that is needed cannot be
 * derived.
 */
export async function openToRead(
  request: OpenRequest,
  select: readonly string[],
  context: Context,
): Promise<ReadableBundle> {
  const faults: Fault[] = [];
  const bundle = await surveyBundle(request, context, (fault) => faults.push(fault));
  try {
    const closure = derivedOf(bundle, select, request.expected);
    if (closure === undefined) throw await underived(request, bundle, faults);
    tellDamage(bundle, faults, context);
    return { bundle, closure };
  } catch (error) {
    await bundle.close();
    throw error;
  }
}

/** What is damaged of a bundle that is used all the same. */
export function tellDamage(
  { path }: Pick<SurveyedBundle, 'path'>,
  faults: readonly Pick<Fault, 'error'>[],
  { observe }: Context,
): void {
  const bundle = basename(path);
  for (const { error } of faults) {
    observe({ type: 'noticed', code: 'bundle-damaged', bundle, cause: error.message });
  }
}

async function underived(
  request: OpenRequest,
  bundle: SurveyedBundle,
  faults: readonly Fault[],
): Promise<BundleError> {
  const missing = missingVolumesOf(bundle, faults);
  const failures = [...faults.map(({ error }) => error), ...(missing ? [missing] : [])];
  const error = gravest(failures) as BundleError;
  return error.withHint(
    missing === undefined
      ? notDerived(request, bundle) + copyOrPatch(request, bundle, { faults })
      : await missingVolumesWay(request, bundle, { faults }),
  );
}
