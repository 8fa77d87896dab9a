import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import type { Observe } from '../../src/core/events.ts';
import { readAll } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { MAX_TAGS_BYTES } from '../../src/core/limits.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { proxyFromEnvironment } from '../../src/stores/registry/http/proxy.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { digestOf } from '../../src/core/digest.ts';

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n';

/** What answers in place of a registry. */
describe('a server that does not keep to HTTP', () => {
  const cleanUp: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });

  /** Each request gets what `answer` writes, whatever it asks. */
  async function served(
    answer: (socket: Socket, request: string) => void,
    observe?: Observe,
  ): Promise<RegistryRepository> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', (request) => {
        answer(socket, request.toString());
      });
    });
    const host = await listenOnLoopback(server);
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1, observe });
    cleanUp.push(async () => {
      await client.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return client.repository({ registry: host, repository: 'ocp4/release' });
  }

  it.each([
    ['a line that is no status line', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a mail server', '220 mail.example.com ESMTP\r\n'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['a zero byte in a header', 'HTTP/1.1 200 OK\r\nX-A: \0\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnothing\r\n\r\n'],
    ['a status of 000', 'HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}`],
    ['HTTP/2', '\0\0\x12\x04\0\0\0\0\0'],
  ])('is said to be none, after three attempts: %s', async (_, answer) => {
    let asked = 0;
    const repository = await served((socket, request) => {
      if (request.startsWith('GET ')) asked += 1; // a greeting in TLS comes first
      socket.end(answer);
    });
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('its answer is not HTTP') as string,
    });
    expect(asked).toBe(3);
  });

  it('is a failure of the network where it gives a length and chunks', async () => {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${CHUNKED}0\r\n\r\n`;
    const repository = await served((socket) => socket.end(answer));
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('is asked again where a chunk is broken once', async () => {
    let broken = 0;
    const content = 'blob';
    const repository = await served((socket, request) => {
      if (request.startsWith('GET /v2/ '))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      else if (broken++ === 0) socket.end(`HTTP/1.1 200 OK\r\n${CHUNKED}2\r\nblXX`);
      else socket.write(`HTTP/1.1 200 OK\r\n${CHUNKED}4\r\n${content}\r\n0\r\n\r\n`);
    });
    const blob = { mediaType: OCI_LAYER_GZIP, digest: digestOf(content), size: 4 };
    expect((await readAll(repository.fetch(blob), 100, 'blob')).toString()).toBe(
      Buffer.from(content).toString(),
    );
  });

  it('is told in words that are not those of a program', async () => {
    const repository = await served((socket) =>
      socket.end('HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n'),
    );
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({
      message: expect.stringMatching(/its answer is not HTTP: no status of HTTP$/) as string,
    });
  });

  it.each([
    ['file:///etc/passwd', 'redirects to file:///etc/passwd, which is no http(s) address'],
    ['ftp://mirror.example.com/v2/', 'redirects to ftp://mirror.example.com/v2/, which is no'],
  ])('is none that greets with a redirect to %s', async (location, words) => {
    const repository = await served((socket) =>
      socket.end(
        `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n` +
          'Connection: close\r\n\r\n',
      ),
    );
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({
      message: expect.stringContaining(words) as string,
    });
  });

  it.each([
    ['in place of the answer to CONNECT', ''],
    ['after it', 'HTTP/1.1 200 OK\r\n\r\n'],
  ])('is a failure of the network where a proxy writes it %s', async (_, first) => {
    const server: Server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.end(`${first}220 mail.example.com ESMTP\r\n`));
    });
    const proxy = await listenOnLoopback(server);
    const client = new RegistryClient({
      credentials: anonymous,
      ca: [],
      backoffMs: 1,
      proxy: proxyFromEnvironment({ HTTPS_PROXY: `http://${proxy}` }),
    });
    cleanUp.push(async () => {
      await client.close();
      await new Promise((resolve) => server.close(resolve));
    });
    const repository = client.repository({ registry: 'registry.invalid', repository: 'a/b' });
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('is said to be none where it begins as one and goes on otherwise', async () => {
    const repository = await served((socket, request) => {
      if (request.startsWith('GET /v2/ '))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      else socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    });
    const blob = { mediaType: OCI_LAYER_GZIP, digest: digestOf('blob'), size: 4 };
    await expect(readAll(repository.fetch(blob), 100, 'blob')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('its answer is not HTTP') as string,
    });
  });

  it('is left when it announces an answer without end', async () => {
    const repository = await served((socket) => {
      const announce = (): void => {
        if (!socket.destroyed)
          socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', () =>
            setImmediate(announce),
          );
      };
      announce();
    });
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('announces an answer again and again') as string,
    });
  });

  it('is left when the list of its tags does not end, and tells how far it is', async () => {
    let page = 0;
    const phases: string[] = [];
    const repository = await served(
      (socket, request) => {
        if (!request.startsWith('GET /v2/ ')) page += 1;
        const body = JSON.stringify({ name: 'ocp4/release', tags: [`tag-${page}`] });
        socket.write(
          `HTTP/1.1 200 OK\r\nLink: </v2/ocp4/release/tags/list?last=${page}>; rel="next"\r\n` +
            `Content-Length: ${body.length}\r\n\r\n${body}`,
        );
      },
      (event) => {
        if (event.type === 'phase') phases.push(event.what);
      },
    );
    await expect(repository.tags()).rejects.toMatchObject({
      ...{ code: 'REGISTRY', exitStatus: 25 },
      message: expect.stringContaining('the list does not end') as string,
    });
    expect(page).toBeLessThan(200);
    expect(phases[1]).toMatch(/^reading the tags of .*ocp4\/release: 20$/);
  });

  it('is left when its tags take more memory than they may', async () => {
    let page = 0;
    const repository = await served((socket, request) => {
      if (request.startsWith('GET /v2/ ')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      page += 1;
      const tags = Array.from({ length: 25_000 }, (__, index) =>
        `${page}-${index}`.padEnd(128, 'x'),
      );
      const body = JSON.stringify({ name: 'ocp4/release', tags });
      socket.write(
        `HTTP/1.1 200 OK\r\nLink: </v2/ocp4/release/tags/list?last=${page}>; rel="next"\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
    });
    await expect(repository.tags()).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining(`more than ${MAX_TAGS_BYTES} bytes`) as string,
    });
    expect(page).toBeLessThan(25);
  });
});
