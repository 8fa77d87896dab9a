import { BundleError, systemCode } from '../core/errors.ts';
import { serverText } from '../core/http/secrets.ts';
import { shellWord } from '../core/text.ts';
import { ApiRefusal, BEING_DELETED, type FieldFault, OddAnswer } from './api-http.ts';
import { called, type ObjectName } from './object.ts';

/** What was done when it failed. */
export interface Doing {
  readonly context: string;
  readonly host: string;
  /** `undefined` where the context names nobody. */
  readonly user: string | undefined;
  readonly verb: 'read' | 'list' | 'apply';
  readonly object: ObjectName;
}

/** The path of the list of what a group of the API has: `/apis/GROUP/VERSION`. */
const GROUP_PATH = /^(?:\/[^/]+)*?\/(?:api|apis\/[^/]+)\/[^/]+$/;

export function isDiscovery(path: string): boolean {
  return GROUP_PATH.test(path);
}

/** The cluster does not know the kind of an object. */
export function isUnknownKind(error: unknown): boolean {
  if (error instanceof ApiRefusal) return error.status === 404 && GROUP_PATH.test(error.path);
  return error instanceof Error && error.message.includes('Unrecognized API version and kind');
}

/** The cluster knows the kind, and has no object of that name. */
export function isUnknownObject(error: unknown): boolean {
  return error instanceof ApiRefusal && error.status === 404 && !GROUP_PATH.test(error.path);
}

/** What names the next page of a list holds for some minutes. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiRefusal && error.status === 410;
}

/**
 * Turns a failure of a request to an API server into one of this program: NOT_ALLOWED for what it
 * refuses to this user, NOT_FOUND for what it does not have, CLUSTER for what it does not take as it
 * is, NETWORK for what did not reach it. Neither the credentials nor the object are in any message.
 */
export function failureOf(error: unknown, doing: Doing): unknown {
  if (error instanceof BundleError) return error;
  if (isUnknownKind(error)) return unknownKind(doing);
  if (error instanceof ApiRefusal) return refusal(error, doing);
  if (isWrongAnswer(error)) return wrongAnswer(error, doing);
  return connectionFailure(error, doing);
}

/**
 * What has no code of the system comes from reading an answer: the package throws errors of many
 * sorts for one that it does not expect.
 */
function isWrongAnswer(error: unknown): error is Error {
  if (!(error instanceof Error) || error.name === 'AbortError') return false;
  if (error instanceof OddAnswer) return true;
  const code = systemCode(error) ?? systemCode(error.cause);
  return code === undefined && !PROXY_REFUSAL.test(error.message);
}

/** The message of the package is left out: it may quote the answer. */
function wrongAnswer(error: Error, { host, context, verb, object }: Doing): BundleError {
  const what = called(object);
  const found = error instanceof OddAnswer ? error.found : 'what cannot be understood';
  const kind = object.kind === 'ClusterVersion' ? 'no API server of OpenShift' : 'no API server';
  const message =
    found === BEING_DELETED
      ? `${host} has ${what}, but it is being deleted`
      : `${host} answers as ${kind} does: asked to ${verb} ${what}, it answered ${found}`;
  return new BundleError('CLUSTER', message, {
    cause: error,
    hint:
      found === BEING_DELETED
        ? 'Wait until the cluster has deleted it, then try again.'
        : 'A proxy or a login page may stand before the API server: check the server in the ' +
          `kubeconfig; oc get clusterversion --context ${shellWord(context)} has to work.`,
    subject: what,
  });
}

function refusal(error: ApiRefusal, doing: Doing): BundleError {
  const { host, context, object, verb } = doing;
  const what = called(object);
  const told = serverText(error.said);
  const said = told === '' ? 'it gives no reason' : told;
  const subject = what;
  switch (error.status) {
    case 401:
      return new BundleError(
        'NOT_ALLOWED',
        `${host} does not know who asks: the credentials of the context ${context} are wrong, ` +
          'or have expired',
        { cause: error, hint: `Log in again: oc login https://${host}.`, subject: host },
      );
    case 403:
      return new BundleError('NOT_ALLOWED', `${host} does not let you ${verb} ${what}: ${said}`, {
        cause: error,
        hint: `${canI(doing)} tells what this user may do; an administrator of the cluster may.`,
        subject,
      });
    case 404:
      return new BundleError('NOT_FOUND', `${host} cannot ${verb} ${what}: ${said}`, {
        cause: error,
        hint: `Check the context: ${context} may be another cluster than you mean.`,
        subject,
      });
    case 409:
      return new BundleError(
        'CLUSTER',
        `${what} is not changed: somebody else has set ${fieldsText(error, said)}`,
        { cause: error, hint: conflictHint(object), subject },
      );
    case 422:
    case 400:
      return new BundleError(
        'CLUSTER',
        `${host} does not take ${what}: ${faultsText(error.faults, said)}`,
        {
          cause: error,
          hint: 'The cluster may be too old for this object: compare it with oc explain.',
          subject,
        },
      );
    default:
      if (error.status >= 300 && error.status <= 399) {
        const found = `a redirect (${error.status})`;
        return wrongAnswer(new OddAnswer(found), doing);
      }
      return new BundleError(
        'CLUSTER',
        `${host} cannot ${verb} ${what}: ${error.status} ${told === '' ? '(no reason given)' : told}`,
        {
          cause: error,
          hint: 'Look at the state of the cluster with oc get clusteroperators, then try again.',
          subject,
          temporary: error.status >= 500 || error.status === 429,
        },
      );
  }
}

/** `.binaryData.x (set by kubectl-edit)`, for each field of a conflict. */
function fieldsText({ faults }: ApiRefusal, said: string): string {
  if (faults.length === 0) return `it: ${said}`;
  return faults
    .map(({ field, message }) => {
      const manager = /conflict with "([^"]+)"/.exec(message)?.[1];
      return `${serverText(field)}${manager === undefined ? '' : ` (${serverText(manager)})`}`;
    })
    .join(', ');
}

function faultsText(faults: readonly FieldFault[], said: string): string {
  if (faults.length === 0) return said;
  return faults
    .map(({ field, message }) => `${serverText(field)}: ${serverText(message)}`)
    .join('; ');
}

function conflictHint(object: ObjectName): string {
  const ofOpenShift =
    object.kind === 'CatalogSource'
      ? 'If it is a catalog that OpenShift brings along, turn these off first: oc patch operatorhub ' +
        `cluster --type merge -p '{"spec":{"disableAllDefaultSources":true}}'. `
      : '';
  const namespace =
    object.metadata.namespace === undefined ? '' : ` -n ${object.metadata.namespace}`;
  return (
    ofOpenShift +
    'Look who it is, and whether their value is right: ' +
    `oc get ${resourceOf(object)} ${object.metadata.name}${namespace} -o yaml ` +
    '--show-managed-fields. To replace it: oc apply --server-side --force-conflicts -f FILE, ' +
    'with its file of the cluster resources.'
  );
}

/** A kind as oc takes it, with its group: several groups have an Image. */
function resourceOf({ kind, apiVersion }: ObjectName): string {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/', 1) : [];
  return group === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
}

function unknownKind({ host, object }: Doing): BundleError {
  const { kind, apiVersion } = object;
  return new BundleError('NOT_FOUND', `${host} has no ${kind} (${apiVersion})`, {
    hint: HINTS_OF_KIND[kind] ?? `Check which cluster this is, and what it has: oc api-resources.`,
    subject: kind,
  });
}

/** What a cluster needs that does not know a kind. */
const HINTS_OF_KIND: Readonly<Record<string, string>> = {
  ClusterVersion: 'This is no OpenShift cluster: choose another one with --context.',
  ImageDigestMirrorSet:
    'OpenShift has it from 4.13 on; an older cluster takes an ImageContentSourcePolicy. ' +
    '--apply signatures leaves mirrors alone.',
  ImageTagMirrorSet: 'OpenShift has it from 4.13 on. --apply signatures leaves mirrors alone.',
  UpdateService: 'Install the OpenShift Update Service operator first.',
  CatalogSource: 'This cluster has no Operator Lifecycle Manager.',
  ClusterCatalog: 'OpenShift has it from 4.18 on; an older cluster takes a CatalogSource.',
  ConfigMap: 'This is no API server of Kubernetes: check the server in the kubeconfig.',
};

/** The command that tells whether this user may do it. */
function canI({ object, verb, context }: Doing): string {
  const { namespace } = object.metadata;
  const where = namespace === undefined ? '' : ` -n ${namespace}`;
  const verbs = { read: 'get', list: 'list', apply: 'patch' };
  return (
    `oc auth can-i ${verbs[verb]} ${resourceOf(object)}${where} ` +
    `--context ${shellWord(context)}`
  );
}

/** hpagent has no code for a proxy that says no. */
const PROXY_REFUSAL = /^Bad response: ([0-9]+)/;

function connectionFailure(error: unknown, { host, context }: Doing): unknown {
  if (!(error instanceof Error)) return error;
  const code = systemCode(error) ?? systemCode(error.cause);
  if (error.name === 'AbortError') return error;
  const refused = PROXY_REFUSAL.exec(error.message)?.[1];
  if (code === undefined && refused === undefined) return error;
  const reason =
    refused === undefined
      ? (REASONS[code!] ?? serverText(error.message))
      : `the proxy on the way refuses: it answered ${refused}`;
  return new BundleError('NETWORK', `cannot ask ${host}: ${reason}`, {
    cause: error,
    hint: CERTIFICATE.test(code ?? '')
      ? `Check the certificate of ${host}, and the CA in the kubeconfig; ` +
        `oc get clusterversion --context ${shellWord(context)} has to work.`
      : `Check that ${host} can be reached from here, and the proxy: ` +
        `oc get clusterversion --context ${shellWord(context)} has to work.`,
    temporary: true,
  });
}

const CERTIFICATE =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|ERR_SSL_|INVALID_)/;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection broken by the other end',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be resolved at present',
  ETIMEDOUT: 'no answer in time',
  CERT_HAS_EXPIRED: 'its certificate, or one of those above it, has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is of an authority that is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};
