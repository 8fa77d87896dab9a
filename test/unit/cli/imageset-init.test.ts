import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { imagesetInitCommand } from '../../../src/cli/commands/imageset/init.ts';
import type { Io } from '../../../src/cli/io.ts';
import type { Context } from '../../../src/core/context.ts';
import { MAX_IMAGE_SET_BYTES } from '../../../src/core/limits.ts';
import { formatLock } from '../../../src/packing/lock/format.ts';
import { checkImageSet } from '../../../src/workflows/image-set/file.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-imageset-'));
  file = join(folder, 'imageset.yaml');
});
afterEach(() => rm(folder, { recursive: true }));

/** A terminal with somebody who answers each question that holds a word, and the others not. */
function terminalWith(answers: Readonly<Record<string, string>>, asked: string[] = []): Io {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 200 });
  stderr.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    if (!/[:\]] $/.test(text)) return;
    asked.push(text);
    const known = Object.keys(answers).find((word) => text.includes(word));
    setImmediate(() => stdin.write(`${known === undefined ? '' : answers[known]!}\r`));
  });
  return { stdin, stderr, signal: new AbortController().signal } as unknown as Io;
}

const run = (io: Io, args: Readonly<Record<string, unknown>> = {}) =>
  imagesetInitCommand.run({ FILE: file, ...args }, {} as Context, io);

const PADDING = ' '.repeat(MAX_IMAGE_SET_BYTES);

describe('imageset init', () => {
  it('asks on a terminal, and writes what was answered', async () => {
    const io = terminalWith({
      'Channel of releases': 'stable-4.17',
      'Oldest release': '4.16.20',
      'an update passes': 'y',
      Architectures: 'amd64 arm64',
      'Operators of it': 'foo, bar',
      'Operator catalog': 'r.example.com/index:v4.17',
      'More images': 'quay.io/a/b:1',
    });
    await run(io);
    expect(await readFile(file, 'utf8')).toBe(
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: ImageSetConfiguration',
        'mirror:',
        '  platform:',
        '    architectures:',
        '      - amd64',
        '      - arm64',
        '    channels:',
        '      - name: stable-4.17',
        '        minVersion: 4.16.20',
        '        shortestPath: true',
        '  operators:',
        '    - catalog: r.example.com/index:v4.17',
        '      packages:',
        '        - name: foo',
        '        - name: bar',
        '  additionalImages:',
        '    - name: quay.io/a/b:1',
        '',
      ].join('\n'),
    );
  });

  it('asks nothing where options say what the file shall hold', async () => {
    const asked: string[] = [];
    await run(terminalWith({}, asked), { 'min-version': '4.17.1', channel: 'stable-4.17' });
    expect(asked).toEqual([]);
    expect(await readFile(file, 'utf8')).toContain('minVersion: 4.17.1');
  });

  it('asks nothing where the file is there, and leaves it alone', async () => {
    await writeFile(file, 'mine');
    const asked: string[] = [];
    await expect(run(terminalWith({}, asked))).rejects.toMatchObject({ code: 'USAGE' });
    expect(asked).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe('mine');
  });

  it.each([
    ['answers that ask for nothing', {}],
    ['a range that is empty', { channel: 'a', 'min-version': '4.17.5', 'max-version': '4.17.3' }],
    ['a version without its channel', { 'min-version': '4.17.5' }],
    ['operators without their catalog', { package: 'foo' }],
    ['an architecture without releases', { arch: 'amd64' }],
  ])('writes nothing for %s', async (_, args) => {
    await expect(run(terminalWith({}), args)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('imageset init, told by options', () => {
  const nobody = {} as Io;

  it.each(['yes', 'On', 'n', '1_0', '0b11', '0o7', '4.10'])('quotes the name %s', async (name) => {
    await run(nobody, { catalog: 'r.example.com/index:v4.17', package: [name] });
    expect(await readFile(file, 'utf8')).toContain(`- name: "${name}"`);
  });

  it.each(['a\nb', 'a b', '"a"'])('takes no name such as %j', async (name) => {
    const options = { catalog: 'r.example.com/index:v4.17', package: [name] };
    await expect(run(nobody, options)).rejects.toMatchObject({ exitStatus: 2 });
    await expect(run(nobody, { channel: name })).rejects.toMatchObject({ exitStatus: 2 });
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes - for no file', async () => {
    const refused = run(nobody, { FILE: '-', channel: 'stable-4.17' });
    await expect(refused).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('imageset check', () => {
  const content = 'kind: ImageSetConfiguration\n# \u00e9\n';
  const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16();
  const wide = (text: string, isBig: boolean): Buffer =>
    Buffer.concat(
      Array.from(text, (character) => {
        const four = Buffer.alloc(4);
        if (isBig) four.writeUInt32BE(character.codePointAt(0)!);
        else four.writeUInt32LE(character.codePointAt(0)!);
        return four;
      }),
    );

  it.each([
    ['UTF-16', Buffer.from(content, 'utf16le')],
    ['UTF-16', Buffer.from(`\ufeff${content}`, 'utf16le')],
    ['UTF-16', swapped(Buffer.from(content, 'utf16le'))],
    ['UTF-16', swapped(Buffer.from(`\ufeff${content}`, 'utf16le'))],
    ['UTF-32', wide(content, false)],
    ['UTF-32', wide(`\ufeff${content}`, false)],
    ['UTF-32', wide(content, true)],
    ['UTF-32', wide(`\ufeff${content}`, true)],
    ['another encoding, such as ISO 8859-1', Buffer.from(content, 'latin1')],
  ])('refuses a file in %s', async (encoding, bytes) => {
    await writeFile(file, bytes);
    const error: unknown = await checkImageSet(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitStatus: 2 });
    expect((error as Error).message).toContain(`is no text in UTF-8, but in ${encoding}`);
  });

  it('takes UTF-8, with its mark too', async () => {
    for (const mark of ['', '\ufeff']) {
      await writeFile(file, `${mark}${content}`);
      const { findings } = await checkImageSet(file);
      expect(findings.map(({ code }) => code)).not.toContain('syntax');
    }
  });

  it.each([
    ['', (lock: string): string => lock],
    [' that is larger than an image set can be', (lock: string): string => lock + PADDING],
    [' of another version', (lock: string): string => lock.replace('lock 1', 'lock 27')],
    [' that was formatted anew', (lock: string): string => JSON.stringify(JSON.parse(lock))],
  ])('says of a lock%s that it is one, and what reads it', async (_, changed) => {
    const nothing = { signatures: false, referrers: false, parts: [], releases: [], graph: [] };
    const none = { catalogs: [], charts: [], images: [], contents: [], files: [], blobs: [] };
    await writeFile(file, changed(Buffer.from(formatLock({ ...nothing, ...none })).toString()));
    const error: unknown = await checkImageSet(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitStatus: 2 });
    const { message } = error as Error;
    expect(message).toContain('is a lock, as pack --lock writes it');
    expect(message).toContain('bundle pack --locked');
    expect(message).toContain('bundle imageset diff');
  });
});
