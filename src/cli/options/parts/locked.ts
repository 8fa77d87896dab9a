import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import type { OffersRequest } from '../../../kinds/graph/offers.ts';
import type { PartRequest } from '../../../kinds/kind.ts';
import type { FollowedLock } from '../../../packing/lock/follow.ts';
import type { Lock } from '../../../packing/lock/lock.ts';
import { text, texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { graphDataPlace } from '../graph-data.ts';
import { proofRequest } from '../release.ts';

/** What a command line asks for that names a lock. */
interface LockedParts {
  readonly parts: readonly PartRequest[];
  readonly offers: OffersRequest | undefined;
  readonly set: Pick<Lock, 'name' | 'volumeSize'>;
  readonly attached: Pick<Lock, 'signatures' | 'referrers'> & {
    readonly releaseKeyFiles: readonly string[];
  };
  readonly lock: { readonly followed: FollowedLock };
}

/**
 * Exactly what a lock names.
 * @param decided options that say what is carried: the lock says that.
 * @throws BundleError USAGE, CONFIGURATION, NOT_FOUND, DISK
 */
export async function lockedParts(
  file: string,
  decided: readonly string[],
  args: Arguments,
  context: Context,
): Promise<LockedParts> {
  const twice = decided.find((name) => args[name] !== undefined);
  if (twice !== undefined || texts(args, 'VERSION').length > 0) {
    const what = twice === undefined ? 'a version' : `--${twice}`;
    throw new BundleError('USAGE', `${what} beside --locked: the lock says what is carried`, {
      hint: `Leave it out; or write a new lock, without --locked and with --lock FILE.`,
    });
  }
  const { readLock } = await import('../../../packing/lock/read.ts');
  const { requestsOf } = await import('../../../packing/lock/requests.ts');
  const followed: FollowedLock = { file, lock: await readLock(file) };
  const config = text(args, 'config');
  if (config !== undefined) {
    const { usableImageSet } = await import('../../../workflows/image-set/file.ts');
    const { requireSameFile } = await import('../../../packing/lock/asked.ts');
    requireSameFile(await usableImageSet(config, context), config, followed);
  }
  const { lock } = followed;
  const parts = requestsOf(lock, file, {
    proof: proofRequest(args),
    graphData: lock.graph.length === 0 ? undefined : await graphDataPlace(args),
    chartKeyring: text(args, 'chart-keyring'),
    env: context.environment.env,
  });
  return {
    parts,
    offers: lock.offers,
    set: lock,
    attached: {
      ...{ signatures: lock.signatures, referrers: lock.referrers },
      releaseKeyFiles: texts(args, 'release-key'),
    },
    lock: { followed },
  };
}
