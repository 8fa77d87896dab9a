import { dirname, isAbsolute, join } from 'node:path';

import type { Environment } from '../core/context.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { MAX_KUBE_CREDENTIAL_BYTES } from '../core/limits.ts';
import { serverText } from '../core/http/secrets.ts';
import { type ProgramEnd, runProgram } from '../programs/run.ts';
import { entryFault, type KubeEntry, textOf } from './kubeconfig.ts';

/** The versions of the protocol that kubectl still knows. */
const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];
/** Somebody may have to log in in a browser first: plugins wait three minutes for that. */
const PLUGIN_MS = 600_000;

export interface PluginOptions {
  readonly cluster: KubeEntry;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Whether the plugin may ask the user something, and be answered. */
  readonly canAsk: boolean;
  /** How long the plugin may take. */
  readonly patienceMs?: number;
}

/** What a plugin hands out. */
export interface PluginCredential {
  readonly header?: string | undefined;
  readonly certificate?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

/**
 * Runs the program that a kubeconfig names for credentials, as kubectl does: without a shell, with
 * the facts about the cluster in `$KUBERNETES_EXEC_INFO`, and an ExecCredential on its stdout.
 * @throws BundleError CONFIGURATION where it cannot be run; NOT_ALLOWED where it has no credentials
 */
export async function askPlugin(
  plugin: JsonObject,
  user: KubeEntry,
  options: PluginOptions,
): Promise<PluginCredential> {
  const entry: KubeEntry = { name: `exec of ${user.name}`, said: plugin, file: user.file };
  const command = textOf(entry, 'command');
  const version = textOf(entry, 'apiVersion');
  if (command === undefined) throw entryFault(entry, 'it names no command');
  if (version === undefined || !VERSIONS.includes(version)) {
    throw entryFault(
      entry,
      `its apiVersion is ${version ?? 'missing'}, not ${VERSIONS.join(' or ')}`,
    );
  }
  const mode = textOf(entry, 'interactiveMode') ?? 'IfAvailable';
  if (mode === 'Always' && !options.canAsk) {
    throw new BundleError('NOT_ALLOWED', `${command} has to ask the user something`, {
      hint: 'Run this in a terminal, or log in with a token: oc login --token.',
      subject: command,
    });
  }
  const isInteractive = mode !== 'Never' && options.canAsk;
  // A path is as seen from the kubeconfig; a bare name is looked for in $PATH.
  const program =
    command.includes('/') && !isAbsolute(command) ? join(dirname(entry.file), command) : command;
  const info = {
    apiVersion: version,
    kind: 'ExecCredential',
    spec: {
      interactive: isInteractive,
      ...(plugin['provideClusterInfo'] === true && { cluster: infoOf(options.cluster) }),
    },
  };
  const env = { ...options.environment.env, ...variablesOf(entry) };
  const { status, output, said } = await run(
    {
      ...{ program, args: listOf(entry, 'args'), entry, isInteractive },
      patienceMs: options.patienceMs ?? PLUGIN_MS,
    },
    { ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    options.signal,
  );
  if (status !== 0) {
    const why = said === '' ? `status ${status ?? 'unknown'}` : serverText(said);
    throw new BundleError('NOT_ALLOWED', `${command} has no credentials: ${why}`, {
      hint: `Run it by hand, or log in again; ${entry.file} names it.`,
      subject: command,
    });
  }
  return credentialIn(output, version, entry);
}

interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly entry: KubeEntry;
  readonly isInteractive: boolean;
  readonly patienceMs: number;
}

async function run(
  { program, args, entry, isInteractive, patienceMs }: Call,
  env: Environment['env'],
  signal: AbortSignal,
): Promise<ProgramEnd> {
  const limit = MAX_KUBE_CREDENTIAL_BYTES;
  const ended = await runProgram({
    ...{ program, args, env, limit, patienceMs, signal },
    input: isInteractive ? 'terminal' : 'nothing',
    stderr: isInteractive ? 'terminal' : 'caller',
  }).catch((cause: unknown) => {
    if (signal.aborted || !(cause instanceof Error)) throw cause;
    const isMissing = systemCode(cause) === 'ENOENT';
    const why = isMissing
      ? `${program} is not installed`
      : `${program} cannot be started (${systemCode(cause) ?? cause.message})`;
    throw entryFault(entry, why, installHintOf(entry));
  });
  const { fault } = ended;
  if (fault === undefined) return ended;
  const words = {
    late: `has not ended within ${Math.ceil(patienceMs / 1000)} seconds`,
    held: 'has ended, and a program that it started keeps its output open',
  };
  const why =
    fault === 'late' || fault === 'held'
      ? words[fault]
      : `writes more than ${limit} bytes to ${fault}`;
  throw entryFault(entry, `${program} ${why}`, 'Run it by hand to see what it does.');
}

/** Of whoever has written the kubeconfig. */
function installHintOf(entry: KubeEntry): string | undefined {
  const hint = textOf(entry, 'installHint');
  return hint === undefined ? undefined : serverText(hint);
}

/** The answer is in no message: it holds a token. */
function credentialIn(output: string, version: string, entry: KubeEntry): PluginCredential {
  let answer: Json;
  try {
    answer = JSON.parse(output) as Json;
  } catch {
    throw entryFault(entry, 'its answer is not JSON');
  }
  const status = isObject(answer) ? answer['status'] : undefined;
  if (!isObject(answer) || answer['kind'] !== 'ExecCredential' || !isObject(status))
    throw entryFault(entry, 'its answer is no ExecCredential with a status');
  if (answer['apiVersion'] !== version)
    throw entryFault(entry, `its answer is not of ${version}, which was asked for`);
  const text = (key: string): string | undefined => {
    const value = status[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const token = text('token');
  const certificate = text('clientCertificateData');
  const key = text('clientKeyData');
  if ((certificate === undefined) !== (key === undefined))
    throw entryFault(entry, 'of client certificate and key, its answer has only one');
  if (token === undefined && certificate === undefined)
    throw entryFault(entry, 'its answer holds neither a token nor a client certificate');
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw entryFault(entry, 'its token has characters that no token has');
  return {
    ...(token !== undefined && { header: `Bearer ${token}` }),
    ...(certificate !== undefined && {
      certificate: Buffer.from(certificate),
      key: Buffer.from(key!),
    }),
  };
}

/** What the protocol tells a plugin about a cluster. */
function infoOf({ said }: KubeEntry): object {
  const kept = [
    'server',
    'tls-server-name',
    'insecure-skip-tls-verify',
    'certificate-authority-data',
    'proxy-url',
  ];
  const extensions = (said['extensions'] ?? []) as readonly Json[];
  const own = extensions.find(
    (some) => isObject(some) && some['name'] === 'client.authentication.k8s.io/exec',
  );
  return {
    ...Object.fromEntries(kept.flatMap((key) => (key in said ? [[key, said[key]]] : []))),
    ...(isObject(own) && { config: own['extension'] ?? null }),
  };
}

function variablesOf(entry: KubeEntry): Record<string, string> {
  const list = entry.said['env'] ?? [];
  if (!Array.isArray(list)) throw entryFault(entry, 'env is not a list');
  return Object.fromEntries(
    (list as readonly Json[]).map((item) => {
      const { name, value = '' } = isObject(item) ? item : {};
      if (typeof name === 'string' && typeof value === 'string') return [name, value];
      throw entryFault(entry, 'an entry of env has no name and value');
    }),
  );
}

function listOf(entry: KubeEntry, key: string): readonly string[] {
  const list = entry.said[key] ?? [];
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string'))
    throw entryFault(entry, `${key} is not a list of texts`);
  return list as readonly string[];
}
