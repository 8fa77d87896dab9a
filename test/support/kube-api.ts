import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { parse } from 'yaml';

import { KUBE_APISERVER, pathOfPeer } from '../../scripts/lib/go-peers.ts';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { describeWhere } from './needs.ts';
import { makePrivateCa, type PrivateCa } from './private-ca.ts';
import { temporaryFolder } from './user.ts';

/** Who may do everything, who may look at what anybody may look at, and what the program needs. */
export const TOKENS = {
  admin: 'token-of-admin-5d1f',
  nobody: 'token-of-nobody-77ab',
  helper: 'token-of-helper-90ce',
} as const;

const ATTEMPTS = 5;

/** None outlives this process, however that ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What tests look at of an object, a list or a status. */
export interface Answered {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly resourceVersion: string;
    readonly managedFields: readonly { readonly manager: string; readonly operation: string }[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly items?: readonly Answered[];
  readonly resources?: readonly { readonly name: string }[];
}

export interface Answer {
  readonly status: number;
  readonly body: Answered;
}

/** A real API server of Kubernetes with the resources of OpenShift, and nothing behind it. */
export interface KubeApi {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  readonly folder: string;
  readonly ca: PrivateCa;
  /** Asks the API server as its administrator, without the program. */
  readonly ask: (method: string, path: string, body?: object, type?: string) => Promise<Answer>;
  /** Writes a kubeconfig for a user, and returns its path. */
  readonly kubeconfig: (name: string, user?: object, cluster?: object) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** `describe` for tests that need a real API server: `npm run peers` makes it. */
export function describeWithKubeApi(name: string, body: () => void): void {
  describeWhere(
    existsSync(pathOfPeer(KUBE_APISERVER)),
    'kube-apiserver: npm run peers',
    name,
    body,
  );
}

/** Starts an API server and the etcd behind it, on loopback, in a folder of its own. */
export async function startKubeApi(): Promise<KubeApi> {
  const temporary = await temporaryFolder('kube-api');
  const folder = temporary.path;
  const ca = await makePrivateCa();
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) await ended(child);
    await ca.remove();
    await temporary.remove();
  };
  try {
    await mkdir(join(folder, 'etcd'));
    children.push(startEtcd(folder));
    const { child, url } = await startServer(folder, ca);
    children.push(child);
    const ask: KubeApi['ask'] = (method, path, body, type) =>
      asked(new URL(path, url), { ca: ca.pem, method, body, type });
    const kubeconfig: KubeApi['kubeconfig'] = async (name, user, cluster) => {
      const path = join(folder, `${name}.kubeconfig`);
      const own = { 'certificate-authority-data': Buffer.from(ca.pem).toString('base64') };
      await writeFile(
        path,
        JSON.stringify(
          kubeconfigOf(name, { server: url, ...(cluster ?? own) }, user ?? { token: TOKENS.admin }),
        ),
      );
      return path;
    };
    const api = { url, folder, ca, ask, kubeconfig, stop };
    await addOpenShift(api);
    return api;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A kubeconfig with one context. JSON is YAML. */
export function kubeconfigOf(name: string, cluster: object, user: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [{ name, user }],
  };
}

/** Its sockets are files in the folder: the part behind `localhost` is only a name. */
function startEtcd(folder: string): ChildProcess {
  const clients = 'unix://localhost:1';
  const peers = 'unix://localhost:2';
  const args = [
    ...['--data-dir', join(folder, 'etcd'), '--logger', 'zap'],
    ...['--listen-client-urls', clients, '--advertise-client-urls', clients],
    ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
    ...['--initial-cluster', `default=${peers}`],
  ];
  return kept(spawn('etcd', args, { cwd: folder, stdio: 'ignore' }));
}

async function startServer(
  folder: string,
  ca: PrivateCa,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const users = [
    `${TOKENS.admin},admin,1,"system:masters"`,
    `${TOKENS.nobody},nobody,2`,
    `${TOKENS.helper},helper,3`,
  ];
  await writeFile(join(folder, 'tokens.csv'), `${users.join('\n')}\n`);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `https://127.0.0.1:${port}`;
    const said: string[] = [];
    const child = kept(
      spawn(pathOfPeer(KUBE_APISERVER), argumentsOf(port, folder, ca), {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    );
    child.stderr!.setEncoding('utf8').on('data', (some: string) => said.push(some));
    if (await isReady(child, new URL('/readyz', url), ca)) return { child, url };
    const log = said.join('');
    // Somebody else may have taken the port in the meantime.
    if (attempt === ATTEMPTS || !log.includes('address already in use')) {
      throw new Error(`kube-apiserver ended:\n${log.slice(-4000)}`);
    }
  }
}

function argumentsOf(port: number, folder: string, ca: PrivateCa): string[] {
  return [
    ...['--etcd-servers', 'unix://localhost:1'],
    ...['--bind-address', '127.0.0.1', '--secure-port', String(port)],
    ...['--tls-cert-file', ca.certificate, '--tls-private-key-file', ca.key],
    ...['--client-ca-file', ca.caFile, '--token-auth-file', join(folder, 'tokens.csv')],
    ...['--authorization-mode', 'RBAC', '--service-cluster-ip-range', '10.0.0.0/24'],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-key-file', ca.certificate],
    ...['--service-account-signing-key-file', ca.key],
    ...['--disable-admission-plugins', 'ServiceAccount', '--endpoint-reconciler-type', 'none'],
  ];
}

/** Waits until it answers that it is ready, or has ended. */
async function isReady(child: ChildProcess, url: URL, ca: PrivateCa): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await asked(url, { ca: ca.pem, method: 'GET' }).catch(() => undefined);
    if (answer?.status === 200) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = Number((await listenOnLoopback(server)).split(':')[1]);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Question {
  readonly ca: string;
  readonly method: string;
  readonly body?: object | undefined;
  readonly type?: string | undefined;
}

async function asked(url: URL, { ca, method, body, type }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${TOKENS.admin}`,
      ...(body && { 'content-type': type ?? 'application/json' }),
    };
    const asking = request(url, { ca, method, headers }, (answer) => {
      text(answer).then((said) => {
        const isJson = answer.headers['content-type']?.includes('json') === true;
        const body = (isJson ? JSON.parse(said) : {}) as Answered;
        resolve({ status: answer.statusCode ?? 0, body });
      }, reject);
    });
    asking.on('error', reject);
    asking.end(body && JSON.stringify(body));
  });
}

/** The resources of OpenShift, and the namespaces that its own operators would have made. */
async function addOpenShift({ ask }: Pick<KubeApi, 'ask'>): Promise<void> {
  const folder = projectPath('fixtures/crds');
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.crd.yaml')) continue;
    const definition = parse(await readFile(join(folder, name), 'utf8')) as object;
    await made(ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition));
  }
  for (const name of ['openshift-config-managed', 'openshift-marketplace']) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await made(ask('POST', '/api/v1/namespaces', namespace));
  }
  const served = [
    ...['imagedigestmirrorsets', 'imagetagmirrorsets', 'clusterversions'].map(
      (plural) => `/apis/config.openshift.io/v1/${plural}`,
    ),
    '/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies',
    '/apis/operators.coreos.com/v1alpha1/catalogsources',
    '/apis/updateservice.operator.openshift.io/v1/updateservices',
    '/apis/olm.operatorframework.io/v1/clustercatalogs',
  ];
  for (const path of served) await untilServed(ask, path);
}

/** A definition is served a moment after it was made. */
async function untilServed(ask: KubeApi['ask'], path: string): Promise<void> {
  for (;;) {
    const { status } = await ask('GET', path);
    if (status === 200) return;
    if (status !== 404) throw new Error(`${path}: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Takes a definition away, and all that was made of it. */
export async function removeDefinition(
  { ask }: Pick<KubeApi, 'ask'>,
  name: string,
  served: string,
): Promise<void> {
  await ask('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
  while ((await ask('GET', served)).status !== 404)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

async function made(answer: Promise<Answer>): Promise<void> {
  const { status, body } = await answer;
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
}

function kept(child: ChildProcess): ChildProcess {
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((resolve) => {
    child.on('exit', () => {
      resolve();
    });
    child.kill('SIGKILL');
  });
}
