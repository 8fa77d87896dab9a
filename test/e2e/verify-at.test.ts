import { copyFile, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { parseDeliveryTarget } from '../../src/delivering/delivery-target.ts';
import { hexOf } from '../../src/core/digest.ts';
import type { Closure } from '../../src/kinds/closure.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { verifyAt, type VerifyAtReport } from '../../src/workflows/verify-at.ts';
import { contextIn } from '../support/context.ts';
import { describeWith } from '../support/needs.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';

const VERSION = '4.17.3';
const CHANGES = 100;

interface Found {
  readonly result: string;
  readonly target: string;
  readonly deep: boolean;
  readonly blobs: number;
  readonly bytes: number;
  readonly bytesRead: number;
  readonly parts: readonly { readonly label: string; readonly presence: string }[];
  readonly differences: readonly {
    readonly what: string;
    readonly flaw: string;
    readonly subject: string;
    readonly images: readonly { readonly name: string }[];
  }[];
}

/** A target whose storage is changed behind its back. */
describeWith(['docker-registry'], 'verify --at', () => {
  let sides: TwoSides;
  let storage: string;
  let at: string;

  const compare = async (...more: readonly string[]): Promise<[number | null, Found]> => {
    const { operator, medium, trust } = sides;
    const args = ['verify', medium, '--at', at, ...trust, ...more, '--output', 'json'];
    const { status, stdout } = await operator.bundle(args);
    return [status, JSON.parse(stdout) as Found];
  };

  beforeAll(async () => {
    const release = { cosign: true, referrers: true, components: 4, scale: 0.0005 };
    sides = await twoSides('verify-at', release);
    const { packer, operator, medium, fetching, trust, target } = sides;
    storage = join(target.root, 'storage/docker/registry/v2');
    at = `${target.host}/ocp4`;
    const pack = ['pack', VERSION, '-o', medium, '--referrers', ...fetching];
    expect(await packer.bundle(pack)).toMatchObject({ status: 0 });
    const key = await readFile(packer.publicKey);
    await writeFile(join(operator.folder, 'packer.pub'), key);
    const trusting = await operator.bundle(['trust', 'add', 'packer.pub']);
    expect(trusting).toMatchObject({ status: 0 });
    const unpack = ['unpack', medium, '--to', at, ...trust];
    expect(await operator.bundle(unpack)).toMatchObject({ status: 0 });
  });
  afterAll(async () => sides.remove());

  it('finds nothing at a target that holds everything, nor in a layout', async () => {
    expect(await compare()).toMatchObject([0, { result: 'good', bytesRead: 0, differences: [] }]);
    expect((await compare())[1].parts).toMatchObject([{ presence: 'complete' }]);
    const [status, deep] = await compare('--deep');
    expect([status, deep]).toMatchObject([0, { result: 'good', deep: true, differences: [] }]);
    expect(deep.bytesRead).toBe(deep.bytes);
    const { operator, medium, trust } = sides;
    const layout = `oci:${join(sides.folder, 'layout')}`;
    const unpacked = await operator.bundle(['unpack', medium, '--to', layout, ...trust]);
    expect(unpacked).toMatchObject({ status: 0 });
    const args = ['verify', medium, '--at', layout, '--deep', ...trust];
    expect(await operator.bundle(args)).toMatchObject({ status: 0 });
  });

  /**
   * The files that a registry serves the content of a bundle from: the data of blobs, and the links
   * that lead to them. A registry keeps earlier lists of referrers too, which nothing needs.
   */
  const served = async ({ content }: Closure): Promise<readonly string[]> => {
    const needed = new Set(
      [...content.manifests, ...content.blobs].map(({ descriptor }) => hexOf(descriptor.digest)),
    );
    const found = await readdir(storage, { recursive: true, withFileTypes: true });
    const paths = found
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(storage, join(parentPath, name)));
    for (const path of paths.filter((one) => one.endsWith('/current/link')))
      needed.add((await readFile(join(storage, path), 'utf8')).slice('sha256:'.length));
    return paths
      .filter((path) => !path.includes('/_uploads/') && !/\/tags\/[^/]*\/index\//.test(path))
      .filter((path) => {
        const digest = hexIn(path);
        return digest === undefined || needed.has(digest);
      })
      .toSorted();
  };

  it(`finds each of ${CHANGES} random removals and changes`, async () => {
    const { operator, medium, made } = sides;
    const context = contextIn(join(operator.home, '.config/bundle'));
    const look = (deep: boolean): Promise<VerifyAtReport> =>
      verifyAt(
        {
          bundle: {
            paths: [medium],
            kinds: KINDS,
            trustedKeyFiles: [],
            releaseKeyFiles: [made.releaseKey],
            signatures: undefined,
          },
          at: parseDeliveryTarget(at, {}),
          network: {
            caFiles: [],
            insecureRegistries: [],
            mirrors: [],
            mirrorSetFiles: [],
          },
          select: [],
          deep,
        },
        context,
      );
    const { bundle, failure: before } = await look(false);
    expect(before).toBeUndefined();
    const files = await served(bundle.closure);
    const { manifests, blobs } = bundle.closure.content;
    const ofBundle = new Set(
      [...manifests, ...blobs].map(({ descriptor }) => hexOf(descriptor.digest)),
    );
    const kept = join(sides.folder, 'kept');
    const missed: string[] = [];
    const seen = new Set<string>();
    for (let number = 0; number < CHANGES; number += 1) {
      // A number that shares no factor with the files goes through all of them.
      const path = files[(number * 37) % files.length]!;
      const file = join(storage, path);
      await copyFile(file, kept);
      const bytes = await readFile(file);
      // A list of referrers is made at the target: not each of its bytes is in the bundle.
      const isData = path.endsWith('/data') && ofBundle.has(hexIn(path) ?? '');
      const how = isData ? (['remove', 'cut', 'alter'] as const)[number % 3]! : 'remove';
      if (how === 'remove') await rm(file);
      else if (how === 'cut') await truncate(file, bytes.length - 1);
      else await writeFile(file, altered(bytes, number));
      const { compared, failure } = await look(how === 'alter');
      const named = compared.differences.every(({ images }) => images.length > 0);
      if (failure === undefined || !named) missed.push(`${how} ${path}`);
      for (const { what, flaw } of compared.differences) seen.add(`${what} ${flaw}`);
      await rename(kept, file);
    }
    expect(missed).toEqual([]);
    expect(seen).toContain('blob absent');
    expect(seen).toContain('blob damaged');
    expect(seen).toContain('manifest absent');
    expect(seen).toContain('tag absent');
    expect((await look(true)).failure).toBeUndefined();
  });

  it('prints a command that mends what was lost', async () => {
    const { operator, medium, trust, target } = sides;
    const tags = join(storage, 'repositories/ocp4/openshift/release-images/_manifests/tags');
    const [lost] = (await readdir(tags)).filter((tag) => tag.includes(VERSION));
    await rm(join(tags, lost!), { recursive: true });
    const layers = 'repositories/ocp4/openshift/release/_layers/sha256';
    const [layer] = await readdir(join(storage, layers));
    await rm(join(storage, layers, layer!), { recursive: true });
    const [status, { differences }] = await compare();
    expect(status).toBe(23);
    const found = differences.map(({ what, flaw, subject }) => `${what} ${flaw} ${subject}`);
    const repository = `${at}/openshift/release`;
    expect(found).toContain(`tag absent ${repository}-images:${lost!}`);
    expect(found).toContain(`blob absent ${repository}@sha256:${layer!}`);
    const { stdout } = await operator.bundle(['verify', medium, '--at', at, ...trust]);
    const printed = /^ {2}bundle (unpack .*)$/m.exec(stdout)![1]!;
    expect(printed).toContain(`--to ${target.host}/ocp4`);
    await execa(
      'bash',
      ['-c', `"${process.execPath}" "${projectPath('dist/bin.js')}" ${printed}`],
      {
        cwd: operator.folder,
        env: { HOME: operator.home },
      },
    );
    expect(await compare()).toMatchObject([0, { result: 'good' }]);
  });

  it('says of an empty place that nothing is there, in a few lines', async () => {
    const { operator, medium, trust, target } = sides;
    const args = ['verify', medium, '--at', `${target.host}/empty`, ...trust];
    const { status, stdout } = await operator.bundle(args);
    expect(status).toBe(23);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^NOT THERE: .* holds nothing of 4\.17\.3 for x86_64$/);
    expect(stdout).not.toContain('nothing of it is there');
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'whether it is there, and how long it is; --deep reads every byte',
    );
    expect(lines.length).toBeLessThan(40);
    const { parts } = JSON.parse(
      (await operator.bundle([...args, '--output', 'json'])).stdout,
    ) as Found;
    expect(parts).toMatchObject([{ label: '4.17.3 for x86_64', presence: 'absent' }]);
  });

  it('says which tag names another image, and gives no command that sets it back', async () => {
    const tags = join(storage, 'repositories/ocp4/openshift/release/_manifests/tags');
    const [one, other] = await readdir(tags);
    const link = (tag: string): string => join(tags, tag, 'current/link');
    const before = await readFile(link(one!));
    await copyFile(link(other!), link(one!));
    const { operator, medium, trust } = sides;
    const ran = await operator.bundle(['verify', medium, '--at', at, ...trust]);
    expect(ran.status).toBe(20);
    expect(ran.stdout).toMatch(/ {2}tag names another image$/m);
    expect(ran.stdout).toMatch(
      /^OTHER TAGS: .* every image of .* 1 tag there names another image$/m,
    );
    expect(ran.stdout).toContain('complete; 1 tag names another image');
    expect(ran.stdout).toContain('nothing has to be pushed');
    expect(ran.stdout).toContain('they are right: do nothing.');
    expect(ran.stdout).not.toContain('bundle unpack');
    const [, { parts }] = await compare();
    expect(parts).toMatchObject([{ presence: 'complete', lacking: 0, retagged: 1 }]);
    const layers = join(storage, 'repositories/ocp4/openshift/release/_layers/sha256');
    const [layer] = await readdir(layers);
    await rename(join(layers, layer!), join(sides.folder, 'layer'));
    const both = await operator.bundle(['verify', medium, '--at', at, ...trust]);
    expect(both.stdout).toMatch(/^NOT COMPLETE: /m);
    expect(both.stdout).toContain('not whole; 1 tag names another image');
    expect(both.stdout).toMatch(/^ {2}bundle unpack .* --replace-tags$/m);
    await rename(join(sides.folder, 'layer'), join(layers, layer!));
    await writeFile(link(one!), before);
  });

  it('refuses what it cannot do', async () => {
    const { operator, medium, trust } = sides;
    const status = async (...args: readonly string[]): Promise<number | null> =>
      (await operator.bundle(['verify', ...args, ...trust])).status;
    expect(await status(medium, '--deep')).toBe(2);
    expect(await status(medium, '--authfile', 'x.json')).toBe(2);
    expect(await status('-', '--at', at)).toBe(2);
    expect(await status(medium, '--at', at, '--damage', 'd.json')).toBe(2);
    expect(await status(medium, '--at', 'oci:/nowhere')).toBe(23);
    const renamed = ['--release-repository', 'x', '--max-nested-paths', '2'];
    for (const option of [renamed.slice(0, 2), renamed.slice(2)])
      expect(await status(medium, '--at', `oci:${join(sides.folder, 'layout')}`, ...option)).toBe(
        2,
      );
    expect(await status(medium, '--at', '127.0.0.1:1/ocp4')).toBe(25);
    expect(await status(medium, '--at', at, '--release', '4.17.4')).toBe(23);
  });
});

/** The digest that a file of the storage is about. */
function hexIn(path: string): string | undefined {
  return /\/([0-9a-f]{64})\//.exec(path)?.[1];
}

/** One bit is another. */
function altered(bytes: Buffer, number: number): Buffer {
  const copy = Buffer.from(bytes);
  const position = (number * 7919) % copy.length;
  copy[position] = copy[position]! ^ 1;
  return copy;
}
