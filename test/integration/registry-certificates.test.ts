import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { BundleError } from '../../src/core/errors.ts';
import { systemCertificates } from '../../src/stores/registry/http/certificates.ts';
import { RegistryClient, type RegistryClientOptions } from '../../src/stores/registry/client.ts';
import { CertificateFolders } from '../../src/stores/registry/http/host-certificates.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { sample } from '../contract/content.ts';
import { fill } from '../contract/store.ts';
import { describeWith } from '../support/needs.ts';
import {
  type Chain,
  type KeyPair,
  makeChain,
  makePrivateCa,
  type PrivateCa,
} from '../support/private-ca.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

let root: string;
const cleanUp: (() => Promise<void>)[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-certs-'));
});
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
  await rm(root, { recursive: true });
});

function open(registry: string, options: Partial<RegistryClientOptions> = {}): RegistryRepository {
  const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1, ...options });
  cleanUp.push(async () => client.close());
  return client.repository({ registry, repository: 'release/images' });
}

/** A server that takes anybody for a registry with no images. */
async function startServer(
  { certificate, key }: KeyPair,
  options: ServerOptions = {},
  redirect: (url: string, request: IncomingMessage) => string | undefined = () => undefined,
): Promise<string> {
  const server = createServer(
    { cert: await readFile(certificate), key: await readFile(key), ...options },
    (request, answer) => {
      const location = redirect(request.url ?? '', request);
      answer
        .writeHead(location === undefined ? 200 : 307, location === undefined ? {} : { location })
        .end('{"tags":[]}');
    },
  );
  const host = await listenOnLoopback(server);
  cleanUp.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return host;
}

async function failure(attempt: Promise<unknown>): Promise<BundleError> {
  return attempt.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as BundleError,
  );
}

/** A folder as it may be in `certs.d`. */
async function putFolder(path: string, files: { ca?: string; client?: KeyPair }): Promise<string> {
  const folder = join(root, path);
  await mkdir(folder, { recursive: true });
  if (files.ca !== undefined) await cp(files.ca, join(folder, 'ca.crt'));
  if (files.client !== undefined) {
    await cp(files.client.certificate, join(folder, 'client.cert'));
    await cp(files.client.key, join(folder, 'client.key'));
  }
  return folder;
}

describeWith(['openssl'], 'certificates of a private CA', () => {
  let ca: PrivateCa;
  beforeAll(async () => {
    ca = await makePrivateCa();
  });
  afterAll(async () => ca.remove());

  describe('a certificate that is refused', () => {
    it('says why and what to do, in four different ways', async () => {
      const expired = await startServer(await ca.issue({ names: 'IP:127.0.0.1', days: -1 }));
      const otherName = await startServer(await ca.issue({ names: 'DNS:registry.example.com' }));
      // Node itself would be content with the common name.
      const noName = await startServer(
        await ca.issue({ names: undefined, commonName: 'localhost' }),
      );
      const good = await startServer(ca);
      const failures = [
        await failure(open(expired, { ca: [ca.pem] }).tags()),
        await failure(open(otherName, { ca: [ca.pem] }).tags()),
        await failure(open(noName.replace('127.0.0.1', 'localhost'), { ca: [ca.pem] }).tags()),
        await failure(open(good, { ca: await systemCertificates({}, []) }).tags()),
      ];
      for (const error of failures)
        expect(error).toMatchObject({ code: 'NETWORK', temporary: false });
      const [ofTime, ofName, ofKind, ofAuthority] = failures.map(
        ({ message, hint }) => `${message.replace(/^[^ ]* /, '')}\n${hint ?? ''}`,
      );
      expect(ofTime).toContain('clock');
      expect(ofName).toContain('registry.example.com');
      expect(ofKind).toContain('subjectAltName=DNS:localhost');
      expect(ofAuthority).toContain('--ca-file');
      expect(new Set([ofTime, ofName, ofKind, ofAuthority]).size).toBe(4);
      expect(await open(good, { ca: await systemCertificates({}, [ca.caFile]) }).tags()).toEqual(
        [],
      );
    });
  });

  describe('a certificate that was named is trusted for itself', () => {
    let chain: Chain;
    let stranger: Chain;
    beforeAll(async () => {
      [chain, stranger] = await Promise.all([makeChain(), makeChain()]);
    });
    afterAll(async () => Promise.all([chain.remove(), stranger.remove()]));

    it.each([
      ['the root', 'root', true],
      ['the intermediate one', 'intermediate', true],
      ['the intermediate one, which the server does not send', 'intermediate', false],
      ['that of the server', 'certificate', true],
      ['that of the server, which sends it alone', 'certificate', false],
    ] as const)('%s', async (_, anchor, sends) => {
      const certificates = [chain.certificate, ...(sends ? [chain.intermediate] : [])];
      const texts = await Promise.all(certificates.map((path) => readFile(path, 'utf8')));
      const host = await startServer(chain, { cert: texts.join('') });
      expect(await failure(open(host).tags())).toMatchObject({ code: 'NETWORK' });
      const others = await systemCertificates({}, [stranger[anchor]]);
      expect(await failure(open(host, { ca: others }).tags())).toMatchObject({ code: 'NETWORK' });
      const ca = await systemCertificates({}, [chain[anchor]]);
      expect(await open(host, { ca }).tags()).toEqual([]);
      await putFolder(`certs.d/${host}`, { ca: chain[anchor] });
      const certificateFolders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      expect(await open(host, { certificateFolders }).tags()).toEqual([]);
    });
  });

  describeWith(['docker-registry'], 'a registry that asks for a client certificate', () => {
    let registry: TestRegistry;
    let client: KeyPair;
    let strangers: PrivateCa;
    beforeAll(async () => {
      strangers = await makePrivateCa();
      client = await ca.issue({ names: undefined, commonName: 'packer', usage: 'clientAuth' });
      registry = await startRegistry({ tls: { ...ca, clientCas: [ca.caFile] } });
    });
    afterAll(async () => {
      await registry.stop();
      await strangers.remove();
    });

    it('gets the one that lies in the folder of its host and port', async () => {
      await putFolder(`certs.d/${registry.host}`, { ca: ca.caFile, client });
      const certificateFolders = new CertificateFolders({
        folders: [join(root, 'absent'), join(root, 'certs.d')],
      });
      const store = open(registry.host, { certificateFolders });
      await fill(store, sample);
      expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    });

    it.each([
      ['in a folder for the host', (host: string) => `named/${host}`],
      ['for all hosts', () => 'named'],
    ])('gets the one of --cert-dir %s', async (_, place) => {
      await putFolder(place(registry.host), { ca: ca.caFile, client });
      const certificateFolders = new CertificateFolders({
        folders: [],
        named: join(root, 'named'),
      });
      await expect(
        open(registry.host, { certificateFolders }).resolve('absent'),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('is told of in the failure where there is none, or a wrong one', async () => {
      const foreign = await strangers.issue({ names: undefined, usage: 'clientAuth' });
      const [host, port] = registry.host.split(':') as [string, string];
      await putFolder(`certs.d/${registry.host}`, { ca: ca.caFile, client: foreign });
      await putFolder(`certs.d/localhost:${port}`, { ca: ca.caFile });
      const certificateFolders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      for (const name of [host, 'localhost']) {
        const error = await failure(open(`${name}:${port}`, { certificateFolders }).tags());
        expect(error.code).toBe('NETWORK');
        expect(error.hint).toContain(`certs.d/${name}:${port}/`);
      }
    });
  });

  describe('the folder of a host', () => {
    it('is trusted for that host alone, and for where it leads', async () => {
      const good = await startServer(ca);
      const [, port] = good.split(':') as [string, string];
      await putFolder(`certs.d/${good}`, { ca: ca.caFile });
      const certificateFolders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      expect(await open(good, { certificateFolders }).tags()).toEqual([]);
      expect(await failure(open(`localhost:${port}`, { certificateFolders }).tags())).toMatchObject(
        { code: 'NETWORK' },
      );
      const leading = await startServer(ca, {}, (url) =>
        url.startsWith('/v2/r') ? `https://localhost:${port}${url}` : undefined,
      );
      await putFolder(`certs.d/${leading}`, { ca: ca.caFile });
      expect(await open(leading, { certificateFolders }).tags()).toEqual([]);
    });

    it('adds to what is trusted anyway', async () => {
      const good = await startServer(ca);
      const other = await ca.issue({ names: 'DNS:registry.example.com' });
      await putFolder(`certs.d/${good}`, { ca: other.certificate });
      const certificateFolders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      expect(await failure(open(good, { certificateFolders }).tags())).toMatchObject({
        code: 'NETWORK',
      });
      expect(await open(good, { certificateFolders, ca: [ca.pem] }).tags()).toEqual([]);
    });

    it('has a client certificate for that host alone', async () => {
      const seen = new Set<string>();
      const see = (place: string, { socket }: IncomingMessage): void => {
        if (!(socket instanceof TLSSocket)) return;
        const { subject } = socket.getPeerCertificate();
        seen.add(`${place} sees ${(subject as { CN?: string } | undefined)?.CN ?? 'nobody'}`);
      };
      const asking = { requestCert: true, rejectUnauthorized: false };
      const storage = await startServer(ca, asking, (_, request) => {
        see('the storage', request);
        return undefined;
      });
      const [, port] = storage.split(':') as [string, string];
      const leading = await startServer(ca, asking, (url, request) => {
        see('the registry', request);
        return url.startsWith('/v2/r') ? `https://localhost:${port}${url}` : undefined;
      });
      const client = await ca.issue({
        names: undefined,
        commonName: 'packer',
        usage: 'clientAuth',
      });
      await putFolder(`certs.d/${leading}`, { ca: ca.caFile, client });
      const certificateFolders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      expect(await open(leading, { certificateFolders }).tags()).toEqual([]);
      expect([...seen].toSorted()).toEqual(['the registry sees packer', 'the storage sees nobody']);
    });

    it.each([
      ['has no key', async (folder: string) => rm(join(folder, 'client.key'))],
      ['has no certificate', async (folder: string) => rm(join(folder, 'client.cert'))],
      ['has the key of another', async (folder: string) => cp(ca.key, join(folder, 'client.key'))],
      [
        'is no PEM',
        async (folder: string) => writeFile(join(folder, 'client.cert'), 'certificate'),
      ],
      [
        'leads nowhere',
        async (folder: string) => {
          await rm(join(folder, 'client.cert'));
          await symlink('/nonexistent/client.cert', join(folder, 'client.cert'));
        },
      ],
      [
        'has a key that leads nowhere',
        async (folder: string) => {
          await rm(join(folder, 'client.key'));
          await symlink('/nonexistent/client.key', join(folder, 'client.key'));
        },
      ],
      [
        'has a CA that is none',
        async (folder: string) => writeFile(join(folder, 'ca.crt'), 'certificate'),
      ],
    ])('is refused where the client certificate %s', async (_, spoil) => {
      const client = await ca.issue({ names: undefined, usage: 'clientAuth' });
      const folder = await putFolder('certs.d/quay.io:443', { client });
      await spoil(folder);
      const error = await failure(
        new CertificateFolders({ folders: [join(root, 'certs.d')] }).of(['quay.io', 'quay.io:443']),
      );
      expect(error.code).toBe('CONFIGURATION');
      expect(error.subject).toContain(folder);
      expect(JSON.stringify(error)).not.toContain('PRIVATE KEY');
    });

    it('may have links to CAs that are not there, and several of each', async () => {
      const [first, second] = await Promise.all(
        ['1', '2'].map((commonName) =>
          ca.issue({ names: undefined, commonName, usage: 'clientAuth' }),
        ),
      );
      const folder = await putFolder('certs.d/quay.io', { ca: ca.caFile, client: first! });
      await symlink('/nonexistent/redhat-uep.pem', join(folder, 'redhat-ca.crt'));
      await cp(first!.certificate, join(folder, 'second.crt'));
      await cp(second!.certificate, join(folder, 'other.cert'));
      await cp(second!.key, join(folder, 'other.key'));
      await writeFile(join(folder, 'README'), 'of no interest');
      const found = await new CertificateFolders({ folders: [join(root, 'certs.d')] }).of([
        'quay.io',
      ]);
      expect(found?.ca).toHaveLength(2);
      expect(found?.client).toHaveLength(2);
    });

    it('is the first that there is, of all places and names', async () => {
      const places = ['named', 'home', 'etc'].map((place) => join(root, place));
      const [named, ...folders] = places as [string, ...string[]];
      await mkdir(named);
      const found = async (isNamed: boolean): Promise<string | undefined> => {
        const options = { folders, named: isNamed ? named : undefined };
        const of = await new CertificateFolders(options).of(['quay.io', 'quay.io:443']);
        return of?.folder.slice(root.length + 1);
      };
      expect([await found(false), await found(true)]).toEqual([undefined, undefined]);
      await putFolder('etc/quay.io:443', { ca: ca.caFile });
      expect([await found(false), await found(true)]).toEqual(Array(2).fill('etc/quay.io:443'));
      await putFolder('etc/quay.io', {});
      expect(await found(false)).toBe('etc/quay.io');
      await putFolder('home/quay.io', { ca: ca.caFile });
      expect([await found(false), await found(true)]).toEqual(Array(2).fill('home/quay.io'));
      await putFolder('named', { ca: ca.caFile });
      expect([await found(false), await found(true)]).toEqual(['home/quay.io', 'named']);
      await putFolder('named/quay.io', { ca: ca.caFile });
      expect(await found(true)).toBe('named/quay.io');
    });

    it('is refused where the folders of hosts are none', async () => {
      await writeFile(join(root, 'certs.d'), 'no folder');
      const folders = new CertificateFolders({ folders: [join(root, 'certs.d')] });
      expect(await failure(folders.of(['quay.io']))).toMatchObject({
        cause: { code: 'ENOTDIR' },
      });
    });

    it('has to be there where it was named', async () => {
      const named = new CertificateFolders({ folders: [], named: join(root, 'absent') });
      expect(await failure(named.of(['quay.io']))).toMatchObject({ code: 'NOT_FOUND' });
      expect(
        await new CertificateFolders({ folders: [join(root, 'absent')] }).of(['quay.io']),
      ).toBeUndefined();
    });
  });
});
