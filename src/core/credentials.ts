import { inspect } from 'node:util';
import type { RepositoryName } from './reference.ts';

const REDACTED = '[redacted]';

/** The credentials for a registry. Never appears in logs, JSON or inspected objects. */
export class Credentials {
  readonly #username: string;
  readonly #password: string;
  readonly #identityToken: string | undefined;

  constructor(username: string, password: string, identityToken?: string) {
    this.#username = username;
    this.#password = password;
    this.#identityToken = identityToken;
  }

  get username(): string {
    return this.#username;
  }

  get password(): string {
    return this.#password;
  }

  /** An OAuth 2 refresh token; takes the place of the password where it is present. */
  get identityToken(): string | undefined {
    return this.#identityToken;
  }

  /**
   * What makes it likely that they were not meant so, in words that show nothing of them: for the
   * message of a registry that refuses them.
   */
  get oddity(): string | undefined {
    if (/[\r\n]$/.test(this.#password)) return 'the password ends with a line feed';
    if (/[\r\n]$/.test(this.#username)) return 'the user name ends with a line feed';
    return undefined;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** Where registry clients get credentials from. */
export interface CredentialSource {
  /**
   * The credentials for a repository, or `undefined` where none are known.
   * @param refused those that a registry does not take any more: a helper is asked for others.
   */
  lookup(name: RepositoryName, refused?: Credentials): Promise<Credentials | undefined>;
  /** Every place that is looked at, in order, for the message of a refusal. */
  readonly places: readonly string[];
}

/** Knows no credentials. */
export const anonymous: CredentialSource = {
  lookup: async () => undefined,
  places: [],
};
