import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

/** The commands that a report prints, and several bundles in one folder. */
describeWith(['docker-registry'], 'the commands that a report prints', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let user: User;
  let medium: string;
  let fetching: readonly string[];
  let trust: readonly string[];

  beforeAll(async () => {
    temporary = await temporaryFolder('printed');
    source = await startRegistry();
    user = await User.new(join(temporary.path, 'user'));
    medium = join(temporary.path, "the stick's folder");
    const signer = await makeReleaseSigner();
    const made = [];
    for (const version of ['4.17.3', '4.17.5']) {
      const folder = join(temporary.path, `release ${version}`);
      const options = { version, signer, components: 2, scale: 0.0001 };
      made.push(await makeReleaseIn(source, folder, options));
    }
    trust = ['--release-key', made[0]!.releaseKey];
    fetching = [
      ...['--mirror', `quay.io=${source.host}`],
      ...made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
      ...trust,
    ];
    await mkdir(join(temporary.path, 'bin'));
    const launcher = join(temporary.path, 'bin/bundle');
    const program = projectPath('dist/bin.js');
    await writeFile(launcher, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
    await chmod(launcher, 0o755);
  });
  afterAll(async () => {
    await source.stop();
    await temporary.remove();
  });

  /** Runs as printed what a report prints. */
  const printed = async (report: string, beginning: string): Promise<number | undefined> => {
    const lines = report.split('\n').filter((line) => line.startsWith(`  ${beginning}`));
    expect(lines).toHaveLength(1);
    return run(lines[0]!);
  };
  const typed = (command: string): Promise<number | undefined> =>
    run([command, ...trust.map((word) => `'${word}'`)].join(' '));
  const run = async (line: string): Promise<number | undefined> => {
    const { exitCode } = await execa('bash', ['--norc', '-c', line], {
      cwd: user.folder,
      env: {
        HOME: user.home,
        XDG_RUNTIME_DIR: join(user.folder, 'run'),
        PATH: `${join(temporary.path, 'bin')}:${process.env['PATH'] ?? ''}`,
      },
      extendEnv: false,
      reject: false,
    });
    return exitCode;
  };

  const digests: string[] = [];

  it('by pack verify the bundle, with whatever else there is in the folder', async () => {
    for (const version of ['4.17.3', '4.17.5']) {
      const packing = ['pack', version, '-o', medium, ...fetching];
      const { status, stdout } = await user.bundle(packing);
      expect(status).toBe(0);
      expect(await printed(stdout, 'bundle verify ')).toBe(0);
      expect(stdout).toContain('need --release-key FILE:');
      const again = (await user.json(packing)) as { bundleDigest: string };
      digests.push(again.bundleDigest);
    }
  });

  it('by pack name the key of a bundle that the user has signed with another key than their own', async () => {
    await user.bundle(['keygen', '--out', join(user.folder, 'team.pem')]);
    await user.bundle(['keygen', '--out', join(user.folder, 'boss.pem')]);
    await user.bundle(['trust', 'add', join(user.folder, 'boss.pub')]);
    const folder = join(temporary.path, 'by team');
    const key = ['--key', join(user.folder, 'team.pem')];
    const { stdout } = await user.bundle(['pack', '4.17.3', '-o', folder, ...key, ...fetching]);
    expect(await printed(stdout, 'bundle verify ')).toBe(0);
    const { stdout: last } = await user.bundle(['trust', 'remove', await idOf('boss.pem')]);
    expect(last).toContain('No key is trusted any more: this host accepts the bundles of every');
  });

  it('by pack verify a set of volumes, and the volumes of a part of it', async () => {
    const folder = join(temporary.path, 'volumes');
    const cut = ['--volume-size', '100k'];
    const whole = await user.bundle(['pack', '4.17.3', '-o', folder, ...cut, ...fetching]);
    expect(whole.status).toBe(0);
    expect(await printed(whole.stdout, 'bundle verify ')).toBe(0);
    const first = ['pack', '4.17.5', '-o', folder, ...cut, '--stop-after', '1', ...fetching];
    const { status, stdout } = await user.bundle(first);
    expect(status).toBe(30);
    expect(await printed(stdout, '(cd ')).toBe(0);
  });

  const idOf = async (key: string): Promise<string> => {
    const { keys } = (await user.json(['trust', 'list'])) as { keys: { id: string }[] };
    expect(key).toBe('boss.pem');
    return keys[0]!.id;
  };

  it('by verify push a bundle that is good', async () => {
    const { stdout } = await user.bundle([...['verify', medium, '--expect', '4.17.3', ...trust]]);
    const registry = stdout.replace('REGISTRY/NAMESPACE', `${source.host}/verified`);
    expect(await printed(registry, 'bundle unpack ')).toBe(0);
  });

  it('by pack complete a bundle that lacks images, and unpack it with what completes it', async () => {
    const folder = join(temporary.path, 'not complete');
    const line = (report: string, beginning: string): string => {
      const lines = report.split('\n').filter((one) => one.startsWith(`  ${beginning}`));
      expect(lines).toHaveLength(1);
      return lines[0]!.replace('FOLDER', `'${folder}'`);
    };
    const words = await user.bundle([
      ...['pack', '4.17.3', '--image', 'quay.io/team/late:1', '--name', 'set', '--incomplete'],
      ...['--key', join(user.folder, 'team.pem'), '-o', folder, ...fetching],
    ]);
    expect(words.status, words.stderr).toBe(30);
    const again = line(words.stdout, 'bundle pack --complete ');
    await publishImage(source.host, { registry: 'quay.io', repository: 'team/late', tag: '1' }, {});
    expect(await run(`${again} >report`)).toBe(0);
    const report = await readFile(join(user.folder, 'report'), 'utf8');
    const unpack = line(report, 'bundle unpack ');
    const to = unpack.replace('REGISTRY/NAMESPACE', `${source.host}/completed`);
    expect(await run(to)).toBe(0);
  });

  it('by pack unpack increments, in volumes, and of several sites', async () => {
    const site = join(user.folder, 'site.pem');
    await user.bundle(['keygen', '--out', site]);
    const trusted = ['--trusted-key', join(user.folder, 'site.pub')];
    const to = `${source.host}/sites`;
    for (const name of ['plant-a', 'plant-b']) {
      const receipt = ['--receipt', user.folder, '--receipt-key', site, '--site', name];
      const from = ['unpack', medium, '--expect', '4.17.3', '--resources-dir', 'resources'];
      // Two sites behind one name of a registry.
      await user.json([...from, '--to', to, ...receipt, '--new-site', ...trust]);
    }
    await run(`bundle history import receipt-*.json --trusted-key site.pub`);
    const wishes = [
      ['cut', '--since-last', 'plant-a', '--volume-size', '100k'],
      ['each', '--site', 'plant-a', '--site', 'plant-b', '--each'],
    ] as const;
    for (const [out, ...wish] of wishes) {
      const { status, stdout, stderr } = await user.bundle([
        ...['pack', '4.17.5', '-o', `${out}'s`, ...wish, ...trusted, ...fetching],
      ]);
      expect(status, stderr).toBe(0);
      const commands = [...stdout.matchAll(/^ {2}(bundle unpack .*)/gm)];
      expect(commands).toHaveLength(out === 'each' ? 2 : 1);
      for (const [, command = ''] of commands) {
        const line = command.replace('REGISTRY/NAMESPACE', `${to} --resources-dir resources`);
        expect(await run(line), command).toBe(0);
      }
    }
  });

  it('by trust add withdraw the trust again', async () => {
    await user.bundle(['keygen', '--out', join(user.folder, 'wrong.pem')]);
    const { stdout } = await user.bundle(['trust', 'add', join(user.folder, 'wrong.pub')]);
    expect(stdout).toContain('refuses the bundles of all signers who are not trusted');
    const again = await user.bundle(['trust', 'add', join(user.folder, 'wrong.pub')]);
    expect(again.stdout).toMatch(/^Trusted already: this key\n/);
    expect(again.stdout).toMatch(/trusted +since \d{4}-/);
    expect(await printed(stdout, 'bundle trust remove ')).toBe(0);
    expect(await user.json(['trust', 'list'])).toEqual({ keys: [] });
  });

  it('by unpack lead from an address of this machine to the name that nodes know', async () => {
    const folder = join(temporary.path, "the nodes' bundle");
    await user.bundle(['pack', '4.17.3', '-o', folder, ...fetching]);
    const wishes = [
      ...['--resources-dir', join(user.folder, 'the files'), '--cluster-image-sets'],
      ...['--mirror-source-policy', 'NeverContactSource', '--resource-names', 'oc-mirror'],
    ];
    const to = ['--to', `${source.host}/ocp4`, ...wishes];
    const { stdout } = await user.bundle(['unpack', folder, ...to, ...trust]);
    expect(stdout).toContain('is an address of this machine');
    expect(stdout).not.toMatch(/^ {2}oc /m);
    const named = stdout.replace('REGISTRY', 'registry.example.com:5000');
    // Where only the files are written again, for an address that nodes do not know either.
    const resources = await user.bundle(['resources', folder, ...to, ...trust]);
    expect(stdout).toContain(/^ {2}bundle resources .*\n/m.exec(resources.stdout)![0]);
    expect(await printed(named, 'bundle resources ')).toBe(0);
    const idms = await readFile(join(user.folder, 'the files/idms-oc-mirror.yaml'), 'utf8');
    expect(idms).toContain('registry.example.com:5000/ocp4');
    expect(idms).toContain('NeverContactSource');
    const images = join(user.folder, 'the files/for-acm/img4.17.3-x86-64-appsub.yaml');
    expect(await readFile(images, 'utf8').catch(String)).toContain(
      'registry.example.com:5000/ocp4',
    );
  });

  it('by unpack write the files again for a bundle that comes through a pipe', async () => {
    const folder = join(temporary.path, 'for a pipe');
    await user.bundle(['pack', '4.17.3', '-o', folder, ...fetching]);
    const file = join(folder, 'ocp-4.17.3-x86_64.tar.zst');
    const unpack = ['bundle', 'unpack', '-', '--to', `docker://${source.host}/piped`];
    const report = join(user.folder, 'report.txt');
    const line = [...unpack, ...trust].map((word) => `'${word}'`).join(' ');
    expect(await run(`${line} < '${file}' > '${report}'`)).toBe(0);
    const named = (await readFile(report, 'utf8'))
      .replace('PROGRAM', `cat '${file}'`)
      .replace('REGISTRY', 'registry.example.com:5000');
    expect(named).toContain('--to registry.example.com:5000/piped');
    expect(await printed(named, 'cat ')).toBe(0);
  });

  it('choose among the bundles of a folder by what is expected of one', async () => {
    const open = await user.bundle(['verify', medium, ...trust]);
    expect(open.status).toBe(2);
    expect(open.stderr).toContain('holds 2 bundles: name one');
    const listed = /bundles: +('.*4\.17\.3.*')\n +('.*4\.17\.5.*')\n/.exec(open.stderr)!;
    for (const name of listed.slice(1)) expect(await typed(`bundle verify ${name}`)).toBe(0);
    for (const [index, choice] of [
      ['--expect', '4.17.3'],
      ['--expect', '4.17.5-x86_64'],
    ].entries()) {
      const byName = await user.json(['verify', medium, ...choice, ...trust]);
      const byDigest = ['verify', medium, '--bundle-digest', digests[index]!, ...trust];
      for (const report of [byName, await user.json(byDigest)])
        expect(report).toMatchObject({ bundle: { digest: digests[index]! } });
    }
    for (const none of [
      ['--expect', '4.17.4'],
      ['--bundle-digest', '0'.repeat(64)],
    ]) {
      const { status, stderr } = await user.bundle(['verify', medium, ...none, ...trust]);
      expect(status).toBe(21);
      expect(stderr).toContain(`is the one asked for: ${none.join(' ')} fits none`);
    }
    const sign = ['sign', medium, '--bundle-digest', digests[0]!];
    expect((await user.bundle(sign)).stdout).toContain('ocp-4.17.3-x86_64');
  });
});
