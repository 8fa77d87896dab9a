import type { BundleError } from '../../core/errors.ts';
import { type AbsentTags, type Holes, NO_HOLES } from '../../kinds/holes.ts';
import { mayBeTheHost, reasonOf } from './leaving-holes.ts';

/** Leaves nothing out: the failure of an image says how it could be. */
export const NAMING_THE_WAY: { readonly holes: Holes; readonly absent: AbsentTags } = {
  holes: {
    ...NO_HOLES,
    excuse: (_image, error) => {
      throw withoutImage(error);
    },
  },
  absent: {
    known: () => undefined,
    excuse: (_image, error) => {
      throw withoutImage(error);
    },
  },
};

const WAY = 'To go on without it, add --incomplete: what is left out is listed.';

/** A failure of an image alone, with how all others are had: it may be one of many. */
export function withoutImage(error: unknown): unknown {
  const reason = reasonOf(error);
  if (reason === undefined || mayBeTheHost(reason)) return error;
  const { hint } = error as BundleError;
  return (error as BundleError).withHint(hint === undefined ? WAY : `${hint} ${WAY}`);
}
