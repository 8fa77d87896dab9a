import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';

import { REGISTRY_PROGRAM, serveRegistry } from '../../scripts/lib/registry.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';

/**
 * The one user of a registry with `htpasswd`. The hash is bcrypt, as the registry asks for, made
 * with `python3 -c 'import crypt; print(crypt.crypt("correct horse",
 * crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=32)))'`.
 */
export const USER = { username: 'packer', password: 'correct horse' } as const;
const HTPASSWD = `${USER.username}:$2b$05$9kaejoJOhRblUJYdZiq3.ONCfvjrN6PVnX8Jq2kb7Pxh54.SzcPh2\n`;

export interface RegistryOptions {
  /** Remember the sizes of blobs in memory, as the registry's own image does. */
  readonly caches?: boolean;
  /** Whether it removes manifests; it does unless told. */
  readonly removes?: boolean;
  /** Let in {@link USER} only. */
  readonly htpasswd?: boolean;
  /**
   * Files in PEM; `clientCas` are those of CAs, one of which has to have issued the client's
   * certificate.
   */
  readonly tls?: {
    readonly certificate: string;
    readonly key: string;
    readonly clientCas?: readonly string[];
  };
  /** Bearer tokens of a token server, signed by the key of `certificate` (a file in PEM). */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
}

export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  /** The folder that holds its storage. */
  readonly root: string;
  readonly stop: () => Promise<void>;
}

/** The digest that a registry has for a tag or digest; `null` where it has nothing there. */
export async function digestHeld(
  { url }: Pick<TestRegistry, 'url'>,
  repository: string,
  reference: string,
): Promise<string | null> {
  const answer = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    method: 'HEAD',
    headers: { accept: MANIFEST_TYPES.join(', ') },
  });
  return answer.status === 200 ? answer.headers.get('docker-content-digest') : null;
}

/** Starts an empty registry of its own on a free port of loopback, in a folder of its own. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const root = await mkdtemp(join(tmpdir(), 'bundle-registry-'));
  await writeFile(join(root, 'htpasswd'), HTPASSWD);
  const remove = (): Promise<void> => rm(root, { recursive: true, force: true });
  try {
    const { host, stop } = await serveRegistry(root, configuration(root, options));
    return {
      host,
      url: `${options.tls ? 'https' : 'http'}://${host}`,
      root,
      stop: () => stop().then(remove),
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function configuration(
  root: string,
  { caches = false, removes = true, htpasswd, tls, token }: RegistryOptions,
): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(root, 'storage') },
      delete: { enabled: removes },
      ...(caches && { cache: { blobdescriptor: 'inmemory' } }),
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: '127.0.0.1:0',
      secret: 'for tests',
      ...(tls && {
        tls: { certificate: tls.certificate, key: tls.key, clientcas: tls.clientCas ?? [] },
      }),
    },
    ...(htpasswd && { auth: { htpasswd: { realm: 'test', path: join(root, 'htpasswd') } } }),
    ...(token && {
      auth: {
        token: {
          realm: token.realm,
          service: token.service,
          issuer: token.issuer,
          rootcertbundle: token.certificate,
        },
      },
    }),
  };
}

/** Frees what no manifest names any more, as those who run a registry do; it may be running. */
export async function collectGarbage({ root }: TestRegistry): Promise<void> {
  await execa(REGISTRY_PROGRAM, ['garbage-collect', join(root, 'config.json')]);
}
