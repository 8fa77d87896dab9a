import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { listenOnLoopback } from '../../../scripts/lib/loopback.ts';
import { applyObjects, planApply } from '../../../src/cluster/apply.ts';
import { type ClusterClient, connect } from '../../../src/cluster/client.ts';
import { readFacts } from '../../../src/cluster/facts.ts';
import { BundleError } from '../../../src/core/errors.ts';
import { CLUSTER_VERSION, CLUSTER_VERSION_STATUS } from '../../support/cluster-version.ts';

const SECRET = 's3cr3t-of-the-answer';
const TOKEN = 'token-of-somebody';
const GROUP = '/apis/config.openshift.io/v1';
const SETS = `${GROUP}/imagedigestmirrorsets`;
const VERSION = `${GROUP}/clusterversions/version`;
const MIRROR_SET = {
  apiVersion: 'config.openshift.io/v1',
  kind: 'ImageDigestMirrorSet',
  metadata: { name: 'a', labels: { team: 'x' } },
  spec: { imageDigestMirrors: [{ source: 'quay.io/a', mirrors: ['registry.example.com/a'] }] },
};
const KEPT = { ...MIRROR_SET, metadata: { ...MIRROR_SET.metadata, uid: 'u', generation: 1 } };

const resource = (kind: string, name: string, namespaced = false): object => ({
  ...{ kind, name, namespaced, verbs: ['get', 'list', 'patch'] },
});

/** What a genuine API server answers. */
const GENUINE: Readonly<Record<string, object>> = {
  'GET /api/v1': { kind: 'APIResourceList', resources: [resource('Node', 'nodes')] },
  'GET /api/v1/nodes': { apiVersion: 'v1', kind: 'NodeList', metadata: {}, items: [] },
  [`GET ${GROUP}`]: {
    kind: 'APIResourceList',
    resources: [
      resource('ClusterVersion', 'clusterversions'),
      resource('ImageDigestMirrorSet', 'imagedigestmirrorsets'),
    ],
  },
  [`GET ${VERSION}`]: { ...CLUSTER_VERSION, status: CLUSTER_VERSION_STATUS },
  [`GET ${SETS}`]: {
    apiVersion: 'config.openshift.io/v1',
    ...{ kind: 'ImageDigestMirrorSetList', metadata: {}, items: [KEPT] },
  },
  [`DRY ${SETS}/a`]: KEPT,
  [`PATCH ${SETS}/a`]: KEPT,
};

type Change = Readonly<Record<string, unknown>> & { readonly metadata?: object };

interface Odd {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly body: string;
}

const json = (value: unknown): Odd => ({ type: 'application/json', body: JSON.stringify(value) });
const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };

const ODD: Readonly<Record<string, Odd>> = {
  'a login page': { type: 'text/html', body: `<html>${SECRET}</html>` },
  'a login page that is called JSON': { type: 'application/json', body: `<html>${SECRET}` },
  nothing: { body: '' },
  'nothing, with 204': { status: 204, body: '' },
  'JSON that is cut off': { type: 'application/json', body: `{"a":"${SECRET}` },
  null: json(null),
  'a number': json(1),
  'a text': json(SECRET),
  '{}': json({}),
  '[]': json([]),
  'a Status': json({ ...status, message: SECRET }),
  'items: null': json({ ...status, kind: 'List', items: null }),
  'items: [null]': json({ ...status, kind: 'List', items: [null] }),
  'items: [null], without kind': json({ items: [null] }),
  'resources: [null]': json({ kind: 'APIResourceList', resources: [null] }),
  'resources: null': json({ kind: 'APIResourceList', resources: null }),
  'metadata: null': json({ ...MIRROR_SET, metadata: null }),
  'metadata of another type': json({ ...KEPT, metadata: { managedFields: SECRET } }),
  'another kind': json({ ...KEPT, kind: 'Secret' }),
};

const facts = async (client: ClusterClient): Promise<unknown> => readFacts(client);
const plan = async (client: ClusterClient): Promise<unknown> => planApply(client, [MIRROR_SET]);
const apply = async (client: ClusterClient): Promise<unknown> => applyObjects(client, [MIRROR_SET]);

const REQUESTS = [
  ['discovery', `GET ${GROUP}`, facts],
  ['the ClusterVersion', `GET ${VERSION}`, facts],
  ['the mirror sets', `GET ${SETS}`, facts],
  ['applying that is only tried', `DRY ${SETS}/a`, plan],
  ['applying', `PATCH ${SETS}/a`, apply],
] as const;

const WRONG: readonly (readonly [string, Change])[] = [
  ['is being deleted', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
  ['an object of another name', { metadata: { name: 'b' } }],
  ['an object of another namespace', { metadata: { namespace: 'b' } }],
  ['an object of another apiVersion', { apiVersion: 'v1' }],
  ['an object without uid', { metadata: { uid: undefined } }],
  [
    'an object that does not hold what was sent: .metadata.labels.team',
    { metadata: { labels: {} } },
  ],
  ['what was sent: .spec.imageDigestMirrors[0]', { spec: { imageDigestMirrors: [] } }],
];

describe('an API server that lies', () => {
  let server: Server;
  let host: string;
  let lie: { readonly to: string; readonly odd: Odd } | undefined;
  const asked: string[] = [];
  /** What answers in place of everything else. */
  let stranger: ((url: URL, response: ServerResponse) => boolean) | undefined;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    await text(request);
    if (stranger?.(new URL(request.url!, 'http://localhost'), response)) return;
    const url = new URL(request.url!, 'http://localhost');
    const method = url.searchParams.get('dryRun') === 'All' ? 'DRY' : request.method!;
    const key = `${method} ${url.pathname}`;
    asked.push(key);
    const genuine = GENUINE[key];
    const missing: Odd = { ...json({ ...status, status: 'Failure' }), status: 404 };
    const said = lie?.to === key ? lie.odd : genuine === undefined ? missing : json(genuine);
    response.writeHead(said.status ?? 200, said.type ? { 'content-type': said.type } : {});
    response.end(said.body);
  };

  beforeAll(async () => {
    server = createServer((request, response) => void answer(request, response));
    host = await listenOnLoopback(server);
  });
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });

  const open = async (
    signal = new AbortController().signal,
    patience?: Parameters<typeof connect>[2],
  ): Promise<ClusterClient> => {
    const tls = { ca: undefined, certificate: undefined, key: undefined, serverName: undefined };
    return connect(
      {
        ...{ context: 'one', user: undefined, server: new URL(`http://${host}`) },
        ...{ tls: { ...tls, isUnchecked: false }, proxy: undefined },
        headers: { authorization: `Bearer ${TOKEN}` },
      },
      signal,
      patience,
    );
  };
  const failing = async (
    to: string,
    odd: Odd,
    act: (client: ClusterClient) => Promise<unknown>,
  ): Promise<unknown> => {
    lie = { to, odd };
    asked.length = 0;
    try {
      return await act(await open()).then(
        () => 'no failure',
        (error: unknown) => error,
      );
    } finally {
      lie = undefined;
    }
  };

  it('is believed where it tells the truth', async () => {
    const client = await open();
    expect(await facts(client)).toMatchObject({
      version: { version: '4.16.20' },
      mirrors: [{ name: 'a', source: 'quay.io/a' }],
      unread: [],
    });
    expect(await plan(client)).toMatchObject([{ change: 'new' }]);
    expect(await apply(client)).toMatchObject([{ change: 'new' }]);
  });

  describe.each(REQUESTS)('of %s', (_, to, act) => {
    it.each(Object.entries(ODD))('is found out: %s', async (__, odd) => {
      const error = await failing(to, odd, act);
      expect(asked).toContain(to);
      expect(error).toMatchObject({ code: 'CLUSTER', exitStatus: 25 });
      const { message, hint } = error as { message: string; hint: string };
      expect(message).toContain(host);
      expect(message).toMatch(/it answered ./);
      expect(message + hint).not.toContain(SECRET);
      expect(message + hint).not.toContain(TOKEN);
    });
  });

  describe('with a list of several pages', () => {
    const named = (name: string): object => ({ ...KEPT, metadata: { ...KEPT.metadata, name } });
    const page = (next: string, ...items: readonly object[]): object => ({
      ...{ apiVersion: 'config.openshift.io/v1', kind: 'ImageDigestMirrorSetList' },
      ...{ metadata: { continue: next, remainingItemCount: 1 }, items },
    });
    /** @param pages by what names them; what is no object is a status. */
    const listing = async (pages: Readonly<Record<string, object | number>>): Promise<unknown> => {
      const seen: string[] = [];
      stranger = ({ pathname, searchParams }, response) => {
        if (pathname !== SETS) return false;
        const key = searchParams.get('continue') ?? (searchParams.has('limit') ? '' : 'whole');
        seen.push(key);
        const said = pages[key]!;
        response.writeHead(typeof said === 'number' ? said : 200);
        response.end(JSON.stringify(typeof said === 'number' ? status : said));
        return true;
      };
      try {
        const items = await (await open()).list('config.openshift.io/v1', 'ImageDigestMirrorSet');
        return { seen, names: items!.map(({ metadata }) => metadata.name) };
      } finally {
        stranger = undefined;
      }
    };

    it('is asked for all of them', async () => {
      const pages = { '': page('p/2', named('a')), 'p/2': page('3', named('b')), 3: page('') };
      expect(await listing(pages)).toEqual({ seen: ['', 'p/2', '3'], names: ['a', 'b'] });
    });

    it('is asked for the whole list where a page is gone', async () => {
      const pages = { '': page('2', named('a')), 2: 410, whole: page('', named('b')) };
      expect(await listing(pages)).toEqual({ seen: ['', '2', 'whole'], names: ['b'] });
    });

    it('that never ends is found out', async () => {
      await expect(listing({ '': page('2'), 2: page('2') })).rejects.toMatchObject({
        code: 'CLUSTER',
        message: expect.stringContaining('the same page twice') as string,
      });
    });
  });

  it('that never comes to the end of an answer is given up', async () => {
    const timers: NodeJS.Timeout[] = [];
    stranger = (_, response) => {
      response.writeHead(200);
      timers.push(setInterval(() => response.write(' '), 1));
      return true;
    };
    try {
      const client = await open(undefined, { silenceMs: 60_000, answerMs: 100 });
      await expect(client.list('v1', 'Node')).rejects.toMatchObject({
        code: 'NETWORK',
        message: expect.stringContaining('no whole answer within 1 seconds') as string,
      });
    } finally {
      stranger = undefined;
      timers.forEach(clearInterval);
    }
  });

  it.each(['before its answer', 'within its answer'])(
    'that is left by an interruption %s has perhaps applied what it was sent',
    async (when) => {
      const controller = new AbortController();
      const reason = new BundleError('INTERRUPTED', 'interrupted by SIGTERM', { status: 143 });
      stranger = ({ pathname, searchParams }, response) => {
        if (pathname !== `${SETS}/a` || !searchParams.has('fieldManager')) return false;
        if (searchParams.has('dryRun')) return false;
        if (when === 'before its answer') controller.abort(reason);
        else {
          response.write('{', () => {
            setImmediate(() => {
              controller.abort(reason);
            });
          });
        }
        return true;
      };
      try {
        const client = await open(controller.signal);
        const other = { ...MIRROR_SET, metadata: { name: 'b' } };
        await expect(applyObjects(client, [MIRROR_SET, other])).rejects.toMatchObject({
          ...{ code: 'INTERRUPTED', exitStatus: 143, cause: reason },
          message:
            'interrupted by SIGTERM. Applied: nothing. ' +
            'Perhaps applied: ImageDigestMirrorSet a. Not applied: ImageDigestMirrorSet b',
        });
      } finally {
        stranger = undefined;
      }
    },
  );

  it('is quoted with no page where it refuses', async () => {
    const odd = { status: 502, type: 'text/html', body: `\n<html>${SECRET}</html>` };
    for (const [, to, act] of REQUESTS) {
      const error = await failing(to, odd, act);
      expect(error).toMatchObject({ code: 'CLUSTER', exitStatus: 25 });
      expect((error as Error).message).toContain('502 an HTML page');
    }
  });

  it('is found out where it redirects, as to a login page', async () => {
    for (const [, to, act] of REQUESTS) {
      const error = await failing(to, { status: 302, body: '' }, act);
      expect(error).toMatchObject({ code: 'CLUSTER', exitStatus: 25 });
      expect((error as BundleError).message).toContain('it answered a redirect (302)');
      expect((error as BundleError).hint).toContain('a login page may stand before');
    }
  });

  it.each([400, 403, 404, 409, 500])('that gives no reason with %i is told so', async (code) => {
    const error = await failing(`PATCH ${SETS}/a`, { status: code, body: '' }, apply);
    expect((error as Error).message).toMatch(/no reason/);
  });

  it.each([400, 403, 404, 409, 500])(
    'that repeats the token with %i shows it to nobody',
    async (code) => {
      const odd = {
        ...json({ ...status, code, message: `you sent Bearer ${TOKEN}` }),
        status: code,
      };
      const error = await failing(`PATCH ${SETS}/a`, odd, apply);
      const { message, hint } = error as BundleError;
      expect(message).toContain('[redacted]');
      expect(`${message}${hint}`).not.toContain(TOKEN);
    },
  );

  it.each(WRONG)('of what it applies is found out: %s', async (message, change) => {
    const odd = json({ ...KEPT, ...change, metadata: { ...KEPT.metadata, ...change.metadata } });
    const tried = await failing(`DRY ${SETS}/a`, odd, plan);
    expect(tried).toMatchObject({ code: 'CLUSTER', subject: 'ImageDigestMirrorSet a' });
    expect((tried as Error).message).toContain(message);
    const applied = await failing(`PATCH ${SETS}/a`, odd, apply);
    expect(applied).toMatchObject({ code: 'CLUSTER', subject: 'ImageDigestMirrorSet a' });
    expect((applied as Error).message).toContain(message);
    expect((applied as Error).message).toContain(
      'Applied: nothing. Perhaps applied: ImageDigestMirrorSet a. Not applied: nothing',
    );
  });

  it.each([
    ['without spec', { spec: 'x' }],
    ['without status', { status: undefined }],
    ['without status', { status: [] }],
    ['without status.desired', { status: { desired: 'x' } }],
    ['whose spec.channel is not a text', { spec: { channel: 1 } }],
    ['whose status.desired.image is not a text', { status: { desired: { image: [] } } }],
    ['whose status.history is not a list of objects', { status: { desired: {}, history: 'x' } }],
    ['whose status.conditions is not', { status: { desired: {}, conditions: [null] } }],
  ])('of its ClusterVersion is found out: %s', async (message, change) => {
    const genuine = GENUINE[`GET ${VERSION}`];
    const error = await failing(`GET ${VERSION}`, json({ ...genuine, ...change }), facts);
    expect(error).toMatchObject({ code: 'CLUSTER', exitStatus: 25 });
    expect((error as Error).message).toContain(`it answered a ClusterVersion ${message}`);
  });
});
