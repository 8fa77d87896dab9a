import type { Credentials, CredentialSource } from '../../../core/credentials.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import { formatRepository, type RepositoryName } from '../../../core/reference.ts';
import type { Attempt } from '../http/answers.ts';
import { type Challenge, parseChallenges } from '../host/challenge.ts';
import type { RegistryHost } from '../host/host.ts';
import { basicAuthorization, requestToken, type Token } from './tokens.ts';
import { type HttpResponse, type Transport, withoutQuery } from '../http/transport.ts';

/**
 * The scopes that a request needs: one for each repository (distribution, "Token Scope
 * Documentation").
 */
export type Scopes = readonly string[];

/** A token that was asked for, and what it was asked for. */
interface KeptToken {
  /** Realm and service. */
  readonly server: string;
  readonly scopes: Scopes;
  readonly token: Promise<Token>;
}

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
  readonly #tokens = new Set<KeptToken>();
  #asking: Promise<Credentials | undefined> | undefined;
  /** Those in place of which the source has no others. */
  #final: Credentials | undefined;
  #replacements = 0;

  constructor(
    name: RepositoryName,
    host: RegistryHost,
    transport: Transport,
    source: CredentialSource,
  ) {
    this.#name = name;
    this.#host = host;
    this.#transport = transport;
    this.#source = source;
  }

  /**
   * The header for a request to the registry's own origin, or `undefined` where it asked for none
   * or nothing is known. Tokens are shared by all whom they serve, and renewed after four fifths of
   * their life.
   * @throws BundleError NOT_ALLOWED where the token server refuses; REGISTRY, NETWORK.
   */
  async authorization(scopes: Scopes, action: string): Promise<string | undefined> {
    const challenges = this.#challenges ?? (await this.#host.contact()).challenges;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return `Bearer ${(await this.#token(bearer, scopes, action)).value}`;
    const credentials = await this.#lookup();
    return credentials && challenges.some(({ scheme }) => scheme === 'basic')
      ? basicAuthorization(credentials)
      : undefined;
  }

  /**
   * After a 401: the header to try once more with, made from what the answer asks for; `undefined`
   * where nothing other than `refused` can be offered.
   */
  async renewed(
    response: HttpResponse,
    refused: string | undefined,
    scopes: Scopes,
    action: string,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers['www-authenticate']);
    if (challenges.length === 0) return undefined;
    this.#challenges = challenges;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) {
      this.#demand(scopes, (bearer.parameters.get('scope') ?? '').split(' '));
      await this.#forget(refused);
    }
    const authorization = await this.authorization(scopes, action);
    if (authorization !== refused) return authorization;
    return (await this.#askAgain()) ? this.authorization(scopes, action) : undefined;
  }

  /**
   * After a 403: the header to try once more with, where the password itself was shown and another
   * one is known by now. So some registries answer once a password has expired (Amazon ECR).
   */
  async replaced(
    refused: string | undefined,
    scopes: Scopes,
    action: string,
  ): Promise<string | undefined> {
    if (refused?.startsWith('Basic ') !== true) return undefined;
    const now = await this.authorization(scopes, action);
    if (now !== refused) return now; // another request has seen to it
    return (await this.#askAgain()) ? this.authorization(scopes, action) : undefined;
  }

  /** How often other credentials have been found in place of refused ones. */
  get replacements(): number {
    return this.#replacements;
  }

  /** The facts about credentials for an error message. */
  async attempt(action: string): Promise<Attempt> {
    const credentials = await this.#lookup();
    const { places } = this.#source;
    const known = credentials !== undefined;
    return { action, name: this.#name, places, known, oddity: credentials?.oddity };
  }

  /**
   * Asks the source once more after credentials were refused: what a helper gives may last for an
   * hour only. `true` where others are known now.
   */
  async #askAgain(): Promise<boolean> {
    const refused = await this.#lookup();
    if (refused === undefined || this.#final === refused) return false;
    this.#asking ??= this.#source
      .lookup(this.#name, refused)
      .catch((error: unknown) => {
        if (error instanceof BundleError) return undefined; // the refusal is reported
        throw error;
      })
      .finally(() => (this.#asking = undefined));
    const found = await this.#asking;
    if ((await this.#lookup()) !== refused) return true; // another request was told the same
    if (found === undefined || isSame(found, refused)) {
      this.#final = refused;
      return false;
    }
    this.#credentials = Promise.resolve(found);
    this.#replacements += 1;
    return true;
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
    const server = JSON.stringify([
      challenge.parameters.get('realm'),
      challenge.parameters.get('service'),
    ]);
    const find = (): KeptToken | undefined =>
      [...this.#tokens].find((kept) => kept.server === server && covers(kept.scopes, scopes));
    for (let kept = find(); kept !== undefined; kept = find()) {
      const token = await kept.token;
      if (performance.now() < token.renewAt) return token;
      this.#tokens.delete(kept);
    }
    const fresh: KeptToken = {
      server,
      scopes,
      token: this.#requestToken(challenge, scopes, action),
    };
    this.#tokens.add(fresh);
    fresh.token.catch(() => this.#tokens.delete(fresh));
    return fresh.token;
  }

  async #requestToken(challenge: Challenge, scopes: Scopes, action: string): Promise<Token> {
    const { origin } = await this.#host.contact();
    const credentials = await this.#lookup();
    const realm = realmOf(challenge, this.#host.name);
    if (credentials && origin.protocol === 'https:' && realm.protocol !== 'https:') {
      throw new BundleError(
        'NOT_ALLOWED',
        `${this.#host.name} wants its credentials sent without TLS, to ${withoutQuery(realm)}`,
        {
          hint:
            'A registry with TLS has to name a token server with TLS: ' +
            `ask the operator of ${this.#host.name}.`,
          subject: formatRepository(this.#name),
        },
      );
    }
    const request = {
      registry: this.#host,
      realm,
      service: challenge.parameters.get('service'),
      scopes,
    };
    try {
      return await requestToken(this.#transport, {
        ...request,
        credentials,
        attempt: await this.attempt(action),
      });
    } catch (error) {
      if (!hasCode(error, 'NOT_ALLOWED') || !(await this.#askAgain())) throw error;
      return requestToken(this.#transport, {
        ...request,
        credentials: await this.#lookup(),
        attempt: await this.attempt(action),
      });
    }
  }

  /**
   * Drops a token that was refused, with all others, which may be as old; nothing where another
   * caller has seen to it.
   */
  async #forget(refused: string | undefined): Promise<void> {
    const kept = [...this.#tokens];
    const values = await Promise.all(kept.map(async ({ token }) => token.catch(() => undefined)));
    if (!values.some((token) => token !== undefined && `Bearer ${token.value}` === refused)) return;
    for (const old of kept) this.#tokens.delete(old);
  }
}

/** Whether a token for `held` does for `wanted` as well: one for pull and push does for pull. */
function covers(held: Scopes, wanted: Scopes): boolean {
  return wanted.every((scope) => held.some((other) => other === scope || coversOne(other, scope)));
}

/** Scopes are `type:name:actions`, and a name may hold colons. */
function coversOne(held: string, wanted: string): boolean {
  const [, heldName, heldActions = ''] = /^(.*):([^:]*)$/.exec(held) ?? [];
  const [, wantedName, wantedActions = ''] = /^(.*):([^:]*)$/.exec(wanted) ?? [];
  const allowed = heldActions.split(',');
  return (
    heldName !== undefined &&
    heldName === wantedName &&
    wantedActions.split(',').every((action) => allowed.includes(action))
  );
}

function realmOf(challenge: Challenge, registry: string): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  if (/^https?:\/\//i.test(realm) && URL.canParse(realm)) return new URL(realm);
  throw new BundleError('REGISTRY', `${registry} names no token server in its challenge`, {
    hint: `Check that ${registry} is a container registry.`,
  });
}

function isSame(one: Credentials, other: Credentials): boolean {
  return (
    one.username === other.username &&
    one.password === other.password &&
    one.identityToken === other.identityToken
  );
}
