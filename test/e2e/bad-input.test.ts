import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { registryDestination } from '../../scripts/lib/registry-destination.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const VERSION = '4.17.3';
const NAME = `ocp-${VERSION}-x86_64`;

interface Failure {
  readonly expected?: string;
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly subject?: string;
  readonly got?: string;
}

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
let user: User;
beforeAll(async () => {
  temporary = await temporaryFolder('bad-input');
  user = await User.new(temporary.path);
});
afterAll(() => temporary.remove());

/**
 * Runs a command that has to fail, and gives what it says of it to a machine; people have to be
 * told something too.
 */
async function failure(args: readonly string[], by = user): Promise<Failure> {
  const { status, stdout, stderr } = await by.bundle([...args, '--output', 'json']);
  const { error } = JSON.parse(stdout) as { error: Failure };
  expect(error.status).toBe(status);
  expect(stderr).toContain(`bundle: ${error.message.split('\n')[0]!}`);
  return error;
}

describe('a password in what was written', () => {
  const [typed, secret] = ['me:sEcReT@host.example/x', 'sEcReT'];
  const files = {
    'set.yaml': [
      'apiVersion: mirror.openshift.io/v2alpha1',
      'kind: ImageSetConfiguration',
      'mirror:',
      `  additionalImages: [{ name: "${typed}" }]`,
      `  operators: [{ catalog: "${typed}" }, { catalog: "oci://${typed}" }]`,
    ].join('\n'),
    'mirrors.conf': `[[registry]]\nprefix = "${typed}"\nlocation = "quay.io"`,
    'places.conf': `[[registry]]\nprefix = "quay.io"\nlocation = "${typed}"`,
    'auth.json': JSON.stringify({ auths: { [typed]: { auth: 5 } } }),
    'sets.yaml': [
      'apiVersion: config.openshift.io/v1',
      'kind: ImageDigestMirrorSet',
      'metadata: { name: a }',
      `spec: { imageDigestMirrors: [{ source: quay.io/x, mirrors: ["${typed}"] }] }`,
    ].join('\n'),
  };
  beforeAll(async () => {
    for (const [name, content] of Object.entries(files))
      await writeFile(join(temporary.path, name), content);
  });
  const pack = ['pack', VERSION, '-o', 'no-folder', '--dry-run'];
  const given = (name: keyof typeof files): string => join('FOLDER', name);

  it.each([
    [...pack, '--mirror', `quay.io=${typed}`],
    [...pack, '--mirror', typed],
    [...pack, '--from', typed],
    [...pack, '--image', typed],
    [...pack, '--image', `${typed}@sha256:abc`],
    [...pack, '--catalog', typed],
    [...pack, '--graph-url', `ftp://${typed}`],
    [...pack, '--signature-store', `ftp://${typed}`],
    [...pack, '--chart', `ftp://${typed}`],
    [...pack, '--registries-conf', given('mirrors.conf')],
    [...pack, '--registries-conf', given('places.conf')],
    [...pack, '--authfile', given('auth.json')],
    ['pack', typed, '-o', 'no-folder'],
    ['unpack', 'no-bundle', '--to', typed],
    ['unpack', 'no-bundle', '--to', `https://${typed}`],
    ['check-registry', typed],
    ['login', typed],
    ['imageset', 'check', given('set.yaml')],
    ['pack', '--config', given('set.yaml'), '-o', 'no-folder'],
    ['extract', '--image', typed, '-o', 'x'],
    ['releases', '--from', typed],
    [typed],
    ['pack', `--${typed}`],
  ])('is shown nowhere: %s %s %s %s %s %s', { concurrent: true }, async (...line) => {
    const args = line.map((word) => word.replace('FOLDER', temporary.path));
    const { status, stdout, stderr } = await user.bundle([...args, '--output', 'json']);
    expect(status).not.toBe(0);
    expect(stdout + stderr).not.toContain(secret);
  });

  it('is told as what should not be there, with the place where it belongs', async () => {
    for (const line of [
      [...pack, '--mirror', `quay.io=${typed}`],
      [...pack, '--image', typed],
      ['unpack', 'no-bundle', '--to', typed],
    ]) {
      const { message, hint } = await failure(line);
      expect(message).toContain('me:***@host.example/x');
      expect(hint).toContain('bundle login');
    }
  });
});

describe('a command line that is wrong', () => {
  it.each([
    { why: 'has no command', args: [] },
    { why: 'has a command that is none', args: ['pakc'] },
    { why: 'has an option that is none', args: ['pack', VERSION, '-o', 'x', '--fast'] },
    { why: 'lacks where to write to', args: ['pack', VERSION] },
    { why: 'gives an option twice', args: ['pack', VERSION, '-o', 'x', '-o', 'y'] },
    {
      why: 'says twice what its result is like',
      args: ['pack', VERSION, '-o', 'x', '--output', 'json'],
    },
    {
      why: 'gives a number that is none',
      args: ['pack', VERSION, '-o', 'x', '--concurrency', 'abc'],
      says: '--concurrency needs a whole number from 1 to 999999, not abc',
    },
    {
      why: 'gives a number that is too small',
      args: ['pack', VERSION, '-o', 'x', '--concurrency', '0'],
    },
    {
      why: 'gives a number that is too large',
      args: ['pack', VERSION, '-o', 'x', '--concurrency', '1000000'],
      says: '--concurrency needs a whole number from 1 to 999999, not 1000000',
    },
    {
      why: 'gives a rate that is none',
      args: ['pack', VERSION, '-o', 'x', '--limit-rate', 'fast'],
    },
    {
      why: 'names an architecture that is none',
      args: ['pack', VERSION, '-o', 'x', '--arch', 'sparc'],
    },
    {
      why: 'takes content from a bundle that comes through a pipe',
      args: ['pack', VERSION, '-o', 'x', '--from-bundle', '-'],
    },
    {
      why: 'gives a mirror rule that is none',
      args: ['pack', VERSION, '-o', 'x', '--mirror', 'quay.io'],
    },
    { why: 'names no release', args: ['pack', '-o', 'x'] },
    { why: 'names a target that is none', args: ['mirror', VERSION, '--to', 'HOST/../x'] },
    { why: 'names a key type that is none', args: ['keygen', '--type', 'dsa'] },
    { why: 'wants to remove something that is no key id', args: ['trust', 'remove', 'xyz'] },
  ])('ends with status 2 when it $why', async ({ args, says = '' }) => {
    const { status, message } = await failure(args);
    expect(status).toBe(2);
    expect(message).toContain(says);
    expect(await readdir(user.home)).toEqual([]);
  });

  it('protects no key with an empty passphrase', async () => {
    const env = { BUNDLE_KEY_PASSPHRASE: '' };
    const ran = await user.bundle(['keygen', '--encrypt'], { env });
    expect(ran).toMatchObject({ status: 2, stdout: '' });
    expect(ran.stderr).toContain('--encrypt needs a passphrase');
    expect(await readdir(user.home)).toEqual([]);
  });

  it.each(['x.tar.gz', 'x.tgz', 'x.tar', 'X.ZIP', 'x.zst', 'x.iso'])(
    'makes no folder that is called like a file: -o %s',
    async (name) => {
      expect(await failure(['pack', VERSION, '-o', name])).toMatchObject({
        status: 2,
        message: `-o ${name} is called like a file that is no bundle`,
        hint: expect.stringContaining('Give -o the folder') as string,
      });
      expect(await readdir(user.folder)).not.toContain(name);
    },
  );

  it.each([
    {
      version: '../../etc/passwd',
      message: '../../etc/passwd is neither a version nor a digest',
      hint: /--from/,
    },
    {
      version: `${VERSION}-x86_64`,
      message: `${VERSION}-x86_64 is the tag of a release, not its version`,
      hint: /^Write 4\.17\.3 --arch x86_64;/,
    },
    {
      version: `${VERSION}-rc.1-multi`,
      message: `${VERSION}-rc.1-multi is the tag of a release, not its version`,
      hint: /^Write 4\.17\.3-rc\.1 --arch multi;/,
    },
  ])('is told that $version is no version: 2', async ({ version, message, hint }) => {
    for (const args of [
      ['pack', version, '-o', 'x', '--mirror', 'quay.io=127.0.0.1:1/quay'],
      ['mirror', version, '--to', '127.0.0.1:1/x'],
    ])
      expect(await failure(args)).toMatchObject({
        status: 2,
        message,
        hint: expect.stringMatching(hint) as string,
      });
    expect(await readdir(user.home)).toEqual([]);
  });

  it.each(['pack', 'verify', 'inspect', 'unpack', 'mirror', 'extract', 'keygen', 'sign', 'trust'])(
    'is helped by %s --help',
    async (command) => {
      const { status, stdout } = await user.bundle([command, '-h']);
      expect(status).toBe(0);
      expect(stdout).toMatch(command === 'trust' ? /Commands:/ : /^bundle .*Examples:.*Options:/s);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
      expect(stdout).not.toContain('[default: []]');
    },
  );
});

it.each(['CORP\\miner:zyxwvu', 'miner:zyx%wvu', 'miner:zyx#wvu'])(
  'a proxy with the user %s in its URL is refused, and its password shown nowhere',
  async (userInfo) => {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY']) {
      const env = { [name]: `http://${userInfo}@proxy.example.com:3128` };
      const args = ['check-registry', 'registry.example.com/ocp4', '--log-level', 'debug'];
      const { status, stdout, stderr } = await user.bundle(args, { env });
      expect(status).toBe(2);
      expect(stderr).toContain(name);
      for (const secret of ['zyx', 'wvu']) expect(stdout + stderr).not.toContain(secret);
    }
  },
);

describeWith(['docker-registry'], 'bad input to', () => {
  let source: TestRegistry;
  let made: MadeRelease;
  let medium: string;
  let fetching: readonly string[];
  const path = (...parts: readonly string[]): string => join(temporary.path, ...parts);
  const trust = (): readonly string[] => ['--release-key', made.releaseKey];
  const from = (host: string): readonly string[] => [
    '--mirror',
    `quay.io=${host}`,
    '--signature-store',
    made.signatureStore,
    ...trust(),
  ];

  beforeAll(async () => {
    source = await startRegistry();
    made = await makeReleaseIn(source, path('release'), { components: 4, scale: 0.0005 });
    medium = path('medium');
    fetching = from(source.host);
    expect(await user.bundle(['pack', VERSION, '-o', medium, ...fetching])).toMatchObject({
      status: 0,
    });
  });
  afterAll(() => source.stop());

  describe('pack', () => {
    it.each([
      { what: 'a version', args: ['4.17.99'] },
      { what: 'an architecture', args: [VERSION, '--arch', 's390x'] },
    ])('that names $what that is not there: 23, with the tags that are', async ({ args }) => {
      const { status, hint } = await failure(['pack', ...args, '-o', path('none'), ...fetching]);
      expect({ status, hint }).toEqual({
        status: 23,
        hint: expect.stringContaining(`${VERSION} (x86_64)`) as string,
      });
    });

    it.each([
      {
        what: 'payload is of another version than its tag',
        args: ['4.17.4'],
        both: /4\.17\.3.*4\.17\.4/,
      },
      {
        what: 'image is for another architecture',
        args: ['--arch', 'arm64'],
        both: /x86_64.*aarch64/,
      },
    ])('whose $what: 20, with both', async ({ args, both }) => {
      const reference = `quay.io/openshift-release-dev/ocp-release@${made.release.digest}`;
      const { status, message } = await failure([
        ...['pack', ...args, '--from', reference, '-o', path('none')],
        ...fetching,
      ]);
      expect({ status, message }).toEqual({
        status: 20,
        message: expect.stringMatching(both) as string,
      });
    });

    it('without credentials, or with wrong ones: 24, with the registry and where they were looked for', async () => {
      const closed = await startRegistry({ htpasswd: true });
      const wrong = path('auth.json');
      await writeFile(
        wrong,
        JSON.stringify({
          auths: { [closed.host]: { auth: Buffer.from('packer:wrong').toString('base64') } },
        }),
      );
      try {
        for (const [file, args] of [
          [join(user.folder, 'run/containers/auth.json'), []],
          [wrong, ['--authfile', wrong]],
        ] as const) {
          const { status, message, hint } = await failure([
            'pack',
            VERSION,
            '-o',
            path('none'),
            ...from(closed.host),
            ...args,
          ]);
          expect(status).toBe(24);
          expect(message).toContain(closed.host);
          expect(hint).toContain(file);
        }
      } finally {
        await closed.stop();
      }
    });

    it('from a registry that is not there: 25', async () => {
      const gone = await startRegistry();
      await gone.stop();
      expect(
        await failure(['pack', VERSION, '-o', path('none'), ...from(gone.host)]),
      ).toMatchObject({ status: 25, code: 'NETWORK' });
    });

    it.each([
      { what: 'no signature', store: 'empty-store', code: 'SIGNATURE_MISSING' },
      { what: 'a signature by somebody else', store: 'signatures', code: 'SIGNER_UNKNOWN' },
    ])('of a release with $what: 21, before any layer is fetched', async ({ store, code }) => {
      await mkdir(path('release', 'empty-store'), { recursive: true });
      await withProxy(async (proxy) => {
        const args = [
          '--mirror',
          `quay.io=${proxy.host}`,
          '--signature-store',
          path('release', store),
        ];
        const error = await failure(['pack', VERSION, '-o', path('none'), ...args]);
        expect(error).toMatchObject({ status: 21, code });
        expect(error.message).toContain(VERSION);
        // Keys are called alike in all that is said of them.
        if (code === 'SIGNER_UNKNOWN') expect(error.expected).toMatch(/^[0-9A-F]{16} \(/);
        expect(proxy.seen(/\/blobs\//)).toEqual([]);
      });
    });

    it('of a release whose signature store cannot be read: what it is that fails, and no way around it', async () => {
      const refusing = createServer((_, response) => response.writeHead(403).end());
      const stores = [
        [`http://${await listenOnLoopback(refusing)}/signatures`, 25],
        [pathToFileURL(path('release/no-such-store')).href, 23],
      ] as const;
      try {
        for (const [store, status] of stores) {
          const from = ['--mirror', `quay.io=${source.host}`, '--signature-store', store];
          const error = await failure(['pack', VERSION, '-o', path('none'), ...from]);
          expect(error.status).toBe(status);
          expect(error.message).toContain('could not be looked up');
          expect(error.message).not.toContain('not signed');
          expect(error.hint).not.toContain('--allow-unsigned-release');
        }
      } finally {
        refusing.close();
      }
    });

    it('makes no folder for a key, and says of a link that leads nowhere what it is', async () => {
      const key = path('no-such-folder', 'k.pem');
      const made = await failure(['keygen', '--out', key]);
      expect(made).toMatchObject({
        status: 26,
        message: expect.stringContaining('does not exist') as string,
      });
      const link = path('dangling');
      await symlink(path('nowhere'), link);
      for (const folder of [link, join(link, 'below')]) {
        const error = await failure(['pack', VERSION, '-o', folder, ...from(source.host)]);
        expect(error).toMatchObject({ status: 26 });
        expect(error.message).toContain(
          `${link} is a symbolic link to something that does not exist`,
        );
      }
      await rm(link);
    });

    it('from a registry that gives wrong bytes: 20, with the image, and nothing of them is kept', async () => {
      const { destination, close } = registryDestination(source.host);
      const component = made.components[2]!;
      const chunks = [];
      for await (const chunk of destination.components.fetch(component)) chunks.push(chunk);
      await close();
      const manifest = parseManifest(Buffer.concat(chunks));
      const own = manifest.kind === 'manifest' ? manifest.layers.at(-1)! : undefined;
      await withProxy(
        async (proxy) => {
          const error = await failure([
            'pack',
            VERSION,
            '-o',
            path('lied-to'),
            ...from(proxy.host),
          ]);
          expect(error).toMatchObject({
            status: 20,
            code: 'CONTENT_MISMATCH',
            subject: expect.stringContaining(component.name) as string,
          });
          expect(proxy.seen(new RegExp(`GET .*${own!.digest}`))).toHaveLength(2);
        },
        ({ method, url }) =>
          method === 'GET' && url.includes(own!.digest) ? { kind: 'flip', at: 10 } : undefined,
      );
      const partial = await readFile(path('lied-to', `${NAME}.tar.zst.partial`));
      expect(
        await user.bundle(['pack', VERSION, '-o', path('lied-to'), ...fetching]),
      ).toMatchObject({ status: 0 });
      const whole = await readFile(path('lied-to', `${NAME}.tar.zst`));
      expect(partial.length).toBeLessThan(whole.length - own!.size);
      expect(partial.equals(whole.subarray(0, partial.length))).toBe(true);
    });

    it('under the name of another bundle: 2; a name that says more is as good as any', async () => {
      const args = (name: string): readonly string[] => [
        'pack',
        VERSION,
        '-o',
        path('named', name),
        ...fetching,
      ];
      expect(await failure(args('ocp-4.17.4-x86_64.tar.zst'))).toMatchObject({ status: 2 });
      expect(await failure(args('ocp-4.17.3-aarch64.tar.zst'))).toMatchObject({ status: 2 });
      expect(await failure(args('ocp-4.17.3.tar.zst'))).toMatchObject({ status: 2 });
      for (const name of [`${NAME}-monday.tar.zst`, 'monday.tar.zst']) {
        expect(await user.bundle(args(name))).toMatchObject({ status: 0 });
        expect(await user.bundle(['verify', path('named', name), ...trust()])).toMatchObject({
          status: 0,
        });
      }
    });

    it('where a folder has the name of a file beside the bundle: 26, before anything is packed', async () => {
      for (const suffix of ['pub', 'sha256']) {
        const folder = path(`in-the-way-${suffix}`);
        await mkdir(join(folder, `${NAME}.${suffix}`), { recursive: true });
        expect(await failure(['pack', VERSION, ...fetching, '-o', folder])).toMatchObject({
          status: 26,
          code: 'DISK',
          got: 'a folder',
        });
        expect(await readdir(folder)).toEqual([`${NAME}.${suffix}`]);
      }
    });

    it('for what is meant to be a digest, and is none: 2', async () => {
      const hex = 'a'.repeat(64);
      const digests = [`sha256:${hex.toUpperCase()}`, 'sha256:5fd3', `sha512:${hex}`, `:${hex}`];
      for (const digest of digests) {
        const args = ['pack', digest, ...fetching, '-o', path('mistyped')];
        const { status, code, message } = await failure(args);
        expect({ status, code }).toEqual({ status: 2, code: 'USAGE' });
        expect(message).toContain('digest');
      }
    });

    it('for an empty VERSION: 2, with a word on what may be empty', async () => {
      const { status, message, hint } = await failure(['pack', '', ...fetching, '-o', path('x')]);
      expect({ status, message }).toEqual({ status: 2, message: 'VERSION needs a value' });
      expect(hint).toContain('variable');
    });

    it('under a --name: it is the name of the file, and no other than that of -o', async () => {
      const folder = path('by-name');
      const args = ['pack', VERSION, '--name', 'monday', ...fetching];
      expect(await user.json([...args, '-o', folder])).toMatchObject({ name: 'monday' });
      expect((await readdir(folder)).toSorted()).toEqual([
        'monday.pub',
        'monday.sha256',
        'monday.tar.zst',
      ]);
      expect(await user.bundle(['verify', folder, ...trust()])).toMatchObject({ status: 0 });
      const readsLikeAnother = ['ocp-4.17.4-x86_64', 'OCP-4.17.3', 'okd-4.17.3', '4.17.4'];
      for (const name of ['a/b', '.hidden', 'two words', 'x'.repeat(129), ...readsLikeAnother]) {
        const refused = ['pack', VERSION, '--name', name, ...fetching, '-o', folder];
        expect(await failure(refused)).toMatchObject({ status: 2, code: 'USAGE' });
      }
      expect(await failure([...args, '-o', path('by-name', 'tuesday.tar.zst')])).toMatchObject({
        status: 2,
      });
      expect(await readdir(folder)).toHaveLength(3);
    });

    it('over a file that is no bundle: 2, and the file stays', async () => {
      const file = path('backup.tar.zst');
      await writeFile(file, 'somebody needs this');
      expect(await failure(['pack', VERSION, '-o', file, ...fetching])).toMatchObject({
        status: 2,
      });
      expect(await failure(['pack', VERSION, '-o', file, '--restart', ...fetching])).toMatchObject({
        status: 2,
      });
      expect(await readFile(file, 'utf8')).toBe('somebody needs this');
      await writeFile(file, '');
      expect(
        await user.bundle(['pack', VERSION, '-o', file, '--restart', ...fetching]),
      ).toMatchObject({ status: 0 });
    });

    it.each(['folder', '.', 'x.tar.zst'])(
      'below a file, to %s: 26, and the message says so in words',
      async (name) => {
        const { status, message, hint } = await failure([
          'pack',
          VERSION,
          '-o',
          `${medium}/${NAME}.pub/${name}`,
          ...fetching,
        ]);
        expect({ status, message, hint }).toEqual({
          status: 26,
          message: expect.stringMatching(
            /: a part of the path is a file; a folder is needed \(ENOTDIR\)$/,
          ) as string,
          hint: expect.stringContaining('a folder is needed before each slash') as string,
        });
      },
    );
  });

  describe.each(['verify', 'inspect', 'unpack'])('%s', (command) => {
    const run = (bundle: string, more: readonly string[] = [], by = user): Promise<Failure> =>
      failure(
        [
          command,
          bundle,
          ...(command === 'unpack' ? ['--to', `${source.host}/refused`] : []),
          ...trust(),
          ...more,
        ],
        by,
      );
    afterAll(async () => {
      const { repositories } = (await (await fetch(`${source.url}/v2/_catalog?n=1000`)).json()) as {
        repositories: string[];
      };
      expect(repositories.filter((name) => name.startsWith('refused'))).toEqual([]);
    });

    it('of nothing: 23', async () => {
      expect(await run(path('nowhere'))).toMatchObject({ status: 23 });
      expect(await run(user.home)).toMatchObject({ status: 23 });
    });

    it('of a folder that holds several: 2, with their names', async () => {
      const folder = path(`several-${command}`);
      await mkdir(folder);
      for (const name of ['a.tar.zst', 'b.tar.zst'])
        await copyFile(join(medium, `${NAME}.tar.zst`), join(folder, name));
      expect(await run(folder)).toMatchObject({
        status: 2,
        details: [
          { label: 'bundles', items: ['a.tar.zst', 'b.tar.zst'].map((name) => join(folder, name)) },
        ],
      });
    });

    it('of something that is no bundle: 22', async () => {
      const file = path(`${command}-no-bundle.tar.zst`);
      await writeFile(file, 'hello');
      expect(await run(file)).toMatchObject({ status: 22 });
    });

    it('of a pipe in the file system: 22, and nobody waits for it', async () => {
      const file = path(`${command}-pipe.tar.zst`);
      await execa('mkfifo', [file]);
      expect(await run(file)).toMatchObject({ status: 22 });
    });

    it('of one that is cut off: 22', async () => {
      await mkdir(path(`cut-${command}`));
      const file = path(`cut-${command}`, `${NAME}.tar.zst`);
      await copyFile(join(medium, `${NAME}.tar.zst`), file);
      await truncate(file, 100_000);
      // inspect shows what can be read of it, so that it has a document and no error.
      const to = command === 'unpack' ? ['--to', `${source.host}/refused`] : [];
      expect((await user.bundle([command, file, ...to, ...trust()])).status).toBe(22);
    });

    it('of another version than one of those that were expected: 21, with all of them', async () => {
      const expected = [VERSION, '4.17.4', '4.17.5'].flatMap((version) => ['--expect', version]);
      expect(await run(medium, expected)).toMatchObject({
        status: 21,
        code: 'NOT_THE_EXPECTED_BUNDLE',
        expected: '4.17.4, 4.17.5',
        got: `${VERSION} for x86_64`,
      });
      expect(await run(medium, ['--expect', 'sha256:5fd3'])).toMatchObject({ status: 2 });
    });

    it.each(['ocp-4.17.4-x86_64.tar.zst', 'monday.tar.zst', `${NAME}-2.tar.zst`, 'ocp.zst'])(
      'of one in a file that was renamed to %s: 21, with the name that was signed',
      async (name) => {
        const renamed = path(`renamed-${command}`, name);
        await mkdir(path(`renamed-${command}`), { recursive: true });
        await copyFile(join(medium, `${NAME}.tar.zst`), renamed);
        expect(await run(renamed)).toMatchObject({
          status: 21,
          code: 'NOT_THE_EXPECTED_BUNDLE',
          got: NAME,
          hint: expect.stringContaining(`${NAME}.tar.zst`) as string,
        });
      },
    );

    it('of one with another digest than was passed on: 21', async () => {
      for (const mistyped of ['c696', ` ${'0'.repeat(64)}`, `sha512:${'0'.repeat(64)}`]) {
        expect(await run(medium, ['--bundle-digest', mistyped])).toMatchObject({
          status: 2,
          code: 'USAGE',
        });
      }
      const inGroups = Array.from({ length: 8 }, () => '0'.repeat(8)).join(' ');
      for (const other of ['0'.repeat(64), inGroups]) {
        expect(await run(medium, ['--bundle-digest', other])).toMatchObject({
          status: 21,
          code: 'NOT_THE_EXPECTED_BUNDLE',
        });
      }
    });

    it('by somebody who trusts others: 21, with the signer and how to trust them', async () => {
      const other = await User.new(path(`other-${command}`));
      await other.bundle(['keygen', '--out', 'their.pem']);
      await other.bundle(['trust', 'add', 'their.pub']);
      const { status, got, hint } = await run(medium, [], other);
      expect({ status, got }).toMatchObject({
        status: 21,
        got: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      });
      expect(hint).toContain('bundle trust add');
    });
  });

  it.each(['medium', 'nowhere'])(
    'verify of %s, whose damage map has no place: 26, before the bundle is looked at',
    async (bundle) => {
      const map = path('no-folder', 'damage.json');
      expect(await failure(['verify', path(bundle), '--damage', map, ...trust()])).toMatchObject({
        status: 26,
        code: 'DISK',
      });
    },
  );

  it('login, whose auth file has no place: 26', async () => {
    const args = [
      'login',
      source.host,
      '--username',
      'packer',
      '--password-stdin',
      '--authfile',
      '/proc/none/auth.json',
    ];
    expect(await user.bundle(args, { input: 'secret' })).toMatchObject({ status: 26 });
  });

  describe('unpack', () => {
    it.each([
      ['a text of somebody else', 2, (file: string) => writeFile(file, 'call the site first')],
      ['a folder', 26, (file: string) => mkdir(file)],
    ])(
      'over %s in place of next-steps.txt: %i, before the first upload',
      async (_, status, put) => {
        const resources = path(`resources-${status}`);
        await mkdir(resources);
        await put(join(resources, 'next-steps.txt'));
        const to = `${source.host}/over-steps-${status}`;
        const args = ['unpack', medium, '--to', to, '--resources-dir', resources, ...trust()];
        expect(await failure(args)).toMatchObject({ status });
        const { repositories } = (await (
          await fetch(`${source.url}/v2/_catalog?n=1000`)
        ).json()) as {
          repositories: string[];
        };
        expect(repositories.filter((name) => name.startsWith('over-steps'))).toEqual([]);
        if (status === 2)
          expect(await readFile(join(resources, 'next-steps.txt'), 'utf8')).toBe(
            'call the site first',
          );
      },
    );

    it('with resources that cannot be written: 26, before the first upload', async () => {
      const args = [
        '--to',
        `${source.host}/without-resources`,
        '--resources-dir',
        '/proc/none/resources',
        ...trust(),
      ];
      expect(await failure(['unpack', medium, ...args])).toMatchObject({ status: 26 });
      const { repositories } = (await (await fetch(`${source.url}/v2/_catalog?n=1000`)).json()) as {
        repositories: string[];
      };
      expect(repositories.filter((name) => name.startsWith('without-resources'))).toEqual([]);
    });
  });

  async function withProxy(
    work: (proxy: FaultProxy) => Promise<void>,
    decide?: Parameters<typeof startFaultProxy>[1],
  ): Promise<void> {
    const proxy = await startFaultProxy(source.url, decide);
    try {
      await work(proxy);
    } finally {
      await proxy.stop();
    }
  }
});
