import { join } from 'node:path';

import { BundleError, systemCode } from '../../core/errors.ts';
import { MAX_RENDERED_BYTES } from '../../core/limits.ts';
import { oneLine } from '../../core/text.ts';
import { systemWords } from '../../files/disk-error.ts';
import { type ProgramEnd, runProgram } from '../../programs/run.ts';
import { NO_HELM, type Rendering } from './request.ts';

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
  readonly limits?: HelmLimits;
}

/** How long helm may take, and what it has started. */
export interface HelmLimits {
  readonly versionMs: number;
  readonly renderMs: number;
  /** @see runProgram */
  readonly graceMs?: number;
}

const MAX_VERSION_BYTES = 4096;
/** Its own words in a message. */
const MAX_COMPLAINT = 2000;
/** Far more than the largest charts take. */
const LIMITS: HelmLimits = { versionMs: 20_000, renderMs: 2 * 60_000 };

/**
 * The helm program that somebody has named, or that on PATH, if there is one.
 * @throws BundleError CONFIGURATION for one that was named and is not there; as {@link findHelm}
 */
export async function helmOf(
  { helm: named }: Pick<Rendering, 'helm'>,
  run: Run,
): Promise<Helm | undefined> {
  if (named === NO_HELM) return undefined;
  const found = await findHelm(named ?? 'helm', run);
  if (found !== undefined || named === undefined) return found;
  throw new BundleError('CONFIGURATION', `there is no program ${oneLine(named)}`, {
    hint:
      'Check the path that --helm names. To carry charts without rendering them, as their ' +
      `publishers or --helm-images list their images: --helm ${NO_HELM}.`,
    subject: named,
  });
}

/**
 * The helm program of that name or path, if there is one that answers.
 * @throws BundleError CONFIGURATION for one that is there and fails, or is older than version 3.
 */
export async function findHelm(program: string, run: Run): Promise<Helm | undefined> {
  const { limits = LIMITS } = run;
  const call = { limit: MAX_VERSION_BYTES, patienceMs: limits.versionMs };
  const ended = await runHelm(program, ['version', '--template', '{{.Version}}'], {
    ...{ ...run, ...call },
  });
  if (ended === undefined) return undefined;
  const version = ended.output.trim();
  if (ended.fault === undefined && ended.status === 0 && /^v[3-9]\./.test(version))
    return { program, version };
  throw new BundleError('CONFIGURATION', `${program} cannot be used to render charts`, {
    expected: 'helm 3 or newer, which tells its version',
    got: faultOf(ended, call) ?? oneLine(version === '' ? ended.said : version, 200),
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
  const { limits = LIMITS } = run;
  const call = { limit: MAX_RENDERED_BYTES, patienceMs: limits.renderMs };
  const ended = await runHelm(helm.program, words, { ...run, ...call });
  const fault = faultOf(ended, call);
  if (ended?.status === 0 && fault === undefined) return ended.output;
  const complaint = fault ?? (ended?.said ?? '').replace(/^Error: /, '');
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `the chart ${what} does not render: ${oneLine(complaint, MAX_COMPLAINT)}`,
    {
      hint:
        'Give the values that it needs with --helm-values. Or list its images in a file, and do ' +
        `not render it: --helm-images FILE --helm ${NO_HELM}.`,
      subject: what,
    },
  );
}

/** What one run of helm may write, and how long it may take. */
interface HelmCall {
  readonly limit: number;
  readonly patienceMs: number;
}

/** @returns `undefined` where there is no such program. */
async function runHelm(
  program: string,
  args: readonly string[],
  { scratch, env, signal, limits, ...call }: Run & HelmCall,
): Promise<ProgramEnd | undefined> {
  const own = {
    ...{ PATH: env['PATH'], HOME: scratch, TMPDIR: scratch, KUBECONFIG: join(scratch, 'none') },
    HELM_CACHE_HOME: join(scratch, 'cache'),
    HELM_CONFIG_HOME: join(scratch, 'config'),
    HELM_DATA_HOME: join(scratch, 'data'),
  };
  return runProgram({
    ...{ ...call, program, args, env: own, signal, graceMs: limits?.graceMs },
    ...{ input: 'nothing', stderr: 'caller' },
  }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw systemCode(error) === undefined ? error : cannotStart(program, error);
  });
}

/** Why helm was given up; `undefined` where it came to its own end. */
function faultOf(ended: ProgramEnd | undefined, call: HelmCall): string | undefined {
  switch (ended?.fault) {
    case undefined:
      return undefined;
    case 'late':
      return `helm did not end within ${Math.ceil(call.patienceMs / 1000)} seconds`;
    case 'held':
      return 'helm has ended, and a program that it started keeps its output open';
    case 'stdout':
    case 'stderr':
      return `helm writes more than ${call.limit} bytes`;
  }
}

function cannotStart(program: string, cause: unknown): BundleError {
  return new BundleError('CONFIGURATION', `${program} cannot be started: ${systemWords(cause)}`, {
    cause,
    hint: 'Name another helm with --helm PATH.',
  });
}
