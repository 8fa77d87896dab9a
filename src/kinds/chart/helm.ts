import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { BundleError, systemCode } from '../../core/errors.ts';
import { MAX_RENDERED_BYTES } from '../../core/limits.ts';
import { oneLine } from '../../core/text.ts';

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
/** Its complaints, the first of them. */
const MAX_COMPLAINT = 2000;

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
    got: oneLine(version === '' ? ended.complaint : version, 200),
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
  const complaint = (ended?.complaint ?? '').replace(/^Error: /, '');
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

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** @returns `undefined` where there is no such program. */
async function runHelm(
  program: string,
  words: readonly string[],
  { scratch, env, signal, limit }: Run & { readonly limit: number },
): Promise<Ended | undefined> {
  signal.throwIfAborted();
  const child = spawn(program, words, {
    cwd: scratch,
    env: {
      ...{ PATH: env['PATH'], HOME: scratch, TMPDIR: scratch, KUBECONFIG: join(scratch, 'none') },
      HELM_CACHE_HOME: join(scratch, 'cache'),
      HELM_CONFIG_HOME: join(scratch, 'config'),
      HELM_DATA_HOME: join(scratch, 'data'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  const output: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) output.push(chunk);
    else kill();
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < MAX_COMPLAINT) complaint += chunk.toString('utf8');
  });
  try {
    const status = await new Promise<number | null | undefined>((resolve, reject) => {
      child.on('close', resolve);
      child.on('error', (error) => {
        if (systemCode(error) === 'ENOENT') resolve(undefined);
        else reject(cannotStart(program, error));
      });
    });
    signal.throwIfAborted();
    if (size > limit) {
      throw new BundleError('UNSUPPORTED_CONTENT', `${program} writes more than ${limit} bytes`, {
        hint: 'No chart is that large: check it.',
      });
    }
    if (status === undefined) return undefined;
    return { status, output: Buffer.concat(output).toString('utf8'), complaint };
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function cannotStart(program: string, cause: Error): BundleError {
  return new BundleError('CONFIGURATION', `${program} cannot be started: ${cause.message}`, {
    cause,
    hint: 'Name another helm with --helm PATH.',
  });
}
