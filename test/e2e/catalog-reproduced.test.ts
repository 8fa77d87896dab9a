import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { publishImage } from '../support/base-image.ts';
import { startBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { fileLayer, publishOpmImage } from '../support/opm-image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

/**
 * The digest of the catalog below. Runs on other versions of Node, on other machines and in other
 * years have to come to it, too: it changes only with what is written, never with who writes it.
 */
const CATALOG = 'sha256:90d03b7e214cc1421163df69cc8b0f42523e68abf72cf2455414bd168e4231a8';

interface Machine {
  /** What a shell does before it starts the program. */
  readonly before?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

const OPERATORS = ['--operator', 'foo', '--operator', 'istanbul-bar'];

const MACHINES: Readonly<Record<string, Machine>> = {
  'the usual one': {},
  'one on which files are for their owner alone': { before: 'umask 077' },
  'one on which files are for all': { before: 'umask 000' },
  'one on the Chatham Islands': { env: { TZ: 'Pacific/Chatham' } },
  'one in Turkey': { env: { LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', TZ: 'Europe/Istanbul' } },
  'one without a locale': { env: { LC_ALL: 'C', LANGUAGE: 'de' } },
  'one with another temporary folder': { before: 'mkdir -p "$HOME/t"', env: { TMPDIR: '' } },
  'one whose user asks in another order': {
    args: ['--operator', 'istanbul-bar', '--operator', 'foo'],
  },
};

/** A catalog that is rebuilt comes out the same wherever that is done. */
describeWith(['docker-registry'], 'the image of a rebuilt catalog', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let packer: User;
  let reports: Map<string, { readonly bundleDigest: Digest; readonly digest: Digest }>;

  const packOn = async ({ before = ':', env = {}, args = OPERATORS }: Machine, name: string) => {
    const own = { ...env, ...('TMPDIR' in env && { TMPDIR: join(packer.home, 't') }) };
    const { ended } = await startBundle(
      [
        ...['pack', '-o', join(temporary.path, name), '--key', join(temporary.path, 'packer.pem')],
        ...['--mirror', `quay.io=${source.host}`, '--catalog', 'quay.io/ops/index:v1', ...args],
        ...['--output', 'json'],
      ],
      { folder: packer.folder, env: own },
      ['sh', '-c', `${before}; exec "$@"`, 'sh', process.execPath],
    );
    const { status, stdout, stderr } = await ended;
    expect(status, stderr).toBe(0);
    const { bundleDigest, parts } = JSON.parse(stdout) as {
      readonly bundleDigest: Digest;
      readonly parts: readonly [{ readonly digest: Digest }];
    };
    return { bundleDigest, digest: parts[0].digest };
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('catalog-reproduced');
    source = await startRegistry();
    packer = await User.new(join(temporary.path, 'packer'));
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', join(temporary.path, 'packer.pem')]);
    await publishCatalog(source.host);
    reports = new Map();
    for (const [index, [what, machine]] of Object.entries(MACHINES).entries())
      reports.set(what, await packOn(machine, `bundle-${index}`));
  });
  afterAll(async () => {
    await source.stop();
    await temporary.remove();
  });

  it.each(Object.keys(MACHINES))('is the same on %s', (what) => {
    expect(reports.get(what)!.digest).toBe(CATALOG);
  });

  it('makes the same bundle everywhere, to the byte', () => {
    expect(new Set([...reports.values()].map(({ bundleDigest }) => bundleDigest)).size).toBe(1);
  });
});

/** Documents in the layer of the program, for two architectures; names that sort by locale. */
async function publishCatalog(host: string): Promise<void> {
  const documents: Record<string, string> = {};
  for (const name of ['foo', 'istanbul-bar', 'zed']) {
    const place = { registry: 'quay.io', repository: `ops/${name}` };
    const image = `quay.io/ops/${name}@${await publishImage(host, place, { seed: name })}`;
    const versions = ['1.0.0', '1.1.0-I', '1.1.0-i'];
    documents[`configs/${name}/catalog.json`] = [
      { schema: 'olm.package', name, defaultChannel: 'İstanbul', description: 'ı I i İ ä Z z' },
      {
        ...{ schema: 'olm.channel', package: name, name: 'İstanbul' },
        entries: versions.map((version, at) => ({
          name: `${name}.v${version}`,
          ...(at > 0 && { replaces: `${name}.v${versions[at - 1]!}` }),
        })),
      },
      ...versions.map((version) => ({
        ...{ schema: 'olm.bundle', package: name, name: `${name}.v${version}`, image },
        properties: [{ type: 'olm.package', value: { packageName: name, version } }],
      })),
    ]
      .map((document) => `${JSON.stringify(document)}\n`)
      .join('');
  }
  const cache = fileLayer({ 'tmp/': 0o1777, 'tmp/cache/': 0o770, 'tmp/cache/digest': 'stale' });
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    await publishOpmImage(
      client.repository({ registry: host, repository: 'ops/index' }),
      {
        amd64: [fileLayer({ 'bin/opm': 'opm', 'tmp/': 0o1777, ...documents }), cache],
        arm64: [fileLayer({ 'bin/opm': 'arm', 'tmp/': 0o1777 }), fileLayer(documents), cache],
      },
      { folder: '/configs', tag: 'v1' },
    );
  } finally {
    await client.close();
  }
}
