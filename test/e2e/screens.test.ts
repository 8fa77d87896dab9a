import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, it } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { runBundle } from '../support/bundle-process.ts';
import { expectScreen, type KnownScreen } from '../support/known-screens.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

/** What people see of each command, on terminals of different kinds. */
describeWith(['docker-registry', 'python3'], 'the screen of', () => {
  /** As long on every machine, since lines are broken around it. */
  let folder: string;
  let source: TestRegistry;
  let target: TestRegistry;
  let trust: readonly string[];
  let fetching: readonly string[];
  const at = (...path: readonly string[]): string => join(folder, ...path);

  const run = async (...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await runBundle(args, { folder: at('ready') });
    if (status !== 0) throw new Error(stderr);
  };

  beforeAll(async () => {
    folder = await mkdtemp('/tmp/bundle-');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    const signer = await makeReleaseSigner();
    const made = [];
    for (const version of ['4.17.3', '4.17.5']) {
      const options = { version, signer, cosign: true, components: 12, scale: 0.0005 };
      made.push(await makeReleaseIn(source, at(version), options));
    }
    trust = ['--release-key', made[0]!.releaseKey];
    fetching = [
      ...['--mirror', `quay.io=${source.host}`],
      ...made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
      ...trust,
    ];
    await mkdir(at('ready'));
    await run('keygen', '--out', at('key.pem'));
    await run('keygen', '--out', at('other.pem'));
    const key = ['--key', at('key.pem')];
    await run('pack', '4.17.3', '-o', at('usb'), ...key, ...fetching);
    await run('pack', '4.17.5', '-o', at('newer'), ...key, ...fetching);
    await run('pack', '4.17.3', '-o', at('discs'), '--volume-size', '500k', ...key, ...fetching);
    const volumes = (await readdir(at('discs'))).filter((name) => /\.00[13-9]$/.test(name));
    await mkdir(at('disc'));
    for (const name of volumes) await cp(at('discs', name), at('disc', name));
    await mkdir(at('bad'));
    const bytes = await readFile(at('usb', 'ocp-4.17.3-x86_64.tar.zst'));
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    await writeFile(at('bad', 'ocp-4.17.3-x86_64.tar.zst'), bytes);
    await mkdir(at('cut'));
    const whole = await readFile(at('usb', 'ocp-4.17.3-x86_64.tar.zst'));
    await writeFile(at('cut', 'ocp-4.17.3-x86_64.tar.zst'), whole.subarray(0, -100_000));
    await run('unpack', at('newer'), '--to', `${target.host}/held`, ...trust);
    await run('pack', '4.17.3', '4.17.5', '-o', at('both'), ...key, ...fetching);
    await run('unpack', at('newer'), '--to', `oci:${at('hurt')}`, ...trust);
    const blobs = at('hurt', 'blobs/sha256');
    const sizes = await Promise.all(
      (await readdir(blobs)).toSorted().map(async (name) => {
        return { path: join(blobs, name), size: (await stat(join(blobs, name))).size };
      }),
    );
    const [large, second] = sizes.toSorted((a, b) => b.size - a.size);
    await rm(large!.path);
    await truncate(second!.path, 10);
    const programs = { version: '4.16.9', signer, components: 3, programs: true, scale: 0.0005 };
    const tools = await makeReleaseIn(source, at('4.16.9'), programs);
    const stores = ['--signature-store', tools.signatureStore];
    await cp(projectPath('fixtures/locks'), at('locks'), { recursive: true });
    await run('pack', '4.16.9', '-o', at('programs'), ...key, ...fetching, ...stores);
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await rm(folder, { recursive: true });
  });

  const screens: readonly KnownScreen[] = [
    {
      ...{ name: 'pack', status: 0 },
      args: () => ['pack', '4.17.3', '-o', at('user', 'stick'), ...fetching],
    },
    {
      ...{ name: 'pack-volumes', status: 30 },
      args: () => [
        ...['pack', '4.17.3', '4.17.5', '-o', at('user', 'stick')],
        ...['--volume-size', '500k', '--stop-after', '1', ...fetching],
      ],
    },
    {
      ...{ name: 'pack-dry-run', status: 0 },
      args: () => ['pack', '4.17.3', '-o', at('user', 'stick'), '--dry-run', ...fetching],
    },
    { ...{ name: 'verify', status: 0 }, args: () => ['verify', at('usb'), ...trust] },
    {
      ...{ name: 'verify-trusted', status: 0 },
      args: () => ['verify', at('usb'), '--trusted-key', at('key.pub'), ...trust],
    },
    {
      ...{ name: 'verify-damaged', status: 20 },
      args: () => ['verify', at('bad'), '--damage', at('user', 'damage.json'), ...trust],
    },
    {
      ...{ name: 'verify-cut-off', status: 22 },
      args: () => ['verify', at('cut'), ...trust],
    },
    {
      ...{ name: 'unpack-partial', status: 30 },
      args: () => ['unpack', at('cut'), '--to', `oci:${at('user', 'l')}`, '--partial', ...trust],
    },
    { ...{ name: 'trust-show', status: 0 }, args: () => ['trust', 'show', at('key.pub')] },
    { ...{ name: 'trust-add', status: 0 }, args: () => ['trust', 'add', at('key.pub')] },
    { ...{ name: 'failure-missing', status: 2 }, args: () => ['unpack', at('usb')] },
    {
      ...{ name: 'failure-untrusted', status: 21 },
      args: () => ['verify', at('usb'), '--trusted-key', at('other.pub'), ...trust],
    },
    { ...{ name: 'inspect', status: 0 }, args: () => ['inspect', at('usb'), ...trust] },
    {
      ...{ name: 'inspect-images', status: 0 },
      args: () => ['inspect', at('usb'), '--images', ...trust],
    },
    {
      ...{ name: 'inspect-volume-missing', status: 22 },
      args: () => ['inspect', at('disc'), ...trust],
    },
    {
      ...{ name: 'unpack', status: 0 },
      args: () => ['unpack', at('usb'), '--to', `oci:${at('user', 'layout')}`, ...trust],
    },
    {
      ...{ name: 'unpack-older', status: 0 },
      args: () => ['unpack', at('usb'), '--to', `${target.host}/held`, ...trust],
    },
    {
      ...{ name: 'unpack-dry-run', status: 0 },
      args: () => ['unpack', at('usb'), '--to', `${target.host}/ocp4`, '--dry-run', ...trust],
    },
    {
      ...{ name: 'verify-at', status: 0 },
      args: () => ['verify', at('newer'), '--at', `${target.host}/held`, ...trust],
    },
    {
      ...{ name: 'verify-at-some', status: 20 },
      args: () => ['verify', at('both'), '--at', `oci:${at('hurt')}`, ...trust],
    },
    {
      ...{ name: 'verify-at-nothing', status: 23 },
      args: () => ['verify', at('both'), '--at', `${target.host}/empty`, ...trust],
    },
    {
      ...{ name: 'extract-tools', status: 0 },
      args: () => ['extract-tools', at('programs'), '-o', at('user', 'tools'), ...trust],
    },
    {
      ...{ name: 'extract', status: 0, isBrief: true },
      args: () => ['extract', at('usb'), '--file', 'release-metadata', ...trust],
    },
    {
      ...{ name: 'resources', status: 0 },
      args: () => ['resources', at('usb'), '--to', 'registry.example.com:5000/ocp4', ...trust],
    },
    {
      ...{ name: 'imageset-diff', status: 0 },
      args: () => [
        ...['imageset', 'diff', at('locks', 'november.lock'), at('locks', 'december.lock')],
      ],
    },
    {
      ...{ name: 'check-registry', status: 0 },
      args: () => ['check-registry', `${target.host}/ocp4`],
    },
    {
      ...{ name: 'failure', status: 23 },
      args: () => ['verify', at('user', 'not-there'), ...trust],
    },
    { ...{ name: 'failure-slip', status: 2 }, args: () => ['pcak', '4.17.3', '-o', 'stick'] },
  ];

  it.each(screens)('$name', async (screen) => expectScreen(screen, folder));
});
