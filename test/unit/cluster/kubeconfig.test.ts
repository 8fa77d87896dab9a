import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { accessOf, type ClusterAccess } from '../../../src/cluster/access.ts';
import { findContext } from '../../../src/cluster/kubeconfig.ts';
import { kubeconfigOf } from '../../support/kube-api.ts';
import { temporaryFolder } from '../../support/user.ts';

const SERVER = 'https://api.example.com:6443';
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

describe('a kubeconfig', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let number = 0;
  beforeAll(async () => {
    temporary = await temporaryFolder('kubeconfig');
  });
  afterAll(() => temporary.remove());

  const write = async (content: unknown, name = `config-${++number}`): Promise<string> => {
    const path = join(temporary.path, name);
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const environment = (env: Record<string, string> = {}) => ({
    ...{ env, home: join(temporary.path, 'home'), uid: 0 },
  });
  const access = async (
    cluster: object,
    user: object,
    env: Record<string, string> = {},
  ): Promise<ClusterAccess> => {
    const path = await write(kubeconfigOf('one', { server: SERVER, ...cluster }, user));
    const found = await findContext({ kubeconfig: path, context: undefined }, environment(env));
    return accessOf(found, {
      environment: environment({ PATH: process.env['PATH'] ?? '', ...env }),
      signal: new AbortController().signal,
      canAsk: false,
      proxyFor: ({ host }) => `http://proxy.example.com/${host}`,
      hostCas: async () => ['host CAs'],
    });
  };

  it.each([
    ['none at all', 'there is no kubeconfig', 'NOT_ALLOWED', {}],
    [
      'only missing ones',
      '/a, /b, which $KUBECONFIG names',
      'NOT_ALLOWED',
      { KUBECONFIG: '/a:/b' },
    ],
  ])('is missed where there is %s', async (_, message, code, env) => {
    await expect(
      findContext({ kubeconfig: undefined, context: undefined }, environment(env)),
    ).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  it.each([
    ['{', 'not YAML', 'NOT_ALLOWED'],
    ['- a list', 'not an object', 'NOT_ALLOWED'],
    ['kind: Pod', 'its kind is not Config', 'NOT_ALLOWED'],
    ['clusters: {}', 'clusters is not a list', 'NOT_ALLOWED'],
    ['users: [{}]', 'an entry of users has no name', 'NOT_ALLOWED'],
    ['current-context: gone', 'there is no context gone'],
    ['contexts: [{name: a, context: {}}]', 'no context is the current one'],
    ['current-context: a\ncontexts: [{name: a, context: {cluster: b}}]', 'names the cluster b'],
  ])('is refused: %s', async (text, message, code = 'CONFIGURATION') => {
    const kubeconfig = await write(text);
    await expect(
      findContext({ kubeconfig, context: undefined }, environment()),
    ).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it('shows nothing of a file that is none', async () => {
    const kubeconfig = await write('{ token: s3cr3t');
    const error: unknown = await findContext(
      { kubeconfig, context: undefined },
      environment(),
    ).catch((e: unknown) => e);
    expect(String(error) + JSON.stringify(error)).not.toContain('s3cr3t');
  });

  it('counts before all later ones: its context, its user, and nothing of a namesake', async () => {
    const first = await write(kubeconfigOf('one', { server: SERVER }, { token: 'first' }));
    const second = await write({
      ...kubeconfigOf('one', { server: 'https://other' }, { token: 'second', as: 'x' }),
      'current-context': 'two',
    });
    const found = await findContext(
      { kubeconfig: undefined, context: undefined },
      environment({ KUBECONFIG: `:${first}:${second}:/missing` }),
    );
    expect(found).toMatchObject({
      name: 'one',
      cluster: { said: { server: SERVER }, file: first },
      user: { said: { token: 'first' } },
      files: [first, second],
    });
  });

  it('gives a token, of its file before the one that is written out', async () => {
    await mkdir(join(temporary.path, 'sub'), { recursive: true });
    await write('of the file\n'.replaceAll(' ', '-'), 'sub/token');
    expect((await access({}, { token: 'a' })).headers).toEqual({ authorization: 'Bearer a' });
    const both = { token: 'a', tokenFile: 'sub/token' };
    expect((await access({}, both)).headers).toEqual({ authorization: 'Bearer of-the-file' });
    const gone = { token: 'a', tokenFile: 'sub/gone' };
    expect((await access({}, gone)).headers).toEqual({ authorization: 'Bearer a' });
    await expect(access({}, { tokenFile: 'sub/gone' })).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
    await expect(access({}, { token: 'a\r\nX: y' })).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('gives a name and a password', async () => {
    const { headers } = await access({}, { username: 'u', password: 'p' });
    expect(headers).toEqual({ authorization: `Basic ${Buffer.from('u:p').toString('base64')}` });
  });

  it('says who to act for', async () => {
    const user = {
      ...{ token: 'a', as: 'other', 'as-uid': '7', 'as-groups': ['g', 'h'] },
      'as-user-extra': { Scopes: ['s'] },
    };
    expect((await access({}, user)).headers).toEqual({
      authorization: 'Bearer a',
      'impersonate-user': 'other',
      'impersonate-uid': '7',
      'impersonate-group': ['g', 'h'],
      'impersonate-extra-scopes': ['s'],
    });
  });

  it('says how the server is reached, and what proves it', async () => {
    const data = Buffer.from(PEM).toString('base64');
    const ca = await write(PEM.replace('AAAA', 'BBBB'));
    const { tls, proxy } = await access(
      {
        ...{ 'certificate-authority-data': data, 'certificate-authority': ca },
        ...{ 'tls-server-name': 'api', 'proxy-url': 'socks5://127.0.0.1:1080' },
      },
      {},
    );
    expect([tls.ca?.toString(), tls.serverName, proxy]).toEqual([
      PEM,
      'api',
      'socks5://127.0.0.1:1080',
    ]);
    const own = await access({}, {});
    expect([own.tls.ca?.toString(), own.proxy]).toEqual([
      'host CAs',
      'http://proxy.example.com/api.example.com:6443',
    ]);
    const unchecked = await access({ 'insecure-skip-tls-verify': true }, {});
    expect(unchecked.tls).toMatchObject({ isUnchecked: true, ca: undefined });
  });

  it.each([
    [{ server: 'ftp://x' }, {}, 'its server is no URL'],
    [{ server: '' }, {}, 'it has no server'],
    [{ 'proxy-url': 'gopher://x' }, {}, 'proxy-url'],
    [{ 'certificate-authority-data': 'AAAA' }, {}, 'not PEM'],
    [
      {
        'insecure-skip-tls-verify': true,
        'certificate-authority-data': Buffer.from(PEM).toString('base64'),
      },
      {},
      'none is to be checked',
    ],
    [{}, { 'client-certificate-data': Buffer.from(PEM).toString('base64') }, 'only one'],
    [{}, { 'auth-provider': { name: 'gcp' } }, 'auth-provider'],
    [{}, { exec: { command: 'x', apiVersion: 'v0' } }, 'its apiVersion is v0'],
    [
      {},
      { exec: { command: 'no-such-plugin', apiVersion: 'client.authentication.k8s.io/v1' } },
      'no-such-plugin is not installed',
    ],
    [
      {},
      {
        exec: {
          ...{ command: 'awk', args: ['BEGIN { print "no"; exit }'] },
          apiVersion: 'client.authentication.k8s.io/v1',
        },
      },
      'its answer is not JSON',
    ],
  ])('that cannot be used is refused: %j %j', async (cluster, user, message) => {
    await expect(access(cluster, user)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining(message) as string,
    });
  });

  it('whose plugin has to ask, or has nothing, gives no credentials', async () => {
    const exec = { command: 'awk', apiVersion: 'client.authentication.k8s.io/v1' };
    const always = { ...exec, interactiveMode: 'Always' };
    await expect(access({}, { exec: always })).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    const fails = { ...exec, args: ['BEGIN { print "session expired" > "/dev/stderr"; exit 1 }'] };
    await expect(access({}, { exec: fails })).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
      message: expect.stringContaining('session expired') as string,
    });
  });

  it.each([
    ['token', { token: 's3cr3t' }],
    ['tokenFile', { tokenFile: 'gone' }],
    ['username', { username: 'somebody', password: 's3cr3t' }],
    ['exec', { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './gone' } }],
    ['auth-provider', { 'auth-provider': { name: 'oidc', config: { 'id-token': 's3cr3t' } } }],
  ])('sends no credential over plain HTTP: %s', async (key, user) => {
    const error: unknown = await access({ server: 'http://api.example.com:8080' }, user).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'CONFIGURATION', exitStatus: 2 });
    expect(String(error)).toContain(`a token or password (${key}) over plain HTTP`);
    expect(String(error) + JSON.stringify(error)).not.toContain('s3cr3t');
  });

  it('asks over plain HTTP where nobody in particular asks', async () => {
    const found = await access({ server: 'http://127.0.0.1:8001' }, {});
    expect(found.server.href).toBe('http://127.0.0.1:8001/');
    expect(found.headers).toEqual({});
  });
});
