import {
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial, unpackTo } from '../../scripts/lib/damage.ts';
import { History } from '../../src/history/history.ts';
import { parseTarget, planDestinations } from '../../src/kinds/destinations.ts';
import { writeReceipt } from '../../src/receipts/file.ts';
import { writePaper } from '../../src/receipts/paper/paper.ts';
import { signReceipt } from '../../src/receipts/signed.ts';
import { importHistory } from '../../src/workflows/history/import.ts';
import { makeImageSet } from '../../src/workflows/image-set/file.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import { repair } from '../../src/workflows/repair.ts';
import { keygen, trustAdd } from '../../src/workflows/keys.ts';
import { writeForClusters } from '../../src/workflows/resources.ts';
import { sign } from '../../src/workflows/sign.ts';
import { verify } from '../../src/workflows/verify.ts';
import { SignerKey, SigningKey } from '../../src/trust/keys.ts';
import { contextIn } from '../support/context.ts';
import { bundleRow, receiptOf, siteKey } from '../support/receipts.ts';

const STEM = 'ocp-4.17.3-x86_64';
const RECEIPT = signReceipt(receiptOf([bundleRow(STEM)]), siteKey);
const OCI_LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
const NO_IMAGES = '{"schemaVersion":2,"manifests":[]}';
const TARGET = 'registry.example.com:5000/ocp4';
const DESTINATIONS = planDestinations({ to: parseTarget(TARGET) });
const DRAFT = {
  ...{ channel: 'stable-4.17', shortestPath: false, graph: false },
  ...{ architectures: [], packages: [], images: [] },
};

describe('a link under the name of a file that is to be written', () => {
  let folder: string;
  let trial: DamageTrial;
  let output: string;
  let victim: string;
  let cases = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-links-'));
    trial = await prepareTrial(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    output = join(folder, `case-${(cases += 1)}`);
    await mkdir(output);
    victim = join(folder, `victim-${cases}`);
    await writeFile(victim, 'not yours');
  });

  const packed = async (
    more: { readonly volumeSize?: number; readonly restart?: boolean } = {},
  ): Promise<unknown> => pack({ ...trial.packRequest, output, ...more }, trial.context);
  const repaired = async (): Promise<unknown> =>
    repair({ bundle: trial.request(trial.path), output }, trial.context);
  const refusedFor = (name: string): unknown => ({
    code: 'DISK',
    exitStatus: 26,
    message: expect.stringContaining(join(output, name)) as string,
  });

  it.each([
    ...[
      `${STEM}.tar.zst.partial`,
      `${STEM}.tar.zst`,
      `${STEM}.tar.zst.lock`,
      `${STEM}.pub`,
      `${STEM}.pub.partial`,
      `${STEM}.sha256`,
      `${STEM}.sha256.partial`,
    ].flatMap((name) => [
      { name, what: 'pack', work: () => packed() },
      { name, what: 'repair', work: repaired },
    ]),
    {
      name: `${STEM}.tar.zst.partial`,
      what: 'pack --restart',
      work: () => packed({ restart: true }),
    },
    ...[
      `${STEM}.tar.zst.001`,
      `${STEM}.tar.zst.001.partial`,
      `${STEM}.tar.zst.003.partial`,
      `${STEM}.volume-size.partial`,
      `${STEM}.volume-size.partial.partial`,
    ].map((name) => ({
      ...{ name, what: 'pack --volume-size' },
      work: () => packed({ volumeSize: Math.ceil(trial.genuine.length / 3) }),
    })),
  ])('$name is refused by $what, before anything is written', async ({ name, work }) => {
    await symlink(victim, join(output, name));
    await expect(work()).rejects.toMatchObject(refusedFor(name) as object);
    expect(await readFile(victim, 'utf8')).toBe('not yours');
    expect(await readdir(output)).toEqual([name]);
  });

  it.each(['index.json', 'oci-layout', 'ingest', 'blobs', 'blobs/sha256'])(
    '%s is refused by an unpack into an image layout',
    async (name) => {
      const path = join(output, name);
      await mkdir(dirname(path), { recursive: true });
      if (name !== 'oci-layout') await writeFile(join(output, 'oci-layout'), OCI_LAYOUT);
      // What stands there would do, were it no link.
      const file = { 'oci-layout': OCI_LAYOUT, 'index.json': NO_IMAGES }[name];
      const before = file === undefined ? [] : Buffer.from(file);
      await rm(victim);
      if (file === undefined) await mkdir(victim);
      else await writeFile(victim, file);
      await symlink(victim, path);
      await expect(unpackTo(trial, [trial.path], output, false)).rejects.toMatchObject(
        refusedFor(name) as object,
      );
      expect((await lstat(path)).isSymbolicLink()).toBe(true);
      expect(await contentOf(victim)).toEqual(before);
    },
  );

  it('is refused for a damage map, and for a signature', async () => {
    const map = join(output, 'damage.json');
    await symlink(victim, map);
    await expect(
      verify({ ...trial.request(trial.path), damageFile: map }, trial.context),
    ).rejects.toMatchObject(refusedFor('damage.json') as object);

    const path = join(output, basename(trial.path));
    await copyFile(trial.path, path);
    const key = SigningKey.generate('ed25519');
    const keyFile = join(output, 'other.pem');
    await writeFile(keyFile, key.pem());
    const name = `${STEM}.${key.public.shortId}.sig`;
    await symlink(victim, join(output, name));
    await expect(
      sign({ ...trial.request(path), key: { ...trial.packRequest.key, keyFile } }, trial.context),
    ).rejects.toMatchObject(refusedFor(name) as object);
    expect(await readFile(victim, 'utf8')).toBe('not yours');

    await rm(join(output, name));
    await writeFile(join(output, name), 'a note of mine');
    const signing = { ...trial.request(path), key: { ...trial.packRequest.key, keyFile } };
    await expect(sign(signing, trial.context)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await readFile(join(output, name), 'utf8')).toBe('a note of mine');
  });

  it('is refused in the folder of the user, by trust add and by keygen', async () => {
    const user = contextIn(output);
    const pub = join(trial.context.configFolder, 'signing-key.pub');
    const { id } = SignerKey.parse(await readFile(pub), pub);
    await trustAdd([pub], user);
    const keys = join(user.configFolder, 'trusted-keys');
    const [name = ''] = await readdir(keys);
    expect(id).toContain(name.replace('.pub', ''));
    await rm(join(keys, name));
    await symlink(victim, join(keys, name));
    await expect(trustAdd([pub], user)).rejects.toMatchObject({
      ...{ code: 'DISK', exitStatus: 26 },
      message: expect.stringContaining(join(keys, name)) as string,
    });
    for (const end of ['.pem', '.pub']) {
      const own = join(output, `key-${end.slice(1)}`);
      await symlink(victim, `${own}${end}`);
      await expect(
        keygen({ type: 'ed25519', output: `${own}.pem`, passphrase: undefined }, user),
      ).rejects.toMatchObject({ exitStatus: 2, message: expect.stringContaining(own) as string });
    }
    expect(await readFile(victim, 'utf8')).toBe('not yours');
  });

  it.each([['started-sets'], [`started-sets/${STEM}.tar.zst.json`]])(
    '%s of the user is refused by a pack that remembers which volumes are done',
    async (name) => {
      const user = contextIn(join(output, 'user'));
      const path = join(user.configFolder, name);
      await mkdir(dirname(path), { recursive: true });
      await rm(victim);
      if (name === 'started-sets') await mkdir(victim);
      await symlink(victim, path);
      const before = await contentOf(victim);
      const keyFile = join(trial.context.configFolder, 'signing-key.pem');
      const volumeSize = Math.ceil(trial.genuine.length / 3);
      const key = { ...trial.packRequest.key, keyFile };
      await expect(
        pack({ ...trial.packRequest, output, key, volumeSize, stopAfter: 1 }, user),
      ).rejects.toMatchObject(refusedFor(join('user', name)) as object);
      expect(await contentOf(victim)).toEqual(before);
      expect((await lstat(path)).isSymbolicLink()).toBe(true);
    },
  );

  it.each(['to nothing', 'to what was begun', 'to a folder'] as const)(
    'that leads %s is refused',
    async (where) => {
      const name = `${STEM}.tar.zst.partial`;
      await rm(victim);
      if (where === 'to a folder') await mkdir(victim);
      const begun = trial.genuine.subarray(0, trial.layers[1]!.start);
      if (where === 'to what was begun') await writeFile(victim, begun);
      await symlink(victim, join(output, name));
      await expect(packed()).rejects.toMatchObject(refusedFor(name) as object);
      const left = { 'to nothing': undefined, 'to a folder': [], 'to what was begun': begun };
      expect(await contentOf(victim)).toEqual(left[where]);
    },
  );

  /** What makes files in a folder that somebody has named, or that is this program's own. */
  const WRITERS: Readonly<Record<string, (to: string) => Promise<unknown>>> = {
    'receipts, on paper too': async (to) => {
      await writeReceipt(to, RECEIPT);
      await writePaper(to, RECEIPT);
    },
    'a receipt in the history': (to) => new History(to).keepReceipt(RECEIPT),
    'a bundle in the history': (to) =>
      importHistory(
        {
          ...{ paths: [trial.path], history: to, acceptNewKey: false },
          open: trial.request(trial.path),
        },
        trial.context,
      ),
    'the files of a cluster': (to) =>
      writeForClusters(
        {
          bundle: trial.request(trial.path),
          to: { name: TARGET, kind: 'registry', destinations: DESTINATIONS },
          resources: { folder: to, signatureServer: 'https://sigs.example.com' },
          ...{ select: [], apply: undefined, dryRun: false },
        },
        trial.context,
      ),
    'an image set': (to) => makeImageSet(join(to, 'imageset.yaml'), DRAFT),
  };

  /** The names that a writer gives, and whether each is that of a folder. */
  async function namesOf(
    write: (to: string) => Promise<unknown>,
  ): Promise<readonly (readonly [string, boolean])[]> {
    const to = await mkdtemp(join(folder, 'names-'));
    await write(to);
    const found = await readdir(to, { recursive: true, withFileTypes: true });
    expect(found.every((entry) => entry.isFile() || entry.isDirectory())).toBe(true);
    return found.map((entry) => [
      relative(to, join(entry.parentPath, entry.name)),
      entry.isDirectory(),
    ]);
  }

  it.each(Object.entries(WRITERS))('is refused at every name of %s', async (_, write) => {
    const names = await namesOf(write);
    expect(names.length).toBeGreaterThan(0);
    await rm(victim);
    for (const [name, isFolder] of names) {
      const to = await mkdtemp(join(output, 'to-'));
      const path = join(to, name);
      await mkdir(dirname(path), { recursive: true });
      if (isFolder) await mkdir(victim);
      else await writeFile(victim, 'not yours');
      await symlink(victim, path);
      await expect(write(to), name).rejects.toMatchObject({
        ...{ code: 'DISK', exitStatus: 26 },
        message: expect.stringContaining(path) as string,
      });
      expect(await contentOf(victim)).toEqual(isFolder ? [] : Buffer.from('not yours'));
      expect((await lstat(path)).isSymbolicLink()).toBe(true);
      await rm(victim, { recursive: true });
    }
  });

  it.each([
    `${STEM}.begun.partial/`,
    `${STEM}.restart.partial/`,
    `${STEM}.restart.partial/${STEM}.begun.partial/`,
    `${STEM}.restart.partial/${STEM}.tar.zst.partial`,
    `${STEM}.restart.partial/${STEM}.pub`,
    `${STEM}.restart.partial/${STEM}.whole`,
  ])('%s is refused by a pack that replaces a bundle, which stays', async (planted) => {
    const name = planted.replace(/\/$/, '');
    await copyFile(trial.path, join(output, basename(trial.path)));
    await mkdir(dirname(join(output, name)), { recursive: true });
    if (name !== planted) {
      await rm(victim);
      await mkdir(victim);
    }
    await symlink(victim, join(output, name));
    const before = await contentOf(victim);
    await expect(packed({ restart: true })).rejects.toMatchObject(refusedFor(name) as object);
    expect(await contentOf(victim)).toEqual(before);
    expect((await lstat(join(output, name))).isSymbolicLink()).toBe(true);
    expect((await readFile(join(output, basename(trial.path)))).equals(trial.genuine)).toBe(true);
  });

  it('is replaced where a layout has a blob, which the link would leave behind', async () => {
    await unpackTo(trial, [trial.path], output, false);
    const blobs = join(output, 'blobs/sha256');
    const [name = ''] = await readdir(blobs);
    const bytes = await readFile(join(blobs, name));
    await writeFile(victim, bytes);
    await rm(join(blobs, name), { force: true });
    await symlink(victim, join(blobs, name));
    await unpackTo(trial, [trial.path], output, false);
    expect((await lstat(join(blobs, name))).isFile()).toBe(true);
    expect((await readFile(join(blobs, name))).equals(bytes)).toBe(true);
    expect((await readFile(victim)).equals(bytes)).toBe(true);
  });

  it('is no longer in the way when it is gone, and what a run has left is continued', async () => {
    await writeFile(
      join(output, `${STEM}.tar.zst.partial`),
      trial.genuine.subarray(0, trial.layers[1]!.start),
    );
    await writeFile(join(output, `${STEM}.pub.partial`), 'left behind');
    await packed();
    const path = join(output, basename(trial.path));
    expect((await lstat(path)).isFile()).toBe(true);
    expect((await readFile(path)).equals(trial.genuine)).toBe(true);
    expect((await readdir(output)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

/** What a file or folder holds; `undefined` where nothing is. */
async function contentOf(path: string): Promise<Buffer | string[] | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  return found.isDirectory() ? readdir(path) : readFile(path);
}
