import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import { loginCommand } from '../../src/cli/commands/login.ts';
import type { Io } from '../../src/cli/io.ts';
import { readAll, streamOf } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { held } from '../contract/content.ts';
import { contextIn } from '../support/context.ts';
import { type Odd, startOddRegistry } from '../support/odd-registry.ts';
import { temporaryFolder } from '../support/user.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

describe('a registry that accepts and never answers', () => {
  /** With waiting times that a test can wait for. */
  function client(events: TransferEvent[]): RegistryClient {
    const opened = new RegistryClient({
      credentials: anonymous,
      ca: [],
      backoffMs: 1,
      contactMs: 150,
      answerMs: 150,
      watchMs: 20,
      observe: (event) => void events.push(event),
    });
    cleanUp.push(async () => opened.close());
    return opened;
  }

  it('is left after two attempts, and reported while it is silent', async () => {
    const events: TransferEvent[] = [];
    const registry = await startOddRegistry(() => 'never');
    cleanUp.push(registry.stop);
    const repository = client(events).repository({ registry: registry.host, repository: 'a/b' });
    await expect(repository.resolve('4.17.3')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('no answer in time') as string,
    });
    expect(registry.requests).toEqual(['GET /v2/', 'GET /v2/']);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'waiting', what: `GET http://${registry.host}/v2/` }),
    );
  });

  it('is left as well where it answers its greeting alone', async () => {
    const odd: Odd = ({ url }) => (url === '/v2/' ? undefined : 'never');
    const registry = await startOddRegistry(odd);
    cleanUp.push(registry.stop);
    const repository = client([]).repository({ registry: registry.host, repository: 'a/b' });
    await expect(repository.tags()).rejects.toMatchObject({ code: 'NETWORK' });
    expect(registry.requests).toHaveLength(1 + 3);
  });

  /** An upload that gets this answer to one of its requests, and how often that was sent. */
  async function uploaded(
    isAnswered: (line: string) => boolean,
    answer: ReturnType<Odd>,
  ): Promise<{ failure: unknown; sent: number }> {
    const { descriptor, bytes } = held(OCI_LAYER_GZIP, seededBytes('up', 1000));
    const odd: Odd = ({ method, url }) => (isAnswered(`${method} ${url}`) ? answer : undefined);
    const registry = await startOddRegistry(odd);
    cleanUp.push(registry.stop);
    const repository = client([]).repository({ registry: registry.host, repository: 'a/b' });
    const again = (): AsyncGenerator<Uint8Array> => streamOf(bytes);
    const failure: unknown = await repository
      .push(descriptor, again(), { again, isAbsent: true })
      .catch((thrown: unknown) => thrown);
    return { failure, sent: registry.requests.filter(isAnswered).length };
  }

  it.each([
    ['begins', 3, (line: string) => line.startsWith('POST ')],
    // Once with all the bytes, and three times after them.
    ['ends', 4, (line: string) => /^PUT .*digest=/.test(line)],
  ])('is asked by an upload that %s %d times in all', async (_, times, isAnswered) => {
    const { failure, sent } = await uploaded(isAnswered, 'never');
    expect(failure).toMatchObject({ code: 'NETWORK', temporary: false });
    expect(sent).toBe(times);
  });

  it('is asked ten times in all by an upload that begins, where it is not able', async () => {
    const { failure, sent } = await uploaded((line) => line.startsWith('POST '), { status: 503 });
    expect(failure).toMatchObject({ code: 'REGISTRY', temporary: false });
    expect(sent).toBe(10);
  });

  it('says in the words of its first answer why it is not able', async () => {
    const body = JSON.stringify({ errors: [{ code: 'UNAVAILABLE', message: 'no licence' }] });
    const headers = { 'content-type': 'application/json' };
    const registry = await startOddRegistry(() => ({ status: 501, headers, body }));
    cleanUp.push(registry.stop);
    const repository = client([]).repository({ registry: registry.host, repository: 'a/b' });
    await expect(repository.tags()).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('answered 501, UNAVAILABLE: no licence') as string,
    });
  });

  it('reports a transfer that stands still', async () => {
    const { descriptor, bytes } = held(OCI_LAYER_GZIP, seededBytes('slow', 50_000));
    let go: () => void = () => undefined;
    const registry = await startOddRegistry();
    cleanUp.push(registry.stop);
    registry.state.blobs.set(`a/b@${descriptor.digest}`, Buffer.from(bytes));
    const events: TransferEvent[] = [];
    const repository = client(events).repository({ registry: registry.host, repository: 'a/b' });
    await repository.exists(descriptor);
    const until = new Promise<void>((resolve) => (go = resolve));
    registry.be(() => ({ status: 200, body: bytes, pause: { after: 10, until } }));
    const reading = readAll(repository.fetch(descriptor), 100_000, 'blob');
    await expect.poll(() => events.some(({ type }) => type === 'waiting')).toBe(true);
    go();
    expect((await reading).length).toBe(50_000);
  });
});

describe('login on a terminal', () => {
  it('asks for nothing where no registry answers', async () => {
    const folder = await temporaryFolder('login');
    const registry = await startOddRegistry(() => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<html></html>',
    }));
    cleanUp.push(registry.stop, folder.remove);
    const context = contextIn(folder.path);
    const stderr = new PassThrough();
    const terminal = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    const io = {
      ...{
        stdin: terminal,
        stdout: new PassThrough(),
        stderr: Object.assign(stderr, { isTTY: true }),
      },
      ...{ environment: context.environment, signal: context.signal },
    } as unknown as Io;
    await expect(loginCommand.run({ REGISTRY: registry.host }, context, io)).rejects.toMatchObject({
      code: 'REGISTRY',
    });
    expect(stderr.read()).toBe(null);
  });
});
