import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { entryLength, TAR_END_BYTES, tarHeader } from '../../../src/bundle/format/tar.ts';
import type { KeyType } from '../../../src/trust/key-types.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { writeCrafted, sampleIngredients } from '../../support/crafted-bundle.ts';
import { tarEntry } from '../../support/crafted-tar.ts';
import { describeWith, type Program } from '../../support/needs.ts';
import { type SampleBundle, writeSampleBundle } from '../../support/sample-bundle.ts';

const SIZES = [1, 512, 130 * 1024 + 5];
const GiB = 1024 ** 3;

/**
 * Shows each line that only the listing or only SHA256SUMS has (docs/format.md, keys and
 * signatures).
 */
const NOTHING_ELSE = `
diff <(tar --zstd -tvf "$F" | awk '{print substr($1,1,1)" "$6}' | sort) \\
     <((printf -- '- SHA256SUMS\\n- SHA256SUMS.sig\\n- SHA256SUMS.pub\\n'; sed 's/^[0-9a-f]*  /- /' SHA256SUMS) | sort)`;

describeWith(['zstd'], 'a bundle in the hands of other programs', () => {
  let folder: string;
  let untarred: string;
  let bundle: SampleBundle;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-others-'));
    bundle = await writeSampleBundle(folder, SIZES);
    untarred = await untar(folder, bundle.path);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const nothingElse = (file: string, cwd: string) =>
    execa('bash', ['-c', NOTHING_ELSE], { cwd, env: { F: file }, reject: false });

  describe('zstd', () => {
    it('finds every frame whole', async () => {
      await execa('zstd', ['-t', bundle.path]);
    });
  });

  describe('tar', () => {
    it('lists what SHA256SUMS lists, and nothing else', async () => {
      const { stdout, exitCode } = await nothingElse(bundle.path, untarred);
      expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
    });

    it('shows what a bundle holds besides', async () => {
      const extra = tarEntry('install.sh', Buffer.from('#!/bin/sh\n'), 0);
      const place = await mkdtemp(join(folder, 'crafted-'));
      const path = await writeCrafted(place, sampleIngredients(SIZES), {
        tar: (section, entries) => (section === 'layer 0' ? [extra, ...entries] : entries),
      });
      const own = await untar(folder, path);
      expect(await nothingElse(path, own)).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('< - install.sh') as string,
      });
    });

    it('takes the size of an entry over 8 GiB from its pax header', async () => {
      const path = join(folder, 'large.tar');
      const size = 9 * GiB + 1;
      const name = `blobs/sha256/${'a'.repeat(64)}`;
      const file = await open(path, 'w');
      await file.write(tarHeader(name, size, 1));
      await file.write(tarHeader('after', 0, 1), 0, 512, entryLength(size));
      await file.truncate(entryLength(size) + 512 + TAR_END_BYTES);
      await file.close();
      const { stdout } = await execa('tar', ['--utc', '--numeric-owner', '-tvf', path]);
      expect(stdout.split('\n').map((line) => line.split(/ +/))).toEqual([
        ['-rw-r--r--', '0/0', String(size), '1970-01-01', '00:00', name],
        ['-rw-r--r--', '0/0', '0', '1970-01-01', '00:00', 'after'],
      ]);
    });
  });

  describe.each<[string, string[], Program[]]>([
    ['sha256sum', ['--strict'], []],
    ['shasum', ['-a', '256'], ['shasum']],
  ])('%s', (program, options, needed) => {
    describeWith(needed, '-c', () => {
      it('finds every file as it is listed', async () => {
        const { stdout } = await execa(program, [...options, '-c', 'SHA256SUMS'], {
          cwd: untarred,
        });
        const listed = (await readFile(join(untarred, 'SHA256SUMS'), 'utf8')).trimEnd().split('\n');
        expect(stdout.split('\n')).toEqual(listed.map((line) => `${line.slice(66)}: OK`));
      });
    });
  });

  describeWith(['openssl'], 'openssl', () => {
    it.each<KeyType>(['ecdsa-p256', 'ecdsa-p384', 'rsa-3072', 'ed25519'])(
      'verifies a signature made with %s',
      async (type) => {
        const key = SigningKey.generate(type);
        const own = await mkdtemp(join(folder, 'signed-'));
        const { path } = await writeSampleBundle(own, SIZES, key);
        const cwd = await untar(own, path);
        await writeFile(join(cwd, 'KEY.pub'), key.public.pem);
        const command =
          type === 'ed25519'
            ? 'openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in SHA256SUMS -sigfile sig'
            : 'openssl dgst -sha256 -verify KEY.pub -signature sig SHA256SUMS';
        const check = () =>
          execa('sh', ['-ec', `base64 -d SHA256SUMS.sig > sig\n${command}`], {
            cwd,
            reject: false,
          });
        expect((await check()).exitCode).toBe(0);
        await writeFile(join(cwd, 'SHA256SUMS'), '\n', { flag: 'a' });
        expect((await check()).exitCode).not.toBe(0);
      },
    );
  });

  describeWith(['python3'], 'tarfile of Python', () => {
    it('sees regular files only, each once, all of one time', async () => {
      const tar = join(folder, 'bundle.tar');
      await execa('zstd', ['-dqf', bundle.path, '-o', tar]);
      const script =
        'import sys, tarfile, json; print(json.dumps([[m.name, m.isreg(), m.mtime] for m in tarfile.open(sys.argv[1], "r:")]))';
      const { stdout } = await execa('python3', ['-c', script, tar]);
      const listed = (await readFile(join(untarred, 'SHA256SUMS'), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(66));
      const names = ['SHA256SUMS', 'SHA256SUMS.sig', 'SHA256SUMS.pub', ...listed];
      expect(JSON.parse(stdout)).toEqual(
        names.map((name) => [name, true, Date.parse('2024-10-01T12:00:00Z') / 1000]),
      );
    });
  });
});

async function untar(folder: string, path: string): Promise<string> {
  const out = await mkdtemp(join(folder, 'untarred-'));
  await execa('tar', ['--zstd', '-xf', path, '-C', out]);
  return out;
}
