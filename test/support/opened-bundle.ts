import { refuseFault } from '../../src/bundle/reading/fault.ts';
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
