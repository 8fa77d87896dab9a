import type { Credentials, CredentialSource } from '../../core/credentials.ts';
import { BundleError } from '../../core/errors.ts';
import { formatRepository, type RepositoryName } from '../../core/reference.ts';
import type { Attempt } from './answers.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { RegistryHost } from './host.ts';
import { basicAuthorization, requestToken, type Token } from './tokens.ts';
import { type HttpResponse, type Transport, withoutQuery } from './transport.ts';

/** What is needed at the registry: one scope for each repository (distribution, "Token Scope Documentation"). */
export type Scopes = readonly string[];

/** Makes the Authorization header of one repository, and keeps its tokens. */
export class Authorizer {
  readonly #name: RepositoryName;
  readonly #host: RegistryHost;
  readonly #transport: Transport;
  readonly #source: CredentialSource;
  #credentials: Promise<Credentials | undefined> | undefined;
  #challenges: readonly Challenge[] | undefined;
  /** Scopes that the registry named beyond those asked for, by the latter. */
  readonly #demanded = new Map<string, Set<string>>();
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(name: RepositoryName, host: RegistryHost, transport: Transport, source: CredentialSource) {
    this.#name = name;
    this.#host = host;
    this.#transport = transport;
    this.#source = source;
  }

  /**
   * The header for a request to the registry's own origin, or `undefined` where it asked for none or nothing is known.
   * Tokens are shared by concurrent callers, and renewed after four fifths of their life.
   * @throws BundleError NOT_ALLOWED where the token server refuses; REGISTRY, NETWORK.
   */
  async authorization(scopes: Scopes, action: string): Promise<string | undefined> {
    const challenges = this.#challenges ?? (await this.#host.contact()).challenges;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return `Bearer ${(await this.#token(bearer, scopes, action)).value}`;
    const credentials = await this.#lookup();
    return credentials && challenges.some(({ scheme }) => scheme === 'basic') ? basicAuthorization(credentials) : undefined;
  }

  /**
   * After a 401: the header to try once more with, made from what the answer asks for; `undefined` where nothing
   * other than `refused` can be offered.
   */
  async renewed(response: HttpResponse, refused: string | undefined, scopes: Scopes, action: string): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers['www-authenticate']);
    if (challenges.length === 0) return undefined;
    this.#challenges = challenges;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) {
      this.#demand(scopes, (bearer.parameters.get('scope') ?? '').split(' '));
      await this.#forget(refused);
    }
    const authorization = await this.authorization(scopes, action);
    return authorization === refused ? undefined : authorization;
  }

  /** What an error message has to say about credentials. */
  async attempt(action: string): Promise<Attempt> {
    const known = (await this.#lookup()) !== undefined;
    return { action, name: this.#name, places: this.#source.places, known };
  }

  async #lookup(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#source.lookup(this.#name);
    return this.#credentials;
  }

  #demand(scopes: Scopes, named: readonly string[]): void {
    const further = named.filter((scope) => scope !== '' && !scopes.includes(scope));
    if (further.length > 0) this.#demanded.set(scopes.join(' '), new Set(further));
  }

  async #token(challenge: Challenge, wanted: Scopes, action: string): Promise<Token> {
    const scopes = [...wanted, ...(this.#demanded.get(wanted.join(' ')) ?? [])];
    const key = JSON.stringify([challenge.parameters.get('realm'), challenge.parameters.get('service'), scopes]);
    const kept = this.#tokens.get(key);
    if (kept) {
      const token = await kept;
      if (performance.now() < token.renewAt) return token;
      if (this.#tokens.get(key) === kept) this.#tokens.delete(key);
    }
    const current = this.#tokens.get(key);
    if (current) return current;
    const fresh = this.#requestToken(challenge, scopes, action);
    this.#tokens.set(key, fresh);
    fresh.catch(() => {
      if (this.#tokens.get(key) === fresh) this.#tokens.delete(key);
    });
    return fresh;
  }

  async #requestToken(challenge: Challenge, scopes: Scopes, action: string): Promise<Token> {
    const { origin } = await this.#host.contact();
    const credentials = await this.#lookup();
    const realm = realmOf(challenge, this.#host.name);
    if (credentials && origin.protocol === 'https:' && realm.protocol !== 'https:') {
      throw new BundleError(
        'NOT_ALLOWED',
        `${this.#host.name} asks for its credentials to be sent in the clear, to ${withoutQuery(realm)}`,
        {
          hint: `A registry with TLS has to name a token server with TLS; ask whoever runs ${this.#host.name}.`,
          subject: formatRepository(this.#name),
        },
      );
    }
    return requestToken(this.#transport, {
      realm,
      service: challenge.parameters.get('service'),
      scopes,
      credentials,
      attempt: await this.attempt(action),
    });
  }

  async #forget(refused: string | undefined): Promise<void> {
    for (const [key, promise] of this.#tokens) {
      const token = await promise.catch(() => undefined);
      if (token !== undefined && `Bearer ${token.value}` === refused && this.#tokens.get(key) === promise) this.#tokens.delete(key);
    }
  }
}

function realmOf(challenge: Challenge, registry: string): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  if (/^https?:\/\//i.test(realm) && URL.canParse(realm)) return new URL(realm);
  throw new BundleError('REGISTRY', `${registry} names no token server in its challenge`, {
    hint: `Check that ${registry} is a container registry.`,
  });
}
