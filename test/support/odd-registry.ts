import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { serve } from './served.ts';

/** A request as a peculiarity sees it, with what it came with. */
export interface OddRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Counts from 1 the requests of one method and path (without query). */
  readonly nth: number;
}

/** What is sent back instead of what a good registry sends. */
export interface OddAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** The connection ends after so many bytes of the body, whatever the head says. */
  readonly cutAfter?: number;
  /** The body stands still after so many bytes, until that comes about. */
  readonly pause?: { readonly after: number; readonly until: Promise<void> };
}

export interface StoredManifest {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Everything that a registry holds; peculiarities look at it and change it. */
export interface OddState {
  /** By repository and digest: `a/b@sha256:…`. */
  readonly blobs: Map<string, Buffer>;
  /** By repository and digest. */
  readonly manifests: Map<string, StoredManifest>;
  /** By repository and tag: `a/b:4.17.3`, the digest. */
  readonly tags: Map<string, string>;
}

/** Decides what is odd: an answer, `'never'` for none at all, `undefined` for what is usual. */
export type Odd = (request: OddRequest, state: OddState) => OddAnswer | 'never' | undefined;

export interface OddRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  readonly state: OddState;
  /** Every request so far: `GET /v2/`. */
  readonly requests: readonly string[];
  /** Replaces what is odd. */
  be: (odd: Odd) => void;
  readonly stop: () => Promise<void>;
}

const PATH = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags\/list|referrers)\/?([^/?]*)/;

/**
 * A registry in memory that keeps to the distribution-spec, but for what `odd` makes of it: how
 * products and what stands before them are known to behave.
 * @param referrers whether it has the API for them; without it, clients keep lists under tags.
 */
export async function startOddRegistry(
  odd: Odd = () => undefined,
  { referrers = false }: { readonly referrers?: boolean } = {},
): Promise<OddRegistry> {
  const state: OddState = { blobs: new Map(), manifests: new Map(), tags: new Map() };
  const usual = { state, sessions: new Map<string, Buffer>(), referrers };
  const requests: string[] = [];
  const counts = new Map<string, number>();
  let decide = odd;
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const { method = '', url = '', headers } = incoming;
      const body = await bodyOf(incoming);
      const key = `${method} ${url.replace(/\?.*/, '')}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      requests.push(`${method} ${url}`);
      const request: OddRequest = { method, url, headers, body, nth: counts.get(key)! };
      const answer = decide(request, state) ?? usualAnswer(request, usual);
      if (answer !== 'never') send(outgoing, request, answer);
    })().catch(() => outgoing.destroy());
  });
  const served = await serve(server);
  return {
    ...served,
    state,
    requests,
    be: (next) => (decide = next),
  };
}

/** The body of an error (distribution-spec, "Error Codes"). */
export function errors(code: string, message = 'a message', detail?: unknown): string {
  return JSON.stringify({ errors: [{ code, message, ...(detail !== undefined && { detail }) }] });
}

export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An answer with content, or the part of it that a Range header asks for. */
export function contentAnswer(bytes: Buffer, { headers, method }: OddRequest): OddAnswer {
  const range = /^bytes=([0-9]+)-([0-9]*)$/.exec(headers.range ?? '');
  if (range === null || method === 'HEAD') return { status: 200, body: bytes };
  const start = Number(range[1]);
  if (start >= bytes.length) return { status: 416 };
  const end = range[2] === '' ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1);
  return {
    status: 206,
    headers: { 'content-range': `bytes ${start}-${end}/${bytes.length}` },
    body: bytes.subarray(start, end + 1),
  };
}

interface Usual {
  readonly state: OddState;
  /** What has been uploaded of each blob by now. */
  readonly sessions: Map<string, Buffer>;
  readonly referrers: boolean;
}

function usualAnswer(request: OddRequest, { state, sessions, referrers }: Usual): OddAnswer {
  const { method, url } = request;
  if (/^\/v2\/?$/.test(url)) {
    const headers = { 'docker-distribution-api-version': 'registry/2.0' };
    return { status: 200, headers, body: '{}' };
  }
  const [, repository = '', what, name = ''] = PATH.exec(url) ?? [];
  const query = new URL(url, 'http://registry').searchParams;
  if (what === 'blobs/uploads')
    return upload(request, { repository, name, query }, state, sessions);
  if (what === 'blobs') {
    const held = state.blobs.get(`${repository}@${name}`);
    if (held === undefined) return { status: 404, body: errors('BLOB_UNKNOWN') };
    if (method !== 'DELETE') return contentAnswer(held, request);
    state.blobs.delete(`${repository}@${name}`);
    return { status: 202 };
  }
  if (what === 'manifests') {
    const answer = manifest(request, repository, name, state);
    const subject = referrers && method === 'PUT' ? subjectOf(request.body) : undefined;
    if (subject === undefined) return answer;
    return { ...answer, headers: { ...answer.headers, 'oci-subject': subject.digest } };
  }
  if (what === 'referrers' && referrers) return referrersList(repository, name, state);
  if (what === 'tags/list') return tagList(repository, state);
  return { status: 404, body: errors('UNSUPPORTED') };
}

interface UploadPath {
  readonly repository: string;
  /** Of the session. */
  readonly name: string;
  readonly query: URLSearchParams;
}

function upload(
  { method, body }: OddRequest,
  { repository, name, query }: UploadPath,
  { blobs }: OddState,
  sessions: Map<string, Buffer>,
): OddAnswer {
  if (method === 'POST') {
    const mount = query.get('mount');
    const from = `${query.get('from') ?? ''}@${mount ?? ''}`;
    if (mount !== null && blobs.has(from)) {
      blobs.set(`${repository}@${mount}`, blobs.get(from)!);
      return { status: 201 };
    }
    const id = randomUUID();
    sessions.set(id, Buffer.alloc(0));
    return { status: 202, headers: { location: `/v2/${repository}/blobs/uploads/${id}` } };
  }
  const had = sessions.get(name);
  if (had === undefined) return { status: 404, body: errors('BLOB_UPLOAD_UNKNOWN') };
  const location = `/v2/${repository}/blobs/uploads/${name}`;
  const all = Buffer.concat([had, body]);
  const range = `0-${Math.max(all.length - 1, 0)}`;
  if (method === 'GET') return { status: 204, headers: { location, range } };
  if (method === 'DELETE') {
    sessions.delete(name);
    return { status: 204 };
  }
  sessions.set(name, all);
  if (method === 'PATCH') return { status: 202, headers: { location, range } };
  const digest = query.get('digest') ?? '';
  if (digestOfBytes(all) !== digest) return { status: 400, body: errors('DIGEST_INVALID') };
  sessions.delete(name);
  blobs.set(`${repository}@${digest}`, all);
  return { status: 201, headers: { 'docker-content-digest': digest } };
}

function manifest(
  request: OddRequest,
  repository: string,
  name: string,
  { blobs, manifests, tags }: OddState,
): OddAnswer {
  const { method, body, headers } = request;
  const isDigest = name.startsWith('sha256:');
  const digest = isDigest ? name : (tags.get(`${repository}:${name}`) ?? '');
  if (method === 'PUT') {
    const stored = digestOfBytes(body);
    const document = JSON.parse(body.toString()) as Record<string, { digest: string }[]>;
    const pointed = [document['config'] ?? [], document['layers'] ?? []].flat();
    const lacks = [
      ...pointed.filter((item) => !blobs.has(`${repository}@${item.digest}`)),
      ...(document['manifests'] ?? []).filter(
        (item) => !manifests.has(`${repository}@${item.digest}`),
      ),
    ];
    if (lacks.length > 0) return { status: 400, body: errors('MANIFEST_BLOB_UNKNOWN') };
    const type = headers['content-type'] ?? '';
    manifests.set(`${repository}@${stored}`, { type, bytes: body });
    if (!isDigest) tags.set(`${repository}:${name}`, stored);
    return { status: 201, headers: { 'docker-content-digest': stored } };
  }
  const held = manifests.get(`${repository}@${digest}`);
  if (held === undefined) return { status: 404, body: errors('MANIFEST_UNKNOWN') };
  if (method === 'DELETE') {
    if (isDigest) manifests.delete(`${repository}@${digest}`);
    for (const [key, named] of tags)
      if (isDigest ? isIn(repository, key) && named === digest : key === `${repository}:${name}`)
        tags.delete(key);
    return { status: 202 };
  }
  return { status: 200, headers: { 'content-type': held.type }, body: held.bytes };
}

function subjectOf(bytes: Buffer): { digest: string } | undefined {
  return (JSON.parse(bytes.toString()) as { subject?: { digest: string } }).subject;
}

function referrersList(repository: string, subject: string, { manifests }: OddState): OddAnswer {
  const own = [...manifests].filter(([key]) => key.startsWith(`${repository}@`));
  const list = own
    .filter(([, { bytes }]) => subjectOf(bytes)?.digest === subject)
    .map(([key, { type: mediaType, bytes }]) => {
      const digest = key.slice(repository.length + 1);
      const { artifactType } = JSON.parse(bytes.toString()) as { artifactType?: string };
      return { mediaType, digest, size: bytes.length, artifactType };
    });
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: list });
  return { status: 200, headers: { 'content-type': mediaType }, body };
}

function isIn(repository: string, tagKey: string): boolean {
  return tagKey.slice(0, tagKey.lastIndexOf(':')) === repository;
}

function tagList(repository: string, { blobs, manifests, tags }: OddState): OddAnswer {
  const own = [...tags.keys()].filter((key) => isIn(repository, key));
  const isKnown = [...blobs.keys(), ...manifests.keys()].some((key) =>
    key.startsWith(`${repository}@`),
  );
  if (own.length === 0 && !isKnown) return { status: 404, body: errors('NAME_UNKNOWN') };
  const names = own.map((key) => key.slice(repository.length + 1));
  return { status: 200, body: JSON.stringify({ name: repository, tags: names }) };
}

function send(outgoing: ServerResponse, { method }: OddRequest, answer: OddAnswer): void {
  const body = Buffer.from(answer.body ?? '');
  const isJson = body.at(0) === 0x7b;
  const headers = {
    ...(isJson && { 'content-type': 'application/json' }),
    ...(answer.status !== 204 &&
      answer.headers?.['transfer-encoding'] === undefined && {
        'content-length': String(body.length),
      }),
    ...answer.headers,
  };
  outgoing.writeHead(answer.status, headers);
  if (method === 'HEAD') outgoing.end();
  else if (answer.pause !== undefined) {
    const { after, until } = answer.pause;
    outgoing.write(body.subarray(0, after));
    void until.then(() => outgoing.end(body.subarray(after)));
  } else if (answer.cutAfter === undefined) outgoing.end(body);
  else {
    outgoing.flushHeaders();
    outgoing.write(body.subarray(0, answer.cutAfter), () => outgoing.socket?.destroySoon());
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
