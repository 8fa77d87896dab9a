import { lookup } from 'node:dns/promises';
import { BundleError } from '../../../core/errors.ts';
import { shownUrl } from '../../../core/text.ts';
import type { Challenge } from './challenge.ts';
import { challengesIn } from './greeting.ts';
import {
  hungUp,
  isConnectionRefused,
  isHandshakeBroken,
  isNotTls,
  plainRefused,
} from '../http/faults.ts';
import { isLoopbackAddress } from '../http/proxy.ts';
import {
  abandon,
  discard,
  headerOf,
  type HttpResponse,
  type Peer,
  type Transport,
  withoutQuery,
} from '../http/transport.ts';
import { type Quirk, quirkOf } from './quirks.ts';
import { Storages } from './storages.ts';
import { UploadLimits } from './upload-limits.ts';

/**
 * A registry that cannot be reached is one that was named wrongly more often than one that is busy:
 * soon is better than sure.
 */
const CONTACT_ATTEMPTS = 4;
/** Each of them takes as long as somebody would wait. */
const SILENT_ATTEMPTS = 2;
const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 10;

/** How a registry is spoken to, found out once. */
export interface Contact {
  /** Scheme, host and port of all requests to it. */
  readonly origin: URL;
  /** What it asks of those who come without credentials. */
  readonly challenges: readonly Challenge[];
  /** What is peculiar to it. */
  readonly quirk: Quirk | undefined;
}

/** Docker Hub answers under another name than the one it is known by. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io']);

/** One registry: HTTPS, or plain HTTP where that is allowed. */
export class RegistryHost implements Peer {
  readonly name: string;
  readonly insecure: boolean;
  readonly limits = new UploadLimits();
  readonly storages: Storages;
  readonly #address: string;
  readonly #transport: Transport;
  #contact: Promise<Contact> | undefined;

  constructor(name: string, transport: Transport, insecure = false) {
    this.name = name;
    this.insecure = insecure;
    this.#address = DOCKER_HUB.has(name) ? 'registry-1.docker.io' : name;
    this.#transport = transport;
    this.storages = new Storages((storage, cause) => {
      transport.notice({ code: 'storage-not-asked', registry: name, storage, cause });
    });
  }

  /**
   * The way to speak to the registry. HTTPS is tried first, always; plain HTTP follows where
   * nothing there speaks TLS and the host is loopback or was named as insecure. Concurrent callers
   * share one attempt; a failed one is made anew.
   * @throws BundleError NETWORK.
   */
  async contact(): Promise<Contact> {
    this.#contact ??= this.#meet().catch((error: unknown) => {
      this.#contact = undefined;
      throw error;
    });
    return this.#contact;
  }

  async #meet(): Promise<Contact> {
    const contact = await this.#connect();
    if (contact.quirk !== undefined) this.limits.expect(contact.quirk);
    return contact;
  }

  async #connect(): Promise<Contact> {
    const secure = new URL(`https://${this.#address}`);
    try {
      return await this.#contactAt(secure, await this.#ping(secure));
    } catch (error) {
      // Without a port, TLS and plain HTTP are two ports: nobody listening on one says nothing of
      // the other.
      const otherPort = isConnectionRefused(error) && !portGiven(this.#address);
      if (!isNotTls(error) && !isHandshakeBroken(error) && !otherPort) throw error;
      if (!this.#transport.isInsecure(secure, this) && !(await isLoopback(secure.hostname))) {
        throw this.#explained(error);
      }
      const plain = new URL(`http://${this.#address}`);
      const response = await this.#ping(plain).catch((failure: unknown) => {
        // Where plain HTTP is spoken, what broke that is the reason.
        throw isHandshakeBroken(failure) && !isNotTls(error) ? this.#explained(error) : failure;
      });
      // How a port with TLS answers to plain HTTP: it was the TLS that failed.
      if (response.status === 400) {
        await discard(response);
        throw this.#explained(error);
      }
      return await this.#contactAt(plain, response);
    }
  }

  /** What may be behind a TLS greeting that came to nothing. */
  #explained(error: unknown): unknown {
    if (isNotTls(error)) return plainRefused(this.name, error);
    return isHandshakeBroken(error) ? hungUp(this.name, error) : error;
  }

  /** The answer to a greeting, redirects followed. */
  async #ping(origin: URL): Promise<HttpResponse> {
    let url = new URL('/v2/', origin);
    for (let redirects = 0; ; redirects++) {
      const response = await this.#transport.sendRepeatedly(
        {
          method: 'GET',
          url,
          registry: this,
          answerWithin: this.#transport.contactMs,
        },
        CONTACT_ATTEMPTS,
        SILENT_ATTEMPTS,
      );
      const location = REDIRECTS.includes(response.status)
        ? headerOf(response, 'location')
        : undefined;
      if (location === undefined || !URL.canParse(location, url.href)) return response;
      const next = new URL(location, url);
      abandon(response);
      if (redirects === MAX_REDIRECTS) throw this.#misled(`redirects ${redirects} times`);
      if (!this.#mayFollow(url, next)) {
        throw this.#misled(
          next.protocol === 'http:'
            ? `redirects to ${withoutQuery(next)}, which is not protected by TLS`
            : `redirects to ${shownUrl(next.href)}, which is no http(s) address`,
        );
      }
      url = next;
    }
  }

  #mayFollow(from: URL, to: URL): boolean {
    if (to.protocol === 'https:') return true;
    return (
      to.protocol === 'http:' && (from.protocol === 'http:' || this.#transport.isInsecure(to, this))
    );
  }

  #misled(why: string): BundleError {
    return new BundleError('REGISTRY', `${this.name} is no container registry: it ${why}`, {
      hint:
        'Check the name and the port. If they are right, something on the way answers in its ' +
        'place: a login page of the network, or a proxy.',
    });
  }

  async #contactAt(origin: URL, response: HttpResponse): Promise<Contact> {
    const { headers } = response;
    const challenges = await challengesIn(response, this.name);
    return { origin, challenges, quirk: quirkOf({ headers, challenges }) };
  }
}

/**
 * Whether a host name, or an address (IPv6 in brackets), stands for this very host and nothing
 * else.
 */
export async function isLoopback(hostname: string): Promise<boolean> {
  const bare = hostname.replace(/^\[|\]$/g, '');
  try {
    const addresses = await lookup(bare, { all: true });
    return addresses.length > 0 && addresses.every(({ address }) => isLoopbackAddress(address));
  } catch {
    return false;
  }
}

function portGiven(address: string): boolean {
  return /:[0-9]+$/.test(address);
}
