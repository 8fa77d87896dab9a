import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import { checkSiteName } from '../../../receipts/receipt.ts';
import type { BaselineRequest } from '../../../opening/incomplete/baselines.ts';
import type { OpenRequest } from '../../../opening/open-bundle.ts';
import { flag, texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { many, one, type OptionTable, yes } from '../table.ts';
import { namedHistory } from './history.ts';

const group = 'Increment:';

/** What a pack may leave out. */
export const baselineOptions: OptionTable = {
  baseline: many(
    'leave out what has arrived: RECEIPT, or the path or digest of a bundle that a receipt names ' +
      '(repeatable)',
    { group },
  ),
  'since-last': one('the same with all receipts of a site that the history has', { group }),
  site: many(
    'pack for this site (repeatable): leave out what every one of the sites has by its receipts',
    { group },
  ),
  each: yes('with --site: make a bundle for each site, and fetch what several of them lack once', {
    group,
  }),
  'assume-delivered': many(
    'leave out what a bundle holds, though no receipt says that it has arrived: path or digest ' +
      '(repeatable)',
    { group },
  ),
  'from-bundle': many(
    'read what this bundle on disk holds from it, in place of fetching it (repeatable)',
    { group },
  ),
  'trusted-key': many(
    'PEM public key of a site, or of a packer of earlier bundles, to trust for this run ' +
      '(repeatable)',
    { group: 'Trust:' },
  ),
};

const STARTS = ['baseline', 'since-last', 'site', 'assume-delivered'];

/** @throws BundleError USAGE */
export async function baselineRequest(
  args: Arguments,
  context: Context,
): Promise<BaselineRequest | undefined> {
  if (flag(args, 'each') && texts(args, 'site').length === 0) throw eachOfNothing();
  const trustedKeyFiles = texts(args, 'trusted-key');
  if (STARTS.every((name) => args[name] === undefined)) {
    const isNeeded = texts(args, 'from-bundle').length > 0;
    if (trustedKeyFiles.length === 0 || isNeeded) return undefined;
    throw new BundleError('USAGE', '--trusted-key is about earlier bundles, and none is named', {
      hint:
        'Name one with --baseline, --since-last, --site, --assume-delivered or --from-bundle; ' +
        '--key signs the bundle.',
    });
  }
  const sites = [...new Set(texts(args, 'site').map(checkSiteName))].sort();
  const other = ['baseline', 'since-last'].find((name) => args[name] !== undefined);
  if (sites.length > 0 && other !== undefined) {
    throw new BundleError('USAGE', `--site and --${other} cannot be used together`, {
      hint:
        'Name each site with --site: what it has is what its receipts in the history say. ' +
        `--${other} is for a bundle that goes to one site.`,
    });
  }
  return {
    baselines: texts(args, 'baseline'),
    sinceLast: texts(args, 'since-last').map(checkSiteName),
    sites,
    assumed: texts(args, 'assume-delivered'),
    open: await openedBy(args),
    history: namedHistory(args, context),
  };
}

/** Bundles on disk that content is taken from. */
export async function fromBundlesRequest(args: Arguments): Promise<OpenRequest | undefined> {
  const paths = texts(args, 'from-bundle');
  if (paths.includes('-')) {
    throw new BundleError('USAGE', '--from-bundle cannot read a pipe', {
      hint: 'Blobs are read from it as they are needed, in any order. Name the file of the bundle.',
    });
  }
  return paths.length === 0 ? undefined : { paths, ...(await openedBy(args)) };
}

/** How earlier bundles are opened, and whose receipts are believed. */
async function openedBy(args: Arguments): Promise<Omit<OpenRequest, 'paths'>> {
  const { KINDS } = await import('../../../kinds/all.ts');
  return {
    kinds: KINDS,
    trustedKeyFiles: texts(args, 'trusted-key'),
    releaseKeyFiles: texts(args, 'release-key'),
  };
}

/**
 * What a bundle for each site starts from. @throws BundleError USAGE for what is about one bundle
 */
export function sitesOfEach(
  args: Arguments,
  request: BaselineRequest | undefined,
): BaselineRequest {
  if (request === undefined) throw eachOfNothing();
  const other = ['repair', 'stop-after'].find((name) => args[name] !== undefined);
  if (other === undefined) return request;
  throw new BundleError('USAGE', `--each and --${other} cannot be used together`, {
    hint:
      other === 'repair'
        ? 'A patch is for one bundle: name the one site that it was packed for, without --each.'
        : 'What an earlier bundle of the run holds is read from it, so it has to stay in place.',
  });
}

function eachOfNothing(): BundleError {
  return new BundleError('USAGE', '--each makes a bundle for each site, and none is named', {
    hint: 'Name each of them with --site SITE.',
  });
}
