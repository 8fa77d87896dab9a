import { BundleError } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { serverText } from '../core/http/secrets.ts';
import { oneLine, shellWord } from '../core/text.ts';
import { ApiRefusal } from './api-http.ts';
import type { ClusterClient } from './client.ts';
import type { ApiObject } from './object.ts';

/** A release, as a cluster names it. */
export interface OfferedRelease {
  readonly version: string;
  /** By digest. */
  readonly image: string;
}

/** An update that the cluster knows, and advises against, or has not decided on. */
export interface RiskyRelease extends OfferedRelease {
  /** `False` or `Unknown`. */
  readonly recommended: string;
  readonly reason: string;
  readonly message: string;
}

/** A condition of the ClusterVersion. */
export interface ClusterCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A place that nodes ask instead of another: an entry of a mirror set. */
export interface ClusterMirror {
  /** The mirror set. */
  readonly kind: string;
  readonly name: string;
  readonly source: string;
  readonly mirrors: readonly string[];
}

/** What a cluster says of its version and its updates: what `oc adm upgrade` shows. */
export interface VersionFacts {
  /** The version that it has completed last; `undefined` while it installs. */
  readonly version: string | undefined;
  /** The version that it has been told to have, and its release image. */
  readonly desired: OfferedRelease;
  readonly channel: string | undefined;
  readonly upstream: string | undefined;
  readonly updates: readonly OfferedRelease[];
  readonly risky: readonly RiskyRelease[];
  readonly conditions: readonly ClusterCondition[];
}

/** What applying something to a cluster may change. */
export interface ClusterState {
  /** `undefined` where the user may not read it. */
  readonly version: VersionFacts | undefined;
  /** `undefined` where the user may not read them. */
  readonly mirrors: readonly ClusterMirror[] | undefined;
  /** Whether there may be an ImageDigestMirrorSet: OpenShift has them from 4.13 on. */
  readonly knowsDigestMirrors: boolean;
}

/** What matters of a cluster before something is applied to it. */
export interface ClusterFacts extends ClusterState {
  readonly context: string;
  readonly host: string;
  /** Of the nodes, as Kubernetes names them: `amd64`; none where the user may not look. */
  readonly architectures: readonly string[];
  /** Sentences of the API server about what this user may not read. */
  readonly unread: readonly string[];
}

const CONFIG = 'config.openshift.io/v1';
/** The kinds of mirror sets, with the members that list their entries. */
const MIRROR_SETS = [
  ['config.openshift.io/v1', 'ImageDigestMirrorSet', 'imageDigestMirrors'],
  ['config.openshift.io/v1', 'ImageTagMirrorSet', 'imageTagMirrors'],
  ['operator.openshift.io/v1alpha1', 'ImageContentSourcePolicy', 'repositoryDigestMirrors'],
] as const;

/**
 * Reads what matters of a cluster. What the user may not read is left out, and told.
 * @throws BundleError NOT_FOUND for a cluster without ClusterVersion, which is no OpenShift; and as
 * for all requests.
 */
export async function readFacts(client: ClusterClient): Promise<ClusterFacts> {
  const unread: string[] = [];
  const state = await readState(client, unread);
  const nodes = await ifAllowed(client.list('v1', 'Node'), unread);
  const { context, host } = client;
  const architectures = [...new Set((nodes ?? []).flatMap(architectureOf))].sort();
  return { context, host, ...state, architectures, unread };
}

/**
 * The part of it that applying something may change.
 * @param unread gets a sentence for all that the user may not read.
 * @throws BundleError as {@link readFacts}
 */
export async function readState(
  client: ClusterClient,
  unread: string[] = [],
): Promise<ClusterState> {
  const version = await ifAllowed(readVersion(client), unread);
  const sets = await ifAllowed(readMirrors(client), unread);
  return {
    version,
    mirrors: sets?.mirrors,
    knowsDigestMirrors: sets?.known.includes('ImageDigestMirrorSet') ?? true,
  };
}

async function ifAllowed<T>(reading: Promise<T>, unread: string[]): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (!isForbidden(error)) throw error;
    unread.push(error.message);
    return undefined;
  });
}

async function readVersion(client: ClusterClient): Promise<VersionFacts> {
  const name = { apiVersion: CONFIG, kind: 'ClusterVersion', metadata: { name: 'version' } };
  const object = await client.read(name);
  if (object !== undefined) {
    const fault = faultOf(object);
    if (fault === undefined) return versionFacts(object);
    throw new BundleError(
      'CLUSTER',
      `${client.host} is no API server of OpenShift: it answered a ClusterVersion ${fault}`,
      {
        hint:
          'A proxy may stand before the API server, and change what it says: look at ' +
          `oc get clusterversion version -o yaml --context ${shellWord(client.context)}.`,
        subject: client.host,
      },
    );
  }
  throw new BundleError('NOT_FOUND', `${client.host} has no ClusterVersion: it is no OpenShift`, {
    hint: `Choose another cluster with --context: this is ${client.context}.`,
    subject: client.host,
  });
}

/** The members of a ClusterVersion that are lists, where they are there. */
const LISTS = ['history', 'availableUpdates', 'conditionalUpdates', 'conditions'];

/** What a ClusterVersion has that the schema of OpenShift does not allow. */
function faultOf({ spec, status }: ApiObject): string | undefined {
  if (!isObject(spec)) return 'without spec';
  if (!isObject(status)) return 'without status';
  const { desired } = status;
  if (!isObject(desired)) return 'without status.desired';
  const texts = {
    'spec.channel': spec['channel'],
    'spec.upstream': spec['upstream'],
    'status.desired.version': desired['version'],
    'status.desired.image': desired['image'],
  };
  const text = Object.entries(texts).find(([, value]) => typeof (value ?? '') !== 'string');
  if (text !== undefined) return `whose ${text[0]} is not a text`;
  const odd = LISTS.find((key) => {
    const list = status[key] ?? [];
    return !Array.isArray(list) || !(list as readonly Json[]).every(isObject);
  });
  return odd === undefined ? undefined : `whose status.${odd} is not a list of objects`;
}

function isForbidden(error: unknown): error is BundleError {
  if (!(error instanceof BundleError)) return false;
  return error.cause instanceof ApiRefusal && error.cause.status === 403;
}

/** Takes from a ClusterVersion what `oc adm upgrade` shows. */
export function versionFacts({ spec, status }: ApiObject): VersionFacts {
  const said = objectOf(status);
  const wanted = objectOf(spec);
  const history = listOf(said['history']).map(objectOf);
  const completed = history.find(({ state }) => state === 'Completed');
  return {
    version: completed && optional(completed['version']),
    desired: releaseOf(said['desired']),
    channel: optional(wanted['channel']),
    upstream: optional(wanted['upstream']),
    updates: listOf(said['availableUpdates']).map(releaseOf),
    risky: listOf(said['conditionalUpdates']).map(objectOf).flatMap(riskyRelease),
    conditions: listOf(said['conditions']).map(conditionOf),
  };
}

/** An update whose risk was evaluated, and does not touch this cluster, is one of `updates`. */
function riskyRelease({ release, conditions }: JsonObject): readonly RiskyRelease[] {
  const recommended = listOf(conditions)
    .map(conditionOf)
    .find(({ type }) => type === 'Recommended');
  if (recommended === undefined || recommended.status === 'True') return [];
  const { status, reason, message } = recommended;
  return [{ ...releaseOf(release), recommended: status, reason, message }];
}

async function readMirrors(
  client: ClusterClient,
): Promise<{ readonly mirrors: readonly ClusterMirror[]; readonly known: readonly string[] }> {
  const mirrors: ClusterMirror[] = [];
  const known: string[] = [];
  for (const [apiVersion, kind, member] of MIRROR_SETS) {
    const sets = await client.list(apiVersion, kind);
    if (sets !== undefined) known.push(kind);
    for (const { metadata, spec } of sets ?? []) {
      for (const entry of listOf(objectOf(spec)[member]).map(objectOf)) {
        const places = listOf(entry['mirrors']).map(textOf);
        mirrors.push({
          kind,
          name: metadata.name,
          source: textOf(entry['source']),
          mirrors: places,
        });
      }
    }
  }
  return { mirrors, known };
}

function architectureOf({ status }: ApiObject): readonly string[] {
  const architecture = optional(objectOf(objectOf(status)['nodeInfo'])['architecture']);
  return architecture === undefined ? [] : [architecture];
}

function releaseOf(value: Json | undefined): OfferedRelease {
  const { version, image } = objectOf(value);
  return { version: textOf(version), image: textOf(image) };
}

function conditionOf(value: Json): ClusterCondition {
  const { type, status, reason, message } = objectOf(value);
  return {
    type: textOf(type),
    status: textOf(status),
    reason: textOf(reason),
    message: serverText(textOf(message), 2000),
  };
}

/** The cluster has checked its objects against a schema: what is odd counts as empty. */
function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? oneLine(value, 2000) : '';
}

function optional(value: Json | undefined): string | undefined {
  const text = textOf(value);
  return text === '' ? undefined : text;
}
