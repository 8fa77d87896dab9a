import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { commandBlocks, linksOf } from '../support/documents.ts';
import { publishBaseImage, publishImage } from '../support/base-image.ts';
import { publishOperators } from '../support/operators.ts';
import { publishCatalogAt } from '../support/catalog-image.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startUpdateService, type UpdateServer } from '../support/update-service.ts';
import { ocFolderOf, putArchive, storedEntries, tarOf } from '../support/peer-forms.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const PAGES = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync(projectPath('docs')).map((name) => `docs/${name}`),
];

describe.each(PAGES)('%s', (page) => {
  it('links to what is there', () => {
    const missing = linksOf(page).filter(
      (link) => !existsSync(join(dirname(projectPath(page)), link.replace(/#.*/, ''))),
    );
    expect(missing).toEqual([]);
  });
});

describe('docs/design.md', () => {
  it('names files of the source that are there', () => {
    const text = readFileSync(projectPath('docs/design.md'), 'utf8');
    const named = [...text.matchAll(/`([a-z0-9/-]+\.ts)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(projectPath('src', path)))).toEqual([]);
  });
});

describe('docs/scripts.md', () => {
  it('lists every event and every notice of a run', () => {
    const source = readFileSync(projectPath('src/core/events.ts'), 'utf8');
    const types = [...source.matchAll(/readonly (?:type|code): '([a-z0-9-]+)'/g)].map(
      ([, type]) => type!,
    );
    const page = readFileSync(projectPath('docs/scripts.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` +\|/gm)].map(([, type]) => type!);
    expect(types.length).toBeGreaterThan(20);
    expect(listed).toEqual(expect.arrayContaining(types));
  });
});

const GRAPH_DATA = projectPath('fixtures/graphs/graph-data-731d0424.tar.gz');

describeWith(['docker-registry'], 'the commands of', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  /** What a release that was made on the spot needs, and Red Hat's does not. */
  let graph: string;
  let updates: UpdateServer;
  let madeOptions: readonly string[];
  /** A folder that oc has written, and archives of two runs of oc-mirror. */
  let written: { readonly oc: string; readonly archives: string };

  beforeAll(async () => {
    temporary = await temporaryFolder('docs');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    const signer = await makeReleaseSigner();
    const made = [];
    for (const [version, architecture] of [
      ['4.17.3', 'x86_64'],
      ['4.17.3', 'aarch64'],
      ['4.17.3', 'multi'],
      ['4.17.5', 'x86_64'],
    ] as const) {
      made.push(
        await makeReleaseIn(source, join(temporary.path, `${version}-${architecture}`), {
          version,
          architecture,
          previous: ['4.16.20'],
          signer,
          components: 2,
          scale: 0.0001,
          programs: version === '4.17.3' && architecture === 'x86_64',
        }),
      );
    }
    await publishBaseImage(source.host);
    const index = 'redhat/redhat-operator-index:v4.17';
    await publishCatalogAt(source.host, 'oc-mirror/test-catalog-latest', index);
    const tool = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };
    await publishImage(source.host, tool);
    await publishOperators(source.host);
    graph = graphTo(made[0]!.release.digest);
    updates = await startUpdateService({ 'stable-4.17 amd64': graph }, await readFile(GRAPH_DATA));
    written = { oc: join(temporary.path, 'oc'), archives: join(temporary.path, 'oc-mirror') };
    const tagged = made.map((one) => [`${one.version}-${one.architecture}`, one.release.digest]);
    const storage = join(source.root, 'storage');
    await ocFolderOf(written.oc, storage, Object.fromEntries(tagged) as Record<string, Digest>);
    const entries = await storedEntries(storage);
    await putArchive(join(written.archives, 'november'), await tarOf(entries));
    await putArchive(join(written.archives, 'december'), await tarOf(entries.slice(1)));
    const stores = made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]);
    madeOptions = [
      '--mirror',
      `quay.io=${source.host}`,
      '--mirror',
      `registry.access.redhat.com=${source.host}`,
      ...stores,
      '--release-key',
      made[0]!.releaseKey,
      '--graph-url',
      updates.url,
    ];
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop(), updates.stop()]);
    await temporary.remove();
  });

  describeWith(['zstd', 'openssl'], 'the page', () => {
    it.each(PAGES.filter((page) => commandBlocks(page).length > 0))(
      '%s do what it says',
      async (page) => {
        const world = await World.new(join(temporary.path, page.replace(/\W/g, '-')), {
          source,
          target,
          madeOptions,
          graph,
          written,
        });
        // README begins with nothing; every other page takes up where a bundle was packed.
        if (page !== 'README.md')
          await world.run({ side: 'connected', script: 'bundle pack 4.17.3 -o /media/usb' });
        for (const block of commandBlocks(page)) await world.run(block);
      },
    );
  });
});

/** The update that the pages speak of. @param digest of its last release. */
function graphTo(digest: string): string {
  const nodes = [
    ['4.16.20', `sha256:${'0'.repeat(64)}`],
    ['4.17.3', digest],
  ].map(([version, own]) => ({
    version,
    payload: `quay.io/openshift-release-dev/ocp-release@${own!}`,
  }));
  return JSON.stringify({ nodes, edges: [[0, 1]] });
}

/**
 * Two sides and a medium between them, in a folder of their own, where the places that pages name
 * are.
 */
class World {
  readonly #folder: string;
  readonly #registries: { readonly source: TestRegistry; readonly target: TestRegistry };
  readonly #users: { readonly connected: User; readonly closed: User };

  private constructor(
    folder: string,
    registries: { source: TestRegistry; target: TestRegistry },
    users: { connected: User; closed: User },
  ) {
    this.#folder = folder;
    this.#registries = registries;
    this.#users = users;
  }

  static async new(
    folder: string,
    {
      source,
      target,
      madeOptions,
      graph,
      written,
    }: {
      source: TestRegistry;
      target: TestRegistry;
      madeOptions: readonly string[];
      graph: string;
      written: { readonly oc: string; readonly archives: string };
    },
  ): Promise<World> {
    for (const place of ['media', 'srv', 'tmp', 'bin'])
      await mkdir(join(folder, place), { recursive: true });
    await symlink(written.oc, join(folder, 'srv/oc'));
    await symlink(written.archives, join(folder, 'srv/oc-mirror'));
    const program = join(folder, 'bin/bundle');
    await writeFile(program, launcher(madeOptions));
    await chmod(program, 0o755);
    const connected = await User.new(join(folder, 'connected'));
    await writeFile(join(connected.home, 'site-ca.pem'), rootCertificates[0]!);
    await writeFile(join(connected.home, 'graph.json'), graph);
    await copyFile(GRAPH_DATA, join(connected.home, 'graph-data.tar.gz'));
    const closed = await User.new(join(folder, 'closed'));
    return new World(folder, { source, target }, { connected, closed });
  }

  async run({
    side,
    script,
  }: {
    readonly side: 'connected' | 'closed';
    readonly script: string;
  }): Promise<void> {
    const { home } = this.#users[side];
    await (side === 'closed' ? this.#passKeysOn() : this.#passSiteKeys());
    const env = {
      HOME: home,
      XDG_RUNTIME_DIR: join(home, 'run'),
      PATH: `${join(this.#folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    };
    const { exitCode, stderr } = await execa(
      'bash',
      ['--norc', '-euo', 'pipefail', '-c', this.#placed(script)],
      {
        cwd: home,
        env,
        extendEnv: false,
        reject: false,
        stdin: 'ignore',
      },
    );
    expect({ script, exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({
      script,
      exitCode: 0,
      stderr: '',
    });
  }

  /** The names of the pages stand for places of this world. */
  #placed(script: string): string {
    const { source, target } = this.#registries;
    return script
      .replace(/(?<![\w./-])\/(?=(?:media|srv|tmp)\/)/g, `${this.#folder}/`)
      .replaceAll('registry.example.com:5000', target.host)
      .replaceAll('mirror.example.com:5000', source.host);
  }

  /** Those that the site has made itself come back by another way than the medium, too. */
  async #passSiteKeys(): Promise<void> {
    const { connected, closed } = this.#users;
    const names = (await readdir(closed.home)).filter((file) => /^plant-.*\.pub$/.test(file));
    for (const name of names) await copyFile(join(closed.home, name), join(connected.home, name));
  }

  /** Public keys go from one side to the other by another way than the medium. */
  async #passKeysOn(): Promise<void> {
    const { connected, closed } = this.#users;
    for (const name of (await readdir(connected.home)).filter((file) => file.endsWith('.pub'))) {
      await copyFile(join(connected.home, name), join(closed.home, name));
    }
    if (existsSync(connected.publicKey))
      await copyFile(connected.publicKey, join(closed.home, 'packer.pub'));
  }
}

/** Adds to a command the options that it has and that a made release needs. */
function launcher(madeOptions: readonly string[]): string {
  const program = `"${process.execPath}" "${projectPath('dist/bin.js')}"`;
  const pairs = madeOptions.flatMap((option, index) =>
    index % 2 === 0 ? [`'${option}' '${madeOptions[index + 1]!}'`] : [],
  );
  return `#!/bin/bash
set -eu
options=$(${program} "$1" --help 2>/dev/null || true)
asked="$*"
# The commands of these groups have options of their own.
if [[ $1 == history && $# -gt 1 ]]; then
  options=$(${program} "$1" "$2" --help 2>/dev/null || true)
fi
if [[ $1 == receipt && $asked == 'receipt --'* ]]; then
  options=$(${program} receipt make --help 2>/dev/null || true)
fi
add() { if [[ $options == *" $1 "* ]]; then made+=("$1" "$2"); fi; }
made=()
# A bundle brings everything with it; a registry of the closed side has the mirror set.
if [[ $1 == extract* ]]; then options=\${options//--mirror/}; fi
if [[ $1 == extract* && $asked != *release-images* ]]; then
  options=\${options//--signature-store/}
fi
# Of the commands that carry releases, only those for an update ask for a graph.
if [[ $1 =~ ^(pack|mirror)$ && ! $asked =~ --(from-version|config) ]]; then
  options=\${options/--graph-url/}
fi
# A graph in a file takes the place of the service.
if [[ $asked == *'--graph '* ]]; then options=\${options/--graph-url/}; fi
${pairs.map((pair) => `add ${pair}`).join('\n')}
exec ${program} "$@" "\${made[@]}"
`;
}
