import { createServer } from 'node:http';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';

import { makeReleaseSigner, type ReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { BundleContents } from '../../src/bundle/format/plan.ts';
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts';
import type { Json } from '../../src/core/json.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { publishImage } from '../support/base-image.ts';
import { partsOf, writeCrafted } from '../support/crafted-bundle.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { serve, type Served } from '../support/served.ts';
import { temporaryFolder, User } from '../support/user.ts';

interface SignatureReport {
  readonly lookaside: readonly { subject: string; keyId: string; signer?: string; why?: string }[];
  readonly unsigned: readonly { name: string; digest: string }[];
}

/** Signatures that are kept beside a registry, on both sides of the air gap. */
describeWith(['docker-registry', 'skopeo', 'python3'], 'signatures beside images', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let web: Served;
  let packer: User;
  let operator: User;
  let signer: ReleaseSigner;
  let release: { readonly words: readonly string[]; readonly key: string; readonly digest: Digest };
  let tool: Digest;
  /** The list, and the images in it. */
  let manifests: readonly Digest[];
  let front: Digest;
  /** What the web server has, by path; and what it was asked for. */
  const kept = new Map<string, Uint8Array | string>();
  const asked: string[] = [];
  /** A folder instead of that, for what was unpacked. */
  let served: string | undefined;

  const place = (...names: readonly string[]): string => join(temporary.path, ...names);
  const at = (repository: string, digest: Digest, number = 1): string =>
    `/sigs/${repository}@sha256=${hexOf(digest)}/signature-${number}`;
  const registriesD = async (name: string, text: string): Promise<string> => {
    await mkdir(place(name), { recursive: true });
    await writeFile(place(name, 'own.yaml'), text);
    return place(name);
  };
  const images = (): readonly string[] => [
    ...['--image', 'quay.io/team/tool:1.4'],
    ...['--image', `quay.io/team/front@${front}`],
  ];
  const from = (): readonly string[] => ['--mirror', `quay.io=${source.host}`];
  const pack = (output: string, ...more: readonly string[]) =>
    packer.bundle([
      ...[
        'pack',
        '-o',
        place(output),
        '--key',
        place('packer.pem'),
        '--name',
        'site',
        '--output',
        'json',
      ],
      ...from(),
      ...images(),
      ...more,
    ]);
  /** Pulls a list with all its images, as somebody does who wants each of them signed. */
  const pull = async (reference: string, ...more: readonly string[]): Promise<string> => {
    await rm(place('pulled'), { recursive: true, force: true });
    const { exitCode, stderr } = await execa(
      'skopeo',
      [
        ...['--policy', place('policy.json'), '--registries.d', place('files', 'registries.d')],
        ...[...more, 'copy', '--all', '--remove-signatures', '--src-tls-verify=false'],
        ...[reference, `dir:${place('pulled')}`],
      ],
      { reject: false },
    );
    return exitCode === 0 ? 'pulled' : stderr;
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('lookaside');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    packer = await User.new(place('connected'));
    operator = await User.new(place('closed'));
    signer = await makeReleaseSigner({ name: 'Image signer' });
    await writeFile(place('signer.asc'), signer.publicKeyArmored);
    const plain = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };
    tool = await publishImage(source.host, plain, { seed: 'tool', signed: false });
    const list = await fetch(`${source.url}/v2/team/tool/manifests/1.4`, {
      headers: { accept: MANIFEST_TYPES.join(', ') },
    });
    const listed = (await list.json()) as { manifests: readonly { digest: Digest }[] };
    manifests = [tool, ...listed.manifests.map(({ digest }) => digest)];
    front = await publishImage(
      source.host,
      { registry: 'quay.io', repository: 'team/front' },
      { seed: 'front', signed: false },
    );
    const made = await makeReleaseIn(source, place('release'), {
      ...{ version: '4.17.3', signer: await makeReleaseSigner(), components: 1, scale: 0.0002 },
    });
    release = {
      words: ['4.17.3', '--signature-store', made.signatureStore, '--release-key', made.releaseKey],
      ...{ key: made.releaseKey, digest: made.release.digest },
    };
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    web = await serve(
      createServer((request, response) => {
        void answer(request.url ?? '').then((body) => {
          response.writeHead(body === undefined ? 404 : 200).end(body);
        });
      }),
    );
  });
  const answer = async (url: string): Promise<Uint8Array | string | undefined> => {
    asked.push(url);
    if (served === undefined) return kept.get(url);
    return readFile(join(served, url)).catch(() => undefined);
  };
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop(), web.stop()]);
    await temporary.remove();
  });
  beforeEach(async () => {
    kept.clear();
    asked.length = 0;
    served = undefined;
    for (const digest of manifests)
      kept.set(at('team/tool', digest), await signer.sign(digest, 'quay.io/team/tool:1.4'));
  });
  const config = (): Promise<string> =>
    registriesD('conf', `docker:\n  quay.io/team:\n    lookaside: ${web.url}/sigs\n`);

  it('travel, arrive for a web server, and skopeo takes the image for them', async () => {
    kept.set(at('team/tool', tool, 2), await signer.sign(front, 'quay.io/team/tool:1.4'));
    const packed = await pack(
      'carried',
      '--registries-d',
      await config(),
      '--release-key',
      place('signer.asc'),
    );
    expect(packed.status, packed.stderr).toBe(0);
    const { lookaside, unsigned } = JSON.parse(packed.stdout) as SignatureReport;
    expect(lookaside.map(({ subject }) => subject)).toEqual(manifests.toSorted());
    expect(new Set(lookaside.map((one) => one.signer))).toEqual(
      new Set(['Image signer <release@example.com>']),
    );
    expect(unsigned.map(({ digest }) => digest)).toEqual([front]);
    expect(packed.stderr).toContain(`it is a signature of ${front.slice(0, 19)}`);
    const file = place('carried', 'site.tar.zst');
    const key = ['--trusted-key', place('packer.pub')];
    expect(await secondVerdict([...key, file])).toEqual({ status: 0, message: '' });

    const verified = await operator.bundle(['verify', file, ...key]);
    expect(verified.status, verified.stderr).toBe(0);
    expect(verified.stdout).toMatch(
      /kept beside images +3 signatures, by the key [0-9A-F]{16}: its key is/,
    );
    expect(verified.stdout).toMatch(/without signature +1 image/);

    const unpack = (): ReturnType<User['bundle']> =>
      operator.bundle([
        ...['unpack', file, '--to', `${target.host}/ocp4`, '--resources-dir', place('files')],
        ...['--signature-server', web.url, ...key],
      ]);
    const { status, stderr, stdout } = await unpack();
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/signatures +3 signatures of 3 manifests in /);
    const folder = `ocp4/team/tool@sha256=${hexOf(tool)}`;
    const signatures = place('files', 'signatures', folder);
    expect(await readdir(signatures)).toEqual(['signature-1']);
    const [yaml] = await readdir(place('files', 'registries.d'));
    expect(parse(await readFile(place('files', 'registries.d', yaml!), 'utf8'))).toEqual({
      docker: { [`${target.host}/ocp4`]: { lookaside: web.url } },
    });
    expect(await readFile(place('files', 'next-steps.txt'), 'utf8')).toContain('registries.d/');

    served = place('files', 'signatures');
    const requirement = {
      ...{ type: 'signedBy', keyType: 'GPGKeys', keyPath: place('signer.asc') },
      signedIdentity: { type: 'exactRepository', dockerRepository: 'quay.io/team/tool' },
    };
    await writeFile(place('policy.json'), JSON.stringify({ default: [requirement] }));
    const unpacked = `docker://${target.host}/ocp4`;
    expect(await pull(`${unpacked}/team/tool@${tool}`)).toBe('pulled');
    expect(await pull(`${unpacked}/team/front@${front}`)).toContain('no signature exists');
    // Nodes know the registry as a mirror: the signatures are looked for under its name.
    const mirror = `[[registry.mirror]]\nlocation = "${target.host}/ocp4"\ninsecure = true\n`;
    await writeFile(place('mirrors.conf'), `[[registry]]\nlocation = "quay.io"\n${mirror}`);
    const asMirror = ['--registries-conf', place('mirrors.conf')];
    asked.length = 0;
    const byItsName = `docker://quay.io/team/tool@${tool}`;
    expect(await pull(byItsName, ...asMirror)).toBe('pulled');
    const places = asked.map((path) => path.replace(/@.*$/, ''));
    expect(new Set(places)).toEqual(new Set(['/ocp4/team/tool']));

    const again = await unpack();
    expect(again.status, again.stderr).toBe(0);
    expect(await readdir(signatures)).toEqual(['signature-1']);
  });
  it('are refused by every reader where the row, the files and the images do not fit', async () => {
    const packed = await pack('genuine', '--registries-d', await config());
    expect(packed.status, packed.stderr).toBe(0);
    const genuine = await partsOf(place('genuine', 'site.tar.zst'));
    const { contents } = genuine;
    const key = SigningKey.generate('ed25519');
    await writeFile(place('other.pub'), key.public.pem);
    const of = (part: BundleContents['parts'][number]) =>
      part.claim['lookaside'] as readonly { digest: Digest; signatures: readonly Digest[] }[];
    const row = contents.parts.findIndex((part) => 'lookaside' in part.claim);
    const listing = (lookaside: Json, files = contents.files): Partial<BundleContents> => ({
      files,
      parts: contents.parts.map((part, index) =>
        index === row ? { ...part, claim: { ...part.claim, lookaside } } : part,
      ),
    });
    const [first, ...others] = of(contents.parts[row]!);
    const isSignature = ({ path }: { readonly path: string }): boolean =>
      path.startsWith('signatures/');
    const [one, ...rest] = contents.files.filter(isSignature);
    const swapped = contents.files.map((file) =>
      file === one ? { ...file, bytes: rest[0]!.bytes } : file,
    );
    const foreign = digestOf('no image of it');
    const cases: Readonly<Record<string, Partial<BundleContents>>> = {
      nothing: {},
      'one is not listed': listing([...others]),
      'none is listed': listing([]),
      'another order': listing([...others, first!]),
      'one twice': listing([first!, first!, ...others]),
      'no list': listing('text'),
      'no signatures': listing([{ ...first!, signatures: [] }, ...others]),
      'a file is not there': { files: contents.files.filter((file) => file !== one) },
      'another file': { files: swapped },
      'no image of the part': listing(
        [{ ...first!, digest: foreign }, ...others].toSorted((a, b) =>
          a.digest < b.digest ? -1 : 1,
        ),
        contents.files.map((file) =>
          file === one
            ? { ...file, path: file.path.replace(/[0-9a-f]{64}/, hexOf(foreign)) }
            : file,
        ),
      ),
    };
    for (const [what, change] of Object.entries(cases)) {
      const folder = await mkdtemp(place('crafted-'));
      const changed = { ...genuine, key, contents: { ...contents, ...change } };
      const path = await writeCrafted(folder, changed, undefined, 'site.tar.zst');
      const args = ['--trusted-key', place('other.pub'), path];
      const { status, stderr } = await operator.bundle(['inspect', ...args]);
      const expected = what === 'nothing' ? 0 : 20;
      expect(status, `${what}: ${stderr}`).toBe(expected);
      const second = await secondVerdict(args);
      expect(second.status, `${what}: ${second.message}`).toBe(expected);
    }
  });

  it('of a mirrored image arrive in the same way, and those of the release with them', async () => {
    const conf = await config();
    const { status, stderr, stdout } = await packer.bundle([
      ...['mirror', ...release.words, ...images(), ...from(), '--registries-d', conf],
      ...['--to', `${target.host}/two`, '--resources-dir', place('mirrored'), '--output', 'json'],
      ...['--signature-server', 'https://web.example.com/signatures/'],
    ]);
    expect(status, stderr).toBe(0);
    const { lookaside, delivery } = JSON.parse(stdout) as SignatureReport & {
      delivery: { resources: { signatures: object } };
    };
    expect(lookaside).toHaveLength(3);
    expect(delivery.resources.signatures).toMatchObject({ signatures: 4, manifests: 4 });
    const names = await readdir(place('mirrored', 'signatures', 'two'), { recursive: true });
    expect(names).toContain(`openshift/release-images@sha256=${hexOf(release.digest)}/signature-1`);
    expect(names).toContain(`team/tool@sha256=${hexOf(tool)}/signature-1`);
  });

  it('that cannot be had, or are none, are told and end no run', async () => {
    kept.clear();
    kept.set(at('team/tool', tool), '<html>what you look for is not here</html>');
    kept.set(at('team/front', front), Buffer.from([0xff]));
    const none = await pack('none', '--registries-d', await config());
    expect(none.status, none.stderr).toBe(0);
    const { lookaside, unsigned } = JSON.parse(none.stdout) as SignatureReport;
    expect(lookaside).toEqual([]);
    expect(unsigned).toHaveLength(2);
    expect(none.stderr.match(/is left out/g)).toHaveLength(2);

    const away = await registriesD(
      'away',
      `default-docker: {sigstore: "file://${place('nowhere')}"}\n`,
    );
    const other = await pack('away-out', '--registries-d', away);
    expect(other.status, other.stderr).toBe(0);
    expect(other.stderr).toContain('are left out: there is no folder');
    expect(other.stderr.match(/there is no folder/g)).toHaveLength(1);
  });

  it('are not looked for with --no-signatures, and nothing is said of them', async () => {
    await mkdir(dirname(join(packer.home, '.config/containers/registries.d/own.yaml')), {
      recursive: true,
    });
    await writeFile(
      join(packer.home, '.config/containers/registries.d/own.yaml'),
      `docker:\n  "*.io":\n    lookaside: ${web.url}/sigs\n`,
    );
    const without = await pack('without', '--no-signatures');
    expect(without.status, without.stderr).toBe(0);
    expect(asked).toEqual([]);
    expect(JSON.parse(without.stdout)).not.toHaveProperty('unsigned');
    const both = await pack('both', '--no-signatures', '--registries-d', await config());
    expect(both.status).toBe(2);
    const users = await pack('users');
    expect((JSON.parse(users.stdout) as SignatureReport).lookaside).toHaveLength(3);
  });

  it.each([
    ['a namespace twice', 'docker: {quay.io: {}}\n', 'stands in'],
    ['no URL', 'docker: {quay.io: {lookaside: web.example.com}}\n', 'is not a URL'],
  ])('are refused where the folder has %s', async (_, text, message) => {
    const folder = await registriesD('wrong', text);
    await writeFile(join(folder, 'second.yaml'), text);
    const { status, stderr } = await pack('refused', '--registries-d', folder);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});
