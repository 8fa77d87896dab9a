import { BundleError } from '../../../core/errors.ts';
import type { ByteStream } from '../../../core/bytes.ts';
import type { RepositoryName } from '../../../core/reference.ts';
import { serverText } from '../../../core/http/secrets.ts';
import { answerError } from '../http/answers.ts';
import type { Authorizer } from './authorizer.ts';
import type { Contact, RegistryHost } from '../host/host.ts';
import type { Storages } from '../host/storages.ts';
import type { UploadLimits } from '../host/upload-limits.ts';
import {
  abandon,
  discard,
  headerOf,
  type HttpRequest,
  type HttpResponse,
  type Transport,
  withoutQuery,
} from '../http/transport.ts';

const MAX_REDIRECTS = 10;

/** What a token is asked for. */
const ACTIONS = { pull: 'pull', push: 'pull,push', delete: 'delete,pull,push' } as const;

export interface AccessRequest {
  readonly method: HttpRequest['method'];
  /** A path at the registry, or a URL that the registry named. */
  readonly to: string | URL;
  /** In the infinitive, for messages: `fetch sha256:… from quay.io/a/b`. */
  readonly action: string;
  /** `login` asks for no repository: it is about the credentials alone. */
  readonly access: 'pull' | 'push' | 'delete' | 'login';
  /** Repositories to be pulled from besides, for a mount. */
  readonly alsoPull?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A stream can be sent once only: the request is neither repeated nor sent again with another
   * token.
   */
  readonly body?: Uint8Array | ByteStream;
  readonly answerWithin?: number;
  /** A redirect to another host is the answer; it is not followed. */
  readonly staysHere?: boolean;
  /** How often it is sent at most, instead of as often as others. */
  readonly attempts?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends requests about one repository with its credentials, which go to the registry's own origin
 * only.
 */
export class RepositoryAccess {
  readonly name: RepositoryName;
  readonly transport: Transport;
  readonly #host: RegistryHost;
  readonly #authorizer: Authorizer;

  constructor(
    name: RepositoryName,
    host: RegistryHost,
    transport: Transport,
    authorizer: Authorizer,
  ) {
    this.name = name;
    this.transport = transport;
    this.#host = host;
    this.#authorizer = authorizer;
  }

  async contact(): Promise<Contact> {
    return this.#host.contact();
  }

  /** Whether credentials are known, and where they were looked for. */
  async credentials(): Promise<{ known: boolean; places: readonly string[] }> {
    return this.#authorizer.attempt('');
  }

  /** How large a request the registry accepts, as far as that is known. */
  get limits(): UploadLimits {
    return this.#host.limits;
  }

  /** How often other credentials have been found in place of refused ones. */
  get replacements(): number {
    return this.#authorizer.replacements;
  }

  /** Where the registry keeps its content, as far as that cannot be asked from here. */
  get storages(): Storages {
    return this.#host.storages;
  }

  /**
   * The answer, after at most one renewal of the authorization and ten redirects, whatever its
   * status.
   * @throws BundleError NETWORK, NOT_ALLOWED (by a token server), REGISTRY (redirects that lead
   * nowhere).
   */
  async send(request: AccessRequest): Promise<HttpResponse> {
    const { origin } = await this.#host.contact();
    let url = typeof request.to === 'string' ? new URL(request.to, origin) : request.to;
    for (let redirects = 0; ; redirects++) {
      const response =
        url.origin === origin.origin
          ? await this.#sendAuthorized(request, url)
          : await this.#sendBare(request, url);
      const next = this.#redirectOf(request, response);
      if (next === undefined) return response;
      if (request.staysHere === true && next.origin !== origin.origin) return response;
      await discard(response);
      if (redirects === MAX_REDIRECTS)
        throw this.#misled(`more than ${MAX_REDIRECTS} redirects`, request);
      url = next;
    }
  }

  /** Where an answer leads that was not followed; `undefined` where it is no redirect. */
  redirectOut(response: HttpResponse, action: string): URL | undefined {
    return this.#redirectOf({ method: 'GET', action }, response);
  }

  /** @throws BundleError for a redirect that must not be followed, or cannot be. */
  #redirectOf(
    request: Pick<AccessRequest, 'method' | 'action' | 'body'>,
    response: HttpResponse,
  ): URL | undefined {
    const location = locationOf(request, response);
    if (location === undefined) return undefined;
    const { url } = response;
    if (!URL.canParse(location, url.href)) {
      abandon(response);
      throw this.#misled(`a redirect to ${shown(location)}, which is no address`, request);
    }
    const next = new URL(location, url);
    this.#refuseDowngrade(url, next, request);
    return next;
  }

  /** The answer as an error that names repository and credentials. Takes its body. */
  async failure(response: HttpResponse, action: string): Promise<BundleError> {
    return answerError(response, await this.#authorizer.attempt(action));
  }

  /**
   * The URL of an upload session. Registries behind a proxy that ends TLS often name themselves
   * with `http:`; that is put right, since anything else would send content and credentials in the
   * clear.
   */
  async uploadUrl(response: HttpResponse, action: string): Promise<URL> {
    const { origin } = await this.#host.contact();
    const location = headerOf(response, 'location');
    if (location === undefined || !URL.canParse(location, response.url.href)) {
      const gave = location === undefined ? 'no URL' : `${shown(location)}, which is no address,`;
      throw new BundleError(
        'REGISTRY',
        `cannot ${action}: ${this.name.registry} gave ${gave} for the upload`,
        {
          expected: 'a Location header',
          got: location === undefined ? 'none' : shown(location),
          hint: this.#misledHint,
        },
      );
    }
    const url = new URL(location, response.url);
    if (
      origin.protocol === 'https:' &&
      url.protocol === 'http:' &&
      url.hostname === origin.hostname
    ) {
      return new URL(`${url.pathname}${url.search}`, origin);
    }
    this.#refuseDowngrade(origin, url, { action });
    return url;
  }

  async #sendAuthorized(request: AccessRequest, url: URL): Promise<HttpResponse> {
    const { action, body } = request;
    const scopes = this.#scopes(request);
    const authorization = await this.#authorizer.authorization(scopes, action);
    const response = await this.#sendBare(request, url, authorization);
    if (response.status !== 401 && response.status !== 403) return response;
    const renewed =
      response.status === 401
        ? await this.#authorizer.renewed(response, authorization, scopes, action)
        : await this.#authorizer.replaced(authorization, scopes, action);
    if (renewed === undefined || isStream(body)) return response;
    await discard(response);
    return this.#sendBare(request, url, renewed);
  }

  async #sendBare(request: AccessRequest, url: URL, authorization?: string): Promise<HttpResponse> {
    const { method, headers, body, answerWithin, signal } = request;
    const bare: HttpRequest = {
      method,
      url,
      registry: this.#host,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      body,
      signal,
      ...(answerWithin !== undefined && { answerWithin }),
    };
    return isStream(body)
      ? this.transport.send(bare)
      : this.transport.sendRepeatedly(bare, request.attempts);
  }

  #scopes({ access, alsoPull }: AccessRequest): readonly string[] {
    if (access === 'login') return [];
    const own = `repository:${pathOf(this.name)}:${ACTIONS[access]}`;
    return alsoPull === undefined ? [own] : [own, `repository:${alsoPull}:pull`];
  }

  #refuseDowngrade(from: URL, to: URL, { action }: { action: string }): void {
    if (
      to.protocol === 'https:' ||
      (to.protocol === 'http:' &&
        (from.protocol === 'http:' || this.transport.isInsecure(to, this.#host)))
    )
      return;
    if (to.protocol !== 'http:') {
      throw new BundleError(
        'REGISTRY',
        `cannot ${action}: ${from.host} redirects to ${shown(to.href)}, ` +
          'which is no http(s) address',
        { hint: this.#misledHint },
      );
    }
    throw new BundleError(
      'NETWORK',
      `cannot ${action}: ${from.host} redirects to ${withoutQuery(to)}, ` +
        'which is not protected by TLS',
      {
        hint: `If that is intended, allow it with --insecure-registry ${to.host}.`,
      },
    );
  }

  #misled(why: string, { action }: Pick<AccessRequest, 'action'>): BundleError {
    return new BundleError(
      'REGISTRY',
      `cannot ${action}: ${this.name.registry} answered with ${why}`,
      { hint: this.#misledHint },
    );
  }

  get #misledHint(): string {
    return (
      `The registry, or a proxy in front of it, is set up wrongly: show this to those who run ` +
      `${this.name.registry}.`
    );
  }
}

/** The repository's path at the registry: official images of Docker Hub are in `library/`. */
export function pathOf({ registry, repository }: RepositoryName): string {
  return registry === 'docker.io' && !repository.includes('/')
    ? `library/${repository}`
    : repository;
}

function isStream(body: AccessRequest['body']): body is ByteStream {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** An address that a registry gave, for messages: what comes after `?` may be a secret. */
function shown(address: string): string {
  return serverText(address.replace(/[?#].*$/s, ''));
}

/**
 * Where a redirect leads that is followed: any for GET and HEAD. Of others only those that keep
 * method and body (RFC 9110 section 15.4), where the body can be sent again.
 */
function locationOf(
  { method, body }: Pick<AccessRequest, 'method' | 'body'>,
  response: HttpResponse,
): string | undefined {
  const isRead = method === 'GET' || method === 'HEAD';
  const followed = isRead ? [301, 302, 303, 307, 308] : [307, 308];
  const redirected = followed.includes(response.status) && !isStream(body);
  return redirected ? headerOf(response, 'location') : undefined;
}
