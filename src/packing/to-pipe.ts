import type { Writable } from 'node:stream';

import { planBundle } from '../bundle/format/plan.ts';
import { PipeWriter } from '../bundle/writing/pipe-writer.ts';
import type { Context } from '../core/context.ts';
import { RateLimit } from '../transfer/rate.ts';
import { readAhead } from '../transfer/read-ahead.ts';
import type { Closure } from '../kinds/closure.ts';
import type { PackedContent } from './content.ts';
import { NOTHING_KEPT, type PackReport, signerOf } from './report.ts';
import { sealWith, type Signing } from './signing-key.ts';
import { announce } from './to-files.ts';

/** The name of a pipe in reports. */
const STDOUT = 'stdout';

/** A bundle that is about to be written into a pipe. */
export interface PipeJob extends Pick<PackedContent, 'described'>, Pick<Signing, 'key'> {
  readonly closure: Closure;
  /** Bytes per second at which blobs are fetched at most. */
  readonly limitRate?: number | undefined;
}

/**
 * Writes a bundle into a pipe: nothing is kept, and nothing beside it.
 * @throws BundleError DISK when nobody reads any more; CONTENT_MISMATCH when a blob was wrong that
 * had been written in part.
 */
export async function packToPipe(
  { described, key, closure, limitRate }: PipeJob,
  output: Writable,
  context: Context,
): Promise<PackReport> {
  const { concurrency, signal, observe } = context;
  const plan = planBundle(described, sealWith(key, key.sign(described.sums)));
  announce(closure, plan, context);
  observe({ type: 'phase', what: 'packing into the pipe' });
  const writer = await PipeWriter.begin(output, plan);
  await readAhead(plan.layers, (layer, content) => writer.append(layer.descriptor, content), {
    ...{ concurrency, signal, observe },
    limit: limitRate === undefined ? undefined : new RateLimit(limitRate),
  });
  const digest = await writer.finish();
  const { size, bundleDigest } = plan;
  return {
    ...{ name: described.manifest.name, path: STDOUT, size, bundleDigest },
    volumes: [{ path: STDOUT, size, digest }],
    ...{ before: 0, left: 0, signer: signerOf(key), closure, space: undefined },
    ...{ kept: NOTHING_KEPT, dryRun: false },
  };
}
