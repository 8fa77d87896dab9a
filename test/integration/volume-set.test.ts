import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial, unpackTo } from '../../scripts/lib/damage.ts';
import type { Outcome } from '../../src/cli/command.ts';
import { inspectReport } from '../../src/cli/present/bundle-report.ts';
import { laidOut } from '../../src/cli/present/layout.ts';
import { packReport } from '../../src/cli/present/packing/pack-report.ts';
import { linesAbout } from '../../src/cli/present/progress/lines.ts';
import type { Notice, TransferEvent } from '../../src/core/events.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { inspect } from '../../src/workflows/inspect.ts';
import type { PackReport } from '../../src/packing/report.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import type { PackRequest } from '../../src/workflows/pack/request.ts';
import { verify } from '../../src/workflows/verify.ts';
import { describeWith } from '../support/needs.ts';

const SCREEN = { columns: Infinity, hasColor: false, hasUnicode: true, isVerbose: false };

describe('a release in volumes', () => {
  let folder: string;
  let trial: DamageTrial;
  let set: PackReport;
  let volumeSize: number;
  let cases = 0;

  const ownFolder = async (): Promise<string> => {
    const own = join(folder, `case-${(cases += 1)}`);
    await mkdir(own);
    return own;
  };
  const packSet = (output: string, more: Partial<PackRequest> = {}): Promise<PackReport> =>
    pack({ ...trial.packRequest, output, volumeSize, ...more }, trial.context);
  const requestOf = (...paths: readonly string[]) => ({ ...trial.request(''), paths });
  /** A folder for each volume, the volumes in another order than they have. */
  const media = async (report: PackReport): Promise<readonly string[]> => {
    const folders: string[] = [];
    for (const { path } of report.volumes) {
      const own = await ownFolder();
      await copyFile(path, join(own, basename(path)));
      folders.push(own);
    }
    return [...folders.slice(2), ...folders.slice(0, 2).reverse()];
  };
  const shown = (outcome: Outcome): string => laidOut(outcome.report(SCREEN), SCREEN);
  const bytesOf = (report: PackReport): Promise<readonly Buffer[]> =>
    Promise.all(report.volumes.map(({ path }) => readFile(path)));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-set-'));
    trial = await prepareTrial(folder, { components: 4, scale: 0.002 });
    volumeSize = Math.ceil(trial.genuine.length / 4);
    set = await packSet(await ownFolder());
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('fills five volumes, none over its size, and says beside them what they are', async () => {
    expect(set.volumes).toHaveLength(5);
    for (const { size } of set.volumes) expect(size).toBeLessThanOrEqual(volumeSize);
    const planned = await packSet(await ownFolder(), { dryRun: true });
    expect(planned.volumes.map(({ size }) => size)).toEqual(set.volumes.map(({ size }) => size));
    const own = join(set.path, '..');
    expect((await readdir(own)).toSorted()).toEqual([
      ...['pub', 'sha256'].map((suffix) => `ocp-4.17.3-x86_64.${suffix}`),
      ...[1, 2, 3, 4, 5].map((number) => `ocp-4.17.3-x86_64.tar.zst.00${number}`),
    ]);
    expect(
      (await readFile(join(own, 'ocp-4.17.3-x86_64.sha256'), 'utf8')).trimEnd().split('\n'),
    ).toHaveLength(5);
  });

  it('is verified and unpacked from five folders in any order', async () => {
    const folders = await media(set);
    await verify(requestOf(...folders), trial.context);
    const target = join(await ownFolder(), 'target');
    await unpackTo(trial, folders, target, false);
    expect(await (await ImageLayout.open(target)).tags()).toContain(trial.release);
  });

  it('is read from volumes that have wrong names, and says how to rename them', async () => {
    const folder = await ownFolder();
    const names = set.volumes.map(({ path }) => basename(path));
    const order = [1, 2, 0, 4, 3];
    for (const [index, { path }] of set.volumes.entries())
      await copyFile(path, join(folder, names[order[index]!]!));
    const told = async (): Promise<readonly Notice[]> => {
      const notices: Notice[] = [];
      const observe = (event: TransferEvent): void => {
        if (event.type === 'noticed' && event.code === 'volumes-misnamed') notices.push(event);
      };
      await verify(requestOf(folder), { ...trial.context, observe });
      return notices;
    };
    const notices = await told();
    expect(notices).toMatchObject([
      {
        files: order.map((taken, index) => ({
          path: join(folder, names[taken]!),
          volume: index + 1,
          rightPath: join(folder, names[index]!),
        })),
      },
    ]);
    const event = { type: 'noticed', ...notices[0]! } as const;
    const lines = linesAbout(event, () => true, { isLive: false })!;
    expect(lines[1]).toBe(`  ${join(folder, names[1]!)} is volume 1`);
    const commands = lines.filter((line) => line.startsWith('  mv '));
    await execa('sh', ['-ec', commands.join('\n')]);
    expect(await told()).toEqual([]);
    const joined = join(await ownFolder(), 'ocp-4.17.3-x86_64.tar.zst');
    await execa('sh', ['-c', `cat "$1"/*.tar.zst.[0-9]* > "$2"`, 'sh', folder, joined]);
    await verify(requestOf(joined), trial.context);
  });

  it('is found by its folder, by any of its volumes, and by a folder named twice', async () => {
    const own = join(set.path, '..');
    for (const paths of [[own], [set.volumes[3]!.path], [own, own], [set.volumes[1]!.path, own]]) {
      expect((await inspect(requestOf(...paths), trial.context)).missing.volumes).toEqual([]);
    }
  });

  it('without a volume says what is missing, and gives what is whole', async () => {
    const folders = await media(set);
    // Volume 4, which no part of the release image is in.
    const rest = folders.filter((_, index) => index !== 1);
    await expect(verify(requestOf(...rest), trial.context)).rejects.toMatchObject({
      code: 'BUNDLE_UNUSABLE',
    });
    const { missing } = await inspect(requestOf(...rest), trial.context);
    expect(missing.volumes).toEqual([4]);
    expect(missing.images.length).toBeGreaterThan(0);
    await expect(unpackTo(trial, rest, join(folder, 'nowhere'), false)).rejects.toMatchObject({
      code: 'BUNDLE_UNUSABLE',
    });
    const target = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(trial, rest, target, true);
    expect(delivery.copied!.left).toContain(trial.release);
    const tags = new Set(await (await ImageLayout.open(target)).tags());
    expect(tags.has(trial.release)).toBe(false);
    for (const image of trial.components)
      expect(tags.has(image)).toBe(!missing.images.some(({ name }) => name === image));
    await unpackTo(trial, folders, target, false);
    expect(await (await ImageLayout.open(target)).tags()).toContain(trial.release);
  });

  it('without its first volume says that every image needs it', async () => {
    const rest = requestOf(await withoutFirst());
    const inspected = await inspect(rest, trial.context);
    const { missing, bundle } = inspected;
    expect(missing.volumes).toEqual([1]);
    expect(missing.images).toHaveLength(trial.components.length + 1);
    expect(bundle.closure).toBeUndefined();
    expect(missing.images[0]!.parts).toEqual(bundle.labels);
    // Which blobs are manifests, and how large the images are, is in the first volume.
    const told = shown(inspectReport(inspected, false));
    expect(told).toContain(`${inspected.blobs}; which of them are manifests is in volume 1`);
    expect(told).not.toMatch(/manifests and|largest/);
    const failure = await verify(rest, trial.context).catch((error: unknown) => error);
    const { message } = failure as Error;
    const [, lost, all] = /: (\d+) of (\d+) blobs are damaged or missing, and /.exec(message)!;
    expect(Number(all)).toBe(inspected.blobs);
    expect(Number(lost)).toBeLessThan(Number(all));
  });

  it('that is begun anew says how to go on, and a dry run what is there', async () => {
    const own = await ownFolder();
    const needs = { releaseKeyFiles: [], signedWith: 'own', again: [] } as const;
    const first = await packSet(own, { restart: true, stopAfter: 1 });
    expect(shown(packReport(first, needs))).toContain(
      'the same command again without --restart: it writes volume 2',
    );
    const dry = await packSet(own, { dryRun: true });
    expect(dry.there).toEqual({ paths: [first.volumes[0]!.path], isReplaced: false });
    expect(shown(packReport(dry, needs))).toMatch(
      /^there already +ocp-4\.17\.3-x86_64\.tar\.zst\.001: read again; only what it lacks/m,
    );
    const anew = await packSet(own, { dryRun: true, restart: true });
    expect(shown(packReport(anew, needs))).toContain('replaced when the new one is whole');
    await packSet(own); // or the set would be remembered as one that is under way
  });

  const withoutFirst = async (): Promise<string> => {
    const own = await ownFolder();
    for (const { path } of set.volumes.slice(1)) await copyFile(path, join(own, basename(path)));
    return own;
  };

  it('is continued wherever it stopped, to the same bytes', async () => {
    const expected = await bytesOf(set);
    for (const [index, share] of [
      [0, 0.6],
      [2, 0.5],
      [4, 0.9],
    ] as const) {
      const own = await ownFolder();
      for (const { path } of set.volumes.slice(0, index + 1))
        await copyFile(path, join(own, basename(path)));
      const last = join(own, basename(set.volumes[index]!.path));
      await rename(last, `${last}.partial`);
      await truncate(`${last}.partial`, Math.floor(expected[index]!.length * share));
      const continued = await packSet(own);
      if (index === 4) expect(continued.kept.layers).toBeGreaterThan(0);
      expect(
        (await bytesOf(continued)).map((bytes, volume) => bytes.equals(expected[volume]!)),
      ).toEqual(expected.map(() => true));
    }
  });

  it('is recognised when it is finished, and mended when a volume of it has changed', async () => {
    const own = await ownFolder();
    for (const { path } of set.volumes) await copyFile(path, join(own, basename(path)));
    expect((await packSet(own)).kept.finished).toBe(true);
    await truncate(join(own, basename(set.volumes[2]!.path)), 5000);
    const mended = await packSet(own);
    expect(mended.kept.finished).toBe(false);
    expect(mended.volumes.map(({ digest }) => digest)).toEqual(
      set.volumes.map(({ digest }) => digest),
    );
  });

  it('is not continued with another size of volumes', async () => {
    const own = await ownFolder();
    for (const { path } of set.volumes.slice(0, 2)) await copyFile(path, join(own, basename(path)));
    for (const other of [volumeSize - 1000, undefined]) {
      await expect(packSet(own, { volumeSize: other })).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect((await packSet(own, { volumeSize: undefined, restart: true })).volumes).toHaveLength(1);
  });

  it('is not forgotten when a run that would start it over is refused', async () => {
    const one = { stopAfter: 1 };
    expect((await packSet(await ownFolder(), one)).left).toBe(4);
    const medium = await ownFolder();
    const note = join(medium, 'ocp-4.17.3-x86_64.sha256');
    await writeFile(note, 'a note of mine\n');
    const refused = packSet(medium, { ...one, restart: true });
    await expect(refused).rejects.toMatchObject({ code: 'USAGE' });
    await rm(note);
    // A run that would write one file instead says so, and forgets nothing.
    const told: unknown[] = [];
    const request = { ...trial.packRequest, output: await ownFolder() };
    await pack(request, { ...trial.context, observe: (event) => told.push(event) });
    expect(told).toContainEqual(
      expect.objectContaining({ code: 'set-left', volumes: 1, volumeSize }),
    );
    expect(await packSet(medium, { stopAfter: 9 })).toMatchObject({ before: 1, left: 0 });
  });

  it('goes to one medium after the other', async () => {
    const written: string[] = [];
    for (let left = 5; left > 0;) {
      const medium = await ownFolder();
      const report = await packSet(medium, { stopAfter: 2 });
      expect(report.volumes).toHaveLength(Math.min(left, 2));
      left -= report.volumes.length;
      expect(report.left).toBe(left);
      expect((await readdir(medium)).filter((name) => name.includes('.partial'))).toEqual([]);
      written.push(medium);
      if (left > 0)
        await expect(
          packSet(medium, { stopAfter: 2, volumeSize: volumeSize + 512 }),
        ).rejects.toMatchObject({ code: 'USAGE' });
    }
    await verify(requestOf(...written.reverse()), trial.context);
  });

  describeWith(['zstd'], 'in the hands of other programs', () => {
    it('is checked by the sums beside it, and untarred when it is joined', async () => {
      const own = join(set.path, '..');
      await execa('sha256sum', ['--strict', '-c', 'ocp-4.17.3-x86_64.sha256'], { cwd: own });
      const out = await ownFolder();
      await execa(
        'sh',
        ['-c', 'cat "$0".[0-9]* | tee "${0##*/}" | zstd -dc | tar -xf -', set.path],
        { cwd: out },
      );
      await execa('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: out });
      await verify(requestOf(join(out, basename(set.path))), trial.context);
    });
  });
});
