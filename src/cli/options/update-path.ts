import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { parseReference } from '../../core/reference.ts';
import { oneLine } from '../../core/text.ts';
import type { Architecture } from '../../kinds/release/architecture.ts';
import type { GraphRelease } from '../../updates/graph.ts';
import { minorOf } from '../../updates/version-order.ts';
import { text, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { acceptRiskOption, graphRequest, graphSourceOptions } from './graph.ts';
import { one, type OptionTable } from './table.ts';

/** The releases of an update, instead of their versions. */
export const updatePathOptions: OptionTable = {
  'from-version': one('release that the cluster runs: all that it has to pass is taken', {
    group: 'Update graph:',
  }),
  'to-version': one('release that the cluster is to run', { group: 'Update graph:' }),
  ...graphSourceOptions,
  ...acceptRiskOption,
};

/** A release that an update passes. */
export interface PassedRelease {
  readonly version: string;
  readonly architecture: Architecture;
  /** The digest that the graph names. */
  readonly expected: Digest;
}

/** Whether a command line asks for an update, and not for versions. @throws BundleError USAGE */
export function asksForUpdate(args: Arguments): boolean {
  const ends = ['from-version', 'to-version'] as const;
  const given = ends.filter((name) => text(args, name) !== undefined);
  const [missing] = ends.filter((name) => !given.includes(name));
  if (given.length === 0) {
    const names = ['accept-risk', ...(args['channel'] === undefined ? ['graph', 'graph-url'] : [])];
    const idle = names.find((name) => args[name] !== undefined);
    if (idle === undefined) return false;
    throw new BundleError('USAGE', `--${idle} has a meaning only with --from-version`, {
      hint: 'Give --from-version and --to-version, or leave it out.',
    });
  }
  if (missing !== undefined) {
    throw new BundleError('USAGE', `--${given[0]!} needs --${missing}`, {
      hint:
        'Give both: the release that the cluster runs, and the one that it is to run. Or name the ' +
        'releases by their versions, without them.',
    });
  }
  const place = text(args, 'from') ?? '';
  if (texts(args, 'VERSION').length > 0 || /@|:[^/:]*$/.test(place.replace(/^oci:/, ''))) {
    throw new BundleError('USAGE', '--from-version and --to-version say which releases are meant', {
      hint: 'Leave the versions out, and name a repository with --from, without tag and digest.',
    });
  }
  return true;
}

/**
 * The releases that a cluster passes from one version to another, without the one that it runs.
 * @throws BundleError as planning a path does; USAGE where there is nothing to carry.
 */
export async function passedReleases(
  args: Arguments,
  architectures: readonly Architecture[],
  context: Context,
): Promise<readonly PassedRelease[]> {
  // Imported here and not at the start: it needs libraries that take time to load.
  const { planPath } = await import('../../workflows/updates.ts');
  const [from, to] = [text(args, 'from-version')!, text(args, 'to-version')!];
  const passed: PassedRelease[] = [];
  for (const architecture of architectures) {
    const { path, graph, risks } = await planPath(
      {
        ...graphRequest(args, `stable-${minorOf(to)}`, architecture),
        ...{ from, to, acceptedRisks: texts(args, 'accept-risk') },
      },
      context,
    );
    if (path.steps.length === 0) {
      throw new BundleError('USAGE', `the cluster runs ${to} already: there is nothing to carry`, {
        hint: 'To carry that release all the same, name it without --from-version.',
      });
    }
    context.observe({
      ...{ type: 'noticed', code: 'update-path', versions: path.versions, architecture },
      risks: [...new Set(risks.flatMap(({ name, accepted }) => (accepted ? [] : name)))],
    });
    for (const version of path.versions.slice(1))
      passed.push({ version, architecture, expected: digestIn(graph.release(version)!) });
  }
  return passed;
}

/** The digest of a release image, as a graph names it. @throws BundleError CONTENT_MISMATCH */
export function digestIn({ version, payload }: Pick<GraphRelease, 'version' | 'payload'>): Digest {
  let digest: Digest | undefined;
  try {
    ({ digest } = parseReference(payload));
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
  }
  if (digest !== undefined) return digest;
  throw new BundleError(
    'CONTENT_MISMATCH',
    `the update graph has no digest for the release image of ${version}`,
    {
      expected: 'a reference by digest: quay.io/openshift-release-dev/ocp-release@sha256:…',
      got: payload === '' ? 'nothing' : oneLine(payload),
      hint: 'Without it nobody can tell whether the release is the one that is meant.',
    },
  );
}
