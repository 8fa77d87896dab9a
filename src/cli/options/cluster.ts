import { BundleError } from '../../core/errors.ts';
import type { ApplyRequest, ApplyScope } from '../../delivering/applying/request.ts';
import { isLoopback } from '../../core/reference.ts';
import { isThere } from '../../files/look.ts';
import { flag, requiredText, text } from '../arguments.ts';
import { ask, canAsk } from '../ask.ts';
import type { Arguments } from '../command.ts';
import type { Io } from '../io.ts';
import { laidOut } from '../present/layout.ts';
import { type ColorMode, screenOf } from '../present/screen.ts';
import { one, type OptionTable, yes } from './table.ts';

const group = 'Cluster:';

/** What is applied; the first is meant where `--apply` has no value. */
const SCOPES: readonly ApplyScope[] = ['signatures', 'all'];

/** That files for the cluster are applied, and to which cluster. */
export const clusterOptions: OptionTable = {
  apply: {
    type: 'string',
    choices: SCOPES,
    group,
    describe:
      'apply the files for the cluster: signatures (default), which lets it check the releases, ' +
      'or all, which may drain nodes',
  },
  'apply-release-image-signature': yes('the same as --apply signatures, as in oc', { group }),
  kubeconfig: one('kubeconfig of the cluster, instead of $KUBECONFIG or ~/.kube/config', { group }),
  context: one('context of the kubeconfig, instead of the current one', { group }),
  yes: yes('apply without a question what makes nodes do something', { group }),
};

/**
 * Gives `--apply` its usual value where none follows, so that it takes no other word of the command
 * line for one.
 */
export async function withApplyScope(argv: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    argv.map(async (word, index) => {
      const isAlone = word === '--apply' && !(await isMeantAsScope(argv[index + 1]));
      return isAlone ? `--apply=${SCOPES[0]!}` : word;
    }),
  );
}

/** A word that is nearly a scope is one that is refused, and not a path that nobody meant. */
async function isMeantAsScope(word: string | undefined): Promise<boolean> {
  if (word === undefined || word === '') return false;
  if (SCOPES.some((scope) => scope === word)) return true;
  const isNear = SCOPES.some((scope) => scope.startsWith(word.toLowerCase()));
  return isNear && !(await isThere(word));
}

/**
 * Refuses to send mirrors to a cluster that name a registry which no node can reach.
 * @throws BundleError USAGE
 */
export function refuseLoopback({ scope }: ApplyRequest, registry: string): void {
  if (scope !== 'all' || !isLoopback(registry)) return;
  throw new BundleError(
    'USAGE',
    `--apply all would tell nodes to pull from ${registry}, which is an address of this machine`,
    {
      hint:
        'Give --to the name that nodes reach the registry by. ' +
        '--apply signatures can be done with this one.',
    },
  );
}

/**
 * @returns `undefined` where nothing is to be applied.
 * @throws BundleError USAGE where nobody can be asked about nodes, and for options without --apply
 */
export function applyRequest(args: Arguments, io: Io): ApplyRequest | undefined {
  const scope = scopeOf(args);
  if (scope === undefined) {
    const idle = ['kubeconfig', 'context', 'yes'].find((name) => args[name] !== undefined);
    if (idle === undefined) return undefined;
    throw new BundleError('USAGE', `--${idle} does nothing without --apply`, {
      hint: 'Add --apply, or leave it out.',
    });
  }
  const isAgreed = flag(args, 'yes');
  if (scope === 'all' && !isAgreed && !flag(args, 'dry-run') && !canAsk(io)) {
    throw new BundleError('USAGE', '--apply all may drain nodes, and nobody can be asked here', {
      hint: 'Look at it with --dry-run, then confirm it with --yes.',
    });
  }
  return {
    scope,
    kubeconfig: text(args, 'kubeconfig'),
    context: text(args, 'context'),
    canAsk: canAsk(io),
    confirm: async (plan) => {
      if (isAgreed) return true;
      const { planText } = await import('../present/cluster/apply-report.ts');
      const wishes = { color: requiredText(args, 'color') as ColorMode, isVerbose: false };
      const screen = screenOf(io.stderr, io.environment, wishes);
      io.stderr.write(`${laidOut(planText(plan), screen)}\n`);
      return /^y(?:es)?$/i.test((await ask(io, 'Apply this? [y/N] ')).trim());
    },
  };
}

function scopeOf(args: Arguments): ApplyScope | undefined {
  const named = text(args, 'apply') as ApplyScope | undefined;
  if (!flag(args, 'apply-release-image-signature')) return named;
  if (named !== 'all') return 'signatures';
  throw new BundleError(
    'USAGE',
    '--apply all and --apply-release-image-signature exclude each other',
    {
      hint: 'Give one of them: all has the signatures in it.',
    },
  );
}
