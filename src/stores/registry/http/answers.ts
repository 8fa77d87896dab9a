import { BundleError, type ErrorCode } from '../../../core/errors.ts';
import { isPassingStatus, waitText } from '../../../core/http/backoff.ts';
import { serverText } from '../../../core/http/secrets.ts';
import { formatRepository, type RepositoryName } from '../../../core/reference.ts';
import { explain, type Explanation, type Lasting } from './explanation.ts';
import { headerOf, type HttpResponse } from './transport.ts';

/** The request that was answered, for the error message. */
export interface Attempt {
  /** In the infinitive: `fetch sha256:… from quay.io/a/b`. */
  readonly action: string;
  readonly name: RepositoryName;
  /** Every place where credentials were looked for. */
  readonly places: readonly string[];
  /** Whether credentials for the repository were found there. */
  readonly known: boolean;
  /** What looks wrong about them. */
  readonly oddity?: string | undefined;
  /** It was not the registry that was asked, but the token server that it names. */
  readonly atTokenServer?: boolean;
}

/** The cause of an error that an answer was made into: what the registry called it. */
class Refusal extends Error {
  /** As in its body (distribution-spec, "Error Codes"). */
  readonly codes: readonly string[];
  readonly byTokenServer: boolean;
  /** Where it was asked for. */
  readonly registry: string;

  constructor(codes: readonly string[], { atTokenServer = false, name }: Attempt) {
    super(codes.join(', '));
    this.codes = codes;
    this.byTokenServer = atTokenServer;
    this.registry = name.registry;
  }
}

/** The codes of the distribution-spec for failures of the registry itself. */
export function registryCodes(error: BundleError): readonly string[] {
  return error.cause instanceof Refusal ? error.cause.codes : [];
}

/** The registry that an error is an answer of, which may be a mirror of the one that was meant. */
export function answeredBy(error: BundleError): string | undefined {
  return error.cause instanceof Refusal ? error.cause.registry : undefined;
}

/** Whether the token server refused, so that the registry was never asked. */
export function isOfTokenServer(error: BundleError): boolean {
  return error.cause instanceof Refusal && error.cause.byTokenServer;
}

/**
 * An answer that is no success, as an error: NOT_FOUND for 404, NOT_ALLOWED for 401 and 403, else
 * REGISTRY. Takes the body for the message, up to 64 KiB.
 */
export async function answerError(response: HttpResponse, attempt: Attempt): Promise<BundleError> {
  const { status, url } = response;
  const explanation = await explain(response);
  const { codes, lasting } = explanation;
  return new BundleError(
    codeOf(status, lasting),
    `cannot ${attempt.action}: ${url.host} answered ${toldBy(response, explanation)}`,
    {
      cause: new Refusal(codes, attempt),
      hint: hintFor(response, explanation, attempt),
      temporary: isPassingStatus(status) && lasting === undefined && response.isLast !== true,
    },
  );
}

/** The status, and what comes with it, for a message. */
export function toldBy(response: HttpResponse, { text, waitMs }: Explanation): string {
  const leads = redirectTo(response);
  const told = leads === undefined ? text : `a redirect to ${leads}`;
  const wait = waitMs === undefined || waitMs < 1000 ? '' : `it asks to wait ${waitText(waitMs)}`;
  return [String(response.status), told, wait].filter((part) => part !== '').join(', ');
}

function redirectTo(response: HttpResponse): string | undefined {
  const isRedirect = response.status >= 300 && response.status <= 399;
  const location = isRedirect ? headerOf(response, 'location') : undefined;
  // What comes after `?` may be a secret.
  return location === undefined ? undefined : serverText(location.replace(/[?#].*$/s, ''));
}

function codeOf(status: number, lasting: Lasting | undefined): ErrorCode {
  if (status === 404) return 'NOT_FOUND';
  // A quota and a full storage are nothing that other credentials would change.
  return lasting === undefined && (status === 401 || status === 403) ? 'NOT_ALLOWED' : 'REGISTRY';
}

const AGAIN = 'Then run the same command again: finished work is kept.';

/** What to do about a refusal that would come again. */
export const LASTING_HINTS: Readonly<Record<Lasting, string>> = {
  'storage-full': `The storage of the registry is full: free some space there. ${AGAIN}`,
  quota: `The quota is used up: have it raised, or delete what nobody needs there. ${AGAIN}`,
  'read-only': `The registry takes no content now, it is read-only: have that changed. ${AGAIN}`,
  'storage-refused':
    'The registry must not write to, or read from, its own storage: show this to those who run it.',
  'no-overwriting':
    'The repository is set to "Disable redeploy", as in Nexus. An image is pushed by its digest ' +
    'and under its tags, which Nexus takes for an update: set the deployment policy to ' +
    '"Allow redeploy".',
  lacking:
    'The registry lacks content that was pushed. If another run pushes to it, or if it collects ' +
    `garbage, wait until that has ended. ${AGAIN}`,
  'long-wait':
    'It has had too many requests, from this host, this account or this address. Wait as long as ' +
    'it asks; where nobody is logged in there, bundle login may raise the limit. ' +
    AGAIN,
};

function hintFor(
  response: HttpResponse,
  { isPage, lasting }: Explanation,
  attempt: Attempt,
): string | undefined {
  const { status, url } = response;
  const { registry } = attempt.name;
  if (status === 507) return LASTING_HINTS['storage-full'];
  if (lasting !== undefined && status !== 404) return LASTING_HINTS[lasting];
  if (isPage || (status === 403 && !isRegistry(url, registry, attempt)))
    return foreignHint(url, registry);
  if (status === 401 || status === 403) return credentialsHint(attempt);
  if (status === 404) return `Check the name, and that it is in ${formatRepository(attempt.name)}.`;
  if (status === 413)
    return 'The registry, or a proxy in front of it, limits uploads: raise the limit.';
  if (status === 204) {
    return (
      `${url.host}, or a proxy in front of it, answers without content where there has to be some. ` +
      `Show this to those who run ${registry}.`
    );
  }
  if (status === 426) {
    const wanted = serverText(headerOf(response, 'upgrade') ?? 'another protocol');
    return (
      `${url.host}, or a proxy in front of it, wants ${wanted} instead of HTTP/1.1: ` +
      `have HTTP/1.1 allowed there.`
    );
  }
  if (status >= 300 && status <= 399) {
    return (
      'This redirect cannot be followed: the registry, or a proxy in front of it, is set up ' +
      `wrongly. Show this to those who run ${registry}.`
    );
  }
  if (status === 500) {
    return (
      `Try again later. If it stays so, ${registry} cannot read or write its own storage ` +
      '(a full disk, a damaged file): its log says why.'
    );
  }
  if (isPassingStatus(status)) return 'Try again later.';
  return undefined;
}

/** Whether that host is the registry, or its token server. */
function isRegistry(
  { host, hostname }: URL,
  registry: string,
  { atTokenServer }: Attempt,
): boolean {
  const isHub = registry === 'docker.io' && hostname.endsWith('.docker.io');
  return atTokenServer === true || isHub || [host, hostname].includes(registry);
}

/** Somebody else answered: a firewall or a proxy, or the storage of the registry. */
function foreignHint({ host }: URL, registry: string): string {
  return host === registry
    ? `Something between here and ${registry} answers in its place, such as a firewall or a ` +
        `proxy: have ${registry} allowed there.`
    : `${registry} leads to ${host} for this. A firewall or a proxy on the way, or ${host} itself, ` +
        `refuses the request: have ${host} allowed for this host too.`;
}

/** Where the credentials came from, or where they were looked for. */
function credentialsHint({ name, places, known, oddity }: Omit<Attempt, 'action'>): string {
  // The usual places are four, and the first is the one that login writes to.
  const [first, ...others] = places;
  const many = others.length === 1 ? 'file' : 'files';
  const more = others.length === 0 ? '' : ` and ${others.length} other auth ${many}`;
  const looked = first === undefined ? 'no auth file was looked at' : `looked at ${first}${more}`;
  if (oddity !== undefined)
    return (
      `For ${formatRepository(name)}, ${oddity} (${looked}). Where an entry is made by hand, echo ` +
      `adds one, and printf %s adds none. bundle login ${name.registry} writes the entry anew.`
    );
  return known
    ? `Check the credentials for ${formatRepository(name)} and what they allow (${looked}). ` +
        'Some registries give the same answer for a repository that does not exist.'
    : `No credentials for ${formatRepository(name)} are known (${looked}): ` +
        `log in with bundle login ${name.registry}, or name an auth file with --authfile FILE.`;
}
