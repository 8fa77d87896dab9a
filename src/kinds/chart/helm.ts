import { join } from 'node:path';

import { BundleError, systemCode } from '../../core/errors.ts';
import { MAX_RENDERED_BYTES } from '../../core/limits.ts';
import { oneLine } from '../../core/text.ts';
import { systemWords } from '../../files/disk-error.ts';
import { type ProgramEnd, runProgram } from '../../programs/run.ts';

/** The helm program. */
export interface Helm {
  /** Its path, or its name on PATH. */
  readonly program: string;
  /** As it says itself: `v3.19.0+g3d8990f`. */
  readonly version: string;
}

/** What a chart is rendered for. */
export interface RenderOptions {
  /** Paths of values files, the later ones over the earlier. */
  readonly values: readonly string[];
  /** The version of Kubernetes that templates see: `1.30.0`. */
  readonly kubeVersion: string;
  /** APIs that templates see, as in `security.openshift.io/v1`. */
  readonly apiVersions: readonly string[];
}

/**
 * What templates see where nobody names a version. A helm that was built from source would say 1.20,
 * which many charts refuse.
 */
export const DEFAULT_KUBE_VERSION = '1.34.0';

/** How a run of helm is kept away from the user's own helm. */
interface Run {
  /** An empty folder of this run. */
  readonly scratch: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const MAX_VERSION_BYTES = 4096;
/** Its own words in a message. */
const MAX_COMPLAINT = 2000;
/** Far more than any chart takes. */
const PATIENCE_MS = 10 * 60_000;

/**
 * The helm program of that name or path, if there is one that answers.
 * @throws BundleError CONFIGURATION for one that is there and fails, or is older than version 3.
 */
export async function findHelm(program: string, run: Run): Promise<Helm | undefined> {
  const ended = await runHelm(program, ['version', '--template', '{{.Version}}'], {
    ...{ ...run, limit: MAX_VERSION_BYTES },
  });
  if (ended === undefined) return undefined;
  const version = ended.output.trim();
  if (ended.status === 0 && /^v[3-9]\./.test(version)) return { program, version };
  throw new BundleError('CONFIGURATION', `${program} cannot be used to render charts`, {
    expected: 'helm 3 or newer',
    got: oneLine(version === '' ? ended.said : version, 200),
    hint: 'Name another one with --helm PATH.',
  });
}

/**
 * Renders a chart as `helm template` does, with its hooks and custom resource definitions, without
 * its tests. Nothing is asked of a cluster or of a network, and the user's own plugins and
 * repositories are not there.
 * @param archive path of the packaged chart.
 * @param what the chart is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT with helm's own words, which name the file, the line and
 * the function; INTERRUPTED
 */
export async function renderChart(
  helm: Helm,
  { archive, what }: { readonly archive: string; readonly what: string },
  options: RenderOptions,
  run: Run,
): Promise<string> {
  const words = [
    ...['template', 'bundle', archive, '--include-crds', '--skip-tests'],
    ...['--kube-version', options.kubeVersion],
    ...options.values.flatMap((path) => ['--values', path]),
    ...options.apiVersions.flatMap((name) => ['--api-versions', name]),
  ];
  const ended = await runHelm(helm.program, words, { ...run, limit: MAX_RENDERED_BYTES });
  if (ended?.status === 0) return ended.output;
  const complaint = (ended?.said ?? '').replace(/^Error: /, '');
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `the chart ${what} does not render: ${oneLine(complaint, MAX_COMPLAINT)}`,
    {
      hint:
        'Give the values that it needs with --helm-values, or list its images in a file: ' +
        '--helm-images FILE.',
      subject: what,
    },
  );
}

/** @returns `undefined` where there is no such program. */
async function runHelm(
  program: string,
  args: readonly string[],
  { scratch, env, signal, limit }: Run & { readonly limit: number },
): Promise<ProgramEnd | undefined> {
  const own = {
    ...{ PATH: env['PATH'], HOME: scratch, TMPDIR: scratch, KUBECONFIG: join(scratch, 'none') },
    HELM_CACHE_HOME: join(scratch, 'cache'),
    HELM_CONFIG_HOME: join(scratch, 'config'),
    HELM_DATA_HOME: join(scratch, 'data'),
  };
  const call = { program, args, env: own, limit, patienceMs: PATIENCE_MS, signal };
  const ended = await runProgram({ ...call, input: 'nothing', stderr: 'caller' }).catch(
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw systemCode(error) === undefined ? error : cannotStart(program, error);
    },
  );
  if (ended?.fault === undefined) return ended;
  const why =
    ended.fault === 'late'
      ? `did not end within ${PATIENCE_MS / 60_000} minutes`
      : `writes more than ${limit} bytes`;
  throw new BundleError('UNSUPPORTED_CONTENT', `${program} ${why}`, {
    hint: 'No chart needs that: check it.',
  });
}

function cannotStart(program: string, cause: unknown): BundleError {
  return new BundleError('CONFIGURATION', `${program} cannot be started: ${systemWords(cause)}`, {
    cause,
    hint: 'Name another helm with --helm PATH.',
  });
}
