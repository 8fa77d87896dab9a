import type { Writable } from 'node:stream';

import { PipeWriter } from '../bundle/writing/pipe-writer.ts';
import { describeBundle, planBundle } from '../bundle/format/plan.ts';
import { RateLimit } from '../transfer/rate.ts';
import { readAhead } from '../transfer/read-ahead.ts';
import { contentsOf } from '../opening/contents.ts';
import type { Context } from '../core/context.ts';
import { Network } from '../network/network.ts';
import {
  findRelease,
  firstKey,
  type PackReport,
  type PackRequest,
  sealWith,
} from '../workflows/pack.ts';
import { loadSigningKey } from './signing-key.ts';

/**
 * Makes a bundle of a release and writes it into a pipe: the same steps as for a file, with nothing
 * kept and nothing beside it.
 * @throws BundleError DISK when nobody reads any more; CONTENT_MISMATCH when a layer was wrong that
 * had been written in part.
 */
export async function packIntoPipe(
  request: Pick<PackRequest, 'release' | 'key' | 'network' | 'limitRate'>,
  output: Writable,
  context: Context,
): Promise<PackReport> {
  const { observe, signal, concurrency } = context;
  const network = await Network.open(request.network, context);
  try {
    const ownKey = await loadSigningKey(request.key, context.configFolder);
    const release = await findRelease(request.release, network, context);
    const described = describeBundle(contentsOf(release));
    const key = ownKey ?? (await firstKey({ key: request.key, dryRun: false }, context)).key;
    const plan = planBundle(described, sealWith(key, key.sign(described.sums)));
    const { layers, images } = release.content;
    const bytes = layers.reduce((total, { descriptor }) => total + descriptor.size, 0);
    observe({ type: 'planned', blobs: layers.length, bytes, images: images.length });
    observe({ type: 'phase', what: 'packing into the pipe' });
    const writer = await PipeWriter.begin(output, plan);
    await readAhead(layers, (blob, content) => writer.append(blob.descriptor, content), {
      concurrency,
      signal,
      observe,
      limit: request.limitRate === undefined ? undefined : new RateLimit(request.limitRate),
    });
    const digest = await writer.finish();
    return {
      path: 'stdout',
      size: plan.size,
      bundleDigest: plan.bundleDigest,
      volumes: [{ path: 'stdout', size: plan.size, digest }],
      before: 0,
      left: 0,
      signer: { id: key.public.id, algorithm: key.public.algorithm },
      release,
      space: undefined,
      kept: { layers: 0, bytes: 0, finished: false },
      dryRun: false,
    };
  } finally {
    await network.close();
  }
}
