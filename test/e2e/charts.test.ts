import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join, relative } from 'node:path';

import { execa } from 'execa';
import { createCleartextMessage, generateKey, sign } from 'openpgp';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { HELM, pathOfPeer } from '../../scripts/lib/go-peers.ts';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { publishImage } from '../support/base-image.ts';
import { CHART_YAML, chartArchive } from '../support/chart.ts';
import { describeWhere, describeWith } from '../support/needs.ts';
import { digestHeld, startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

const LISTED = `${CHART_YAML}annotations:
  artifacthub.io/images: |
    - image: quay.io/team/web:4.5
    - image: nginx:1.16.0
`;
const helm = pathOfPeer(HELM);

interface Asked {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** A site with a registry, a repository of charts, and two people. */
interface Site {
  readonly source: TestRegistry;
  readonly target: TestRegistry;
  readonly packer: User;
  readonly operator: User;
  readonly charts: string;
  readonly web: Digest;
  readonly place: (name: string) => string;
  /** What the repository of charts gives, by path. */
  readonly served: Map<string, Uint8Array>;
  /** What it was asked for. Below /team/ it wants a user. */
  readonly seen: Asked[];
  readonly pack: (output: string, ...more: readonly string[]) => ReturnType<User['bundle']>;
  readonly at: (repository: string, reference: string) => Promise<string | null>;
  readonly remove: () => Promise<void>;
}

async function makeSite(name: string): Promise<Site> {
  const temporary = await temporaryFolder(name);
  const place = (path: string): string => join(temporary.path, path);
  const [source, target] = await Promise.all([startRegistry(), startRegistry()]);
  const packer = await User.new(place('connected'));
  const operator = await User.new(place('closed'));
  const image = (registry: string, repository: string, tag: string) =>
    publishImage(source.host, { registry, repository, tag }, { seed: repository });
  const web = await image('quay.io', 'team/web', '4.5');
  await image('docker.io', 'library/nginx', '1.16.0');
  const served = new Map<string, Uint8Array>();
  const seen: Asked[] = [];
  const server: Server = createServer((request, response) => {
    const { url = '', headers } = request;
    seen.push({ url, authorization: headers.authorization });
    const bytes = served.get(url);
    if (url.startsWith('/team/') && headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="charts"' }).end();
    else response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  const charts = `http://${await listenOnLoopback(server)}`;
  await packer.bundle(['keygen', '--type', 'ed25519', '--out', place('packer.pem')]);
  const pack: Site['pack'] = (output, ...more) =>
    packer.bundle([
      ...['pack', '-o', place(output), '--key', place('packer.pem')],
      ...['quay.io', 'docker.io'].flatMap((host) => ['--mirror', `${host}=${source.host}`]),
      ...more,
    ]);
  const at: Site['at'] = (repository, reference) => digestHeld(target, repository, reference);
  const remove = async (): Promise<void> => {
    server.close();
    await Promise.all([source.stop(), target.stop()]);
    await temporary.remove();
  };
  return { source, target, packer, operator, charts, web, place, served, seen, pack, at, remove };
}

describeWith(['docker-registry', 'python3'], 'a bundle with charts', () => {
  let site: Site;
  let archive: Buffer;
  const noHelm = ['--helm', 'none'];

  beforeAll(async () => {
    site = await makeSite('charts');
    archive = await chartArchive({ 'Chart.yaml': LISTED, 'values.yaml': 'image: r.io/off:1' });
    const index = `entries: { web: [{ version: 1.2.3, urls: [web-1.2.3.tgz], digest: '${digestOf(archive).slice(7)}' }] }`;
    site.served.set('/index.yaml', Buffer.from(index));
    site.served.set('/web-1.2.3.tgz', archive);
    await mkdir(site.place('own/templates'), { recursive: true });
    await writeFile(site.place('own/Chart.yaml'), LISTED.replace('name: web', 'name: own'));
    await writeFile(site.place('own/templates/a.yaml'), 'kind: ConfigMap\n');
  });
  afterAll(() => site.remove());

  it('holds them with their images, and every reader agrees', async () => {
    const { pack, charts, place, operator } = site;
    const args = ['--chart', `${charts}#web`, '--chart', place('own'), ...noHelm];
    const packed = await pack('both', ...args, '--name', 'charts');
    expect(packed.status, packed.stderr).toBe(0);
    expect(packed.stdout).toContain('web 1.2.3, to charts/web:1.2.3');
    expect(packed.stdout).toContain('quay.io/team/web:4.5 (annotation)');
    expect(packed.stderr).toContain('name r.io/off:1 (image), which nothing of it runs');
    const again = await pack('again', ...args, '--name', 'charts');
    expect(again.status).toBe(0);
    const trust = ['--trusted-key', place('packer.pub')];
    const file = join(place('both'), 'charts.tar.zst');
    const inspected = (await operator.json(['inspect', file, ...trust])) as {
      bundle: { digest: string; parts: { kind: string; name: string; path: string }[] };
    };
    expect(inspected.bundle.parts.map(({ kind, name, path }) => [kind, name, path])).toEqual([
      ['chart', 'own', 'charts/own'],
      ['chart', 'web', 'charts/web'],
    ]);
    const second = join(place('again'), 'charts.tar.zst');
    const { bundle } = (await operator.json(['inspect', second, ...trust])) as typeof inspected;
    expect(bundle.digest).toBe(inspected.bundle.digest);
    expect(await secondVerdict([...trust, file])).toEqual({ status: 0, message: '' });
    expect((await operator.bundle(['verify', file])).status).toBe(21);
  });

  it('brings charts and images to their places', async () => {
    const { place, operator, target, at, web } = site;
    const file = join(place('both'), 'charts.tar.zst');
    const to = ['--to', `${target.host}/site`, '--trusted-key', place('packer.pub')];
    const { status, stderr } = await operator.bundle(['unpack', file, ...to], { cwd: place('.') });
    expect(status, stderr).toBe(0);
    expect(await at('site/team/web', '4.5')).toBe(web);
    expect(await at('site/nginx', '1.16.0')).toMatch(/^sha256:/);
    const artifact = await at('site/charts/web', '1.2.3');
    const manifest = (await (
      await fetch(`${target.url}/v2/site/charts/web/manifests/${artifact!}`, {
        headers: { accept: MANIFEST_TYPES.join(', ') },
      })
    ).json()) as { config: { mediaType: string }; layers: { mediaType: string; digest: string }[] };
    expect(manifest.config.mediaType).toBe('application/vnd.cncf.helm.config.v1+json');
    expect(manifest.layers).toMatchObject([
      {
        mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
        digest: digestOf(archive),
      },
    ]);
    const folder = place('cluster-resources');
    const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
    const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
    expect(texts.join()).toMatch(/source: quay\.io\/team\/web\n|mirrors:\n.*site\/team\/web/);
    const steps = await readFile(place('next-steps.txt'), 'utf8');
    expect(steps).toContain(
      `helm install web oci://${target.host}/site/charts/web --version 1.2.3`,
    );
    // A chart of a registry is carried as it is there, to the digest.
    const { packer, source } = site;
    const copied = await packer.bundle([
      ...['pack', '-o', place('oci'), '--key', place('packer.pem'), ...noHelm],
      ...['--mirror', `charts.example.com=${target.host}/site`],
      ...['quay.io', 'docker.io'].flatMap((host) => ['--mirror', `${host}=${source.host}`]),
      ...['--chart', 'oci://charts.example.com/charts/web:1.2.3', '--output', 'json'],
    ]);
    expect(copied.status, copied.stderr).toBe(0);
    expect(copied.stdout).toContain(artifact!);
  });

  it.each([
    ['no such chart', (): string[] => [`${site.charts}#wed`], 23, 'has no chart wed'],
    ['no such version', (): string[] => [`${site.charts}#web@9.9.9`], 23, 'no version 9.9.9'],
    ['no repository', (): string[] => [`${site.charts}/none#web`], 23, 'there is nothing at'],
    ['a URL alone', (): string[] => [site.charts], 2, 'names no chart of the repository'],
    ['a password', (): string[] => ['https://u:geheim@x.example#web'], 2, 'has a password'],
    ['an image', (): string[] => ['oci://quay.io/team/web:4.5'], 20, 'is no Helm chart'],
    ['no file', (): string[] => [site.place('nothing.tgz')], 23, 'nothing.tgz'],
  ])('is not begun with %s', async (_name, chart, status, message) => {
    const run = await site.pack(
      'refused',
      ...noHelm,
      ...chart().flatMap((one) => ['--chart', one]),
    );
    expect(run.stderr).toContain(message);
    expect(run.stderr).not.toContain('geheim');
    expect(run.status).toBe(status);
    expect(existsSync(site.place('refused'))).toBe(false);
  });

  it('is not begun where nothing tells the images, or options are about other charts', async () => {
    const bare = site.place('web-1.0.0.tgz');
    await writeFile(bare, await chartArchive({ 'Chart.yaml': CHART_YAML }));
    const mistyped = ['--chart', site.place('own'), '--helm', site.place('hlem')];
    const absent = await site.pack('refused', ...mistyped);
    expect(absent).toMatchObject({ status: 2 });
    expect(absent.stderr).toContain(`there is no program ${site.place('hlem')}`);
    const none = await site.pack('refused', '--chart', bare, ...noHelm);
    expect(none).toMatchObject({ status: 2 });
    expect(none.stderr).toContain('nothing tells which images the chart web 1.2.3 needs');
    await writeFile(site.place('images.yaml'), 'web: [quay.io/team/web:4.5]\n');
    const listed = ['--helm-images', site.place('images.yaml')];
    const good = await site.pack('listed', '--chart', bare, ...noHelm, ...listed);
    expect(good.status, good.stderr).toBe(0);
    expect(good.stdout).toContain('quay.io/team/web:4.5 (list)');
    const other = await site.pack('refused', '--chart', site.place('own'), ...noHelm, ...listed);
    expect(other).toMatchObject({ status: 2 });
    expect(other.stderr).toContain('--helm-images is about web, which is not asked for');
  });

  it('shows a repository its user and password, and no other server', async () => {
    const { served, place, charts, seen } = site;
    const basic = Buffer.from('me:pass word').toString('base64');
    const host = new URL(charts).host;
    served.set('/team/index.yaml', served.get('/index.yaml')!);
    served.set('/team/web-1.2.3.tgz', archive);
    const url = `${charts}/team`;
    const entry = { name: 'team', url, username: 'me', password: 'pass word' };
    await writeFile(place('repositories.yaml'), JSON.stringify({ repositories: [entry] }));
    await writeFile(place('auth.json'), JSON.stringify({ auths: { [host]: { auth: basic } } }));
    const chart = ['--chart', `${url}#web`, ...noHelm, '--insecure-registry', host, '--dry-run'];
    const nothing = await site.pack('closed', ...chart);
    expect(nothing).toMatchObject({ status: 24 });
    expect(nothing.stderr).toContain('--helm-repositories');
    const files = { 'helm-repositories': 'repositories.yaml', authfile: 'auth.json' };
    for (const [option, file] of Object.entries(files)) {
      seen.length = 0;
      const { status, stderr } = await site.pack('closed', ...chart, `--${option}`, place(file));
      expect(status, stderr).toBe(0);
      expect(seen.filter(({ authorization }) => authorization === `Basic ${basic}`)).not.toEqual(
        [],
      );
    }
    const inUrl = await site.pack('closed', '--chart', `http://me:SECRET@${host}/team#web`);
    expect(inUrl).toMatchObject({ status: 2 });
    expect(inUrl.stderr).not.toContain('SECRET');
    // An archive elsewhere is asked for as by anybody.
    const away = charts.replace('127.0.0.1', 'localhost');
    const index = Buffer.from(
      `entries: { web: [{ version: 1.2.3, urls: ['${away}/team/x.tgz'] }] }`,
    );
    served.set('/team/index.yaml', index);
    served.set('/team/x.tgz', archive);
    seen.length = 0;
    const named = ['--helm-repositories', place('repositories.yaml')];
    const elsewhere = await site.pack('closed', ...chart, ...named);
    expect(elsewhere).toMatchObject({ status: 24 });
    expect(elsewhere.stderr).toContain('names an archive at another server');
    const last = seen.filter(({ url: path }) => path === '/team/x.tgz');
    expect(last.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('checks the archive against its repository, and the provenance against a keyring', async () => {
    const { served, place } = site;
    const { privateKey, publicKey } = await generateKey({
      ...{ userIDs: [{ name: 'Publisher' }], type: 'ecc' },
      format: 'object',
    });
    await writeFile(place('keyring.gpg'), publicKey.write());
    const keyring = ['--chart-keyring', place('keyring.gpg')];
    const chart = ['--chart', `${site.charts}#web`, ...noHelm];
    expect(await site.pack('refused', ...chart, ...keyring)).toMatchObject({ status: 21 });
    const text = `name: web\n\n...\nfiles:\n  web-1.2.3.tgz: ${digestOf(archive)}\n`;
    const message = await createCleartextMessage({ text });
    const signed = await sign({ message, signingKeys: privateKey });
    served.set('/web-1.2.3.tgz.prov', Buffer.from(signed));
    const good = await site.pack('signed', ...chart, ...keyring);
    expect(good.status, good.stderr).toBe(0);
    served.set('/web-1.2.3.tgz', await chartArchive({ 'Chart.yaml': LISTED, extra: '' }));
    const changed = await site.pack('refused', ...chart);
    expect(changed).toMatchObject({ status: 20 });
    expect(changed.stderr).toContain('is not the chart of its repository');
    served.set('/web-1.2.3.tgz', archive);
  });
});

const podOf = (image: string): string =>
  `---\n# Source: web/templates/a.yaml\nkind: Pod\napiVersion: v1\nmetadata: { name: x }\n` +
  `spec: { containers: [{ name: a${image === '' ? '' : `, image: ${image}`} }] }\n`;

describeWith(['docker-registry'], 'what a program that stands for helm writes', () => {
  let site: Site;
  let chart: string[];

  /** The program, that writes a text for each chart. */
  const program = async (rendered: string): Promise<string[]> => {
    await writeFile(site.place('rendered'), rendered);
    const script = `#!/bin/sh\nif [ "$1" = version ]; then echo v3.22.0; else cat ${site.place('rendered')}; fi\n`;
    await writeFile(site.place('helm'), script, { mode: 0o755 });
    return ['--helm', site.place('helm')];
  };

  beforeAll(async () => {
    site = await makeSite('charts-odd-helm');
    await writeFile(site.place('web.tgz'), await chartArchive({ 'Chart.yaml': CHART_YAML }));
    chart = ['--chart', site.place('web.tgz')];
  });
  afterAll(() => site.remove());

  it('is carried where it names no image at all, and that is said', async () => {
    const crd = 'kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\n';
    const words = [...chart, ...(await program(crd)), '--progress', 'json'];
    const { status, stderr } = await site.pack('alone', ...words);
    expect(status, stderr).toBe(0);
    const events = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(events.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ type: 'noticed', code: 'chart-without-images', chart: 'web' }),
    );
  });

  it.each([
    ['a container without an image', podOf(''), 'container a of web/templates/a.yaml (Pod x)'],
    ['an image that is a number', podOf('5'), 'container a of web/templates/a.yaml (Pod x)'],
    ['words', 'WARNING: something\n', 'document 1 of what web renders to is no manifest'],
  ])('is refused with %s', async (_name, rendered, message) => {
    const good = podOf('quay.io/team/web:4.5');
    const run = await site.pack('refused', ...chart, ...(await program(rendered + good)));
    expect(run.stderr).toContain(message);
    expect(run.status).toBe(20);
  });

  it('has to have an image at each path of the image set', async () => {
    const env = 'env: [{ value: "quay.io/team/web:4.5" }]';
    const rendered = podOf('nginx:1.16.0').replace(' }] }', `, ${env} }] }`);
    const packed = async (path: string): ReturnType<Site['pack']> => {
      const local = JSON.stringify([{ name: 'web', path: chart[1]!, imagePaths: [path] }]);
      await writeFile(
        site.place('set.yaml'),
        'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\n' +
          `mirror: { helm: { local: ${local} } }\n`,
      );
      return site.pack('paths', '--config', site.place('set.yaml'), ...(await program(rendered)));
    };
    const missed = await packed('{.spec.containers[*].env[*].valu}');
    expect(missed.stderr).toContain(
      'the chart web has no image at {.spec.containers[*].env[*].valu}',
    );
    expect(missed.status).toBe(23);
    const good = await packed('{.spec.containers[*].env[*].value}');
    expect(good.status, good.stderr).toBe(0);
    expect(good.stdout).toContain('quay.io/team/web:4.5 (image path)');
  });
});

describeWith(['docker-registry'], 'charts and the real helm', () => {
  describeWhere(existsSync(helm), 'helm: npm run peers', 'rendered by it', () => {
    let site: Site;

    beforeAll(async () => {
      site = await makeSite('charts-helm');
    });
    afterAll(() => site.remove());

    it('are carried with what their manifests run, and pulled by helm on the other side', async () => {
      const { place, pack, operator, target } = site;
      const template =
        'kind: Pod\nspec: { containers: [{ image: "quay.io/team/{{ .Values.name }}:4.5" }] }\n';
      await writeFile(
        place('web.tgz'),
        await chartArchive({ 'Chart.yaml': CHART_YAML, 'templates/a.yaml': template }),
      );
      await writeFile(place('own.yaml'), 'name: web\n');
      const values = ['--helm-values', `web=${relative(site.packer.folder, place('own.yaml'))}`];
      const packed = await pack('rendered', '--chart', place('web.tgz'), '--helm', helm, ...values);
      expect(packed.status, packed.stderr).toBe(0);
      expect(packed.stdout).toContain('quay.io/team/web:4.5 (manifest)');
      const to = ['--to', `${target.host}/site`, '--trusted-key', place('packer.pub')];
      const unpacked = await operator.bundle(['unpack', place('rendered'), ...to], {
        cwd: place('.'),
      });
      expect(unpacked.status, unpacked.stderr).toBe(0);
      const env = { HOME: place('.'), PATH: process.env['PATH'] ?? '' };
      const from = `oci://${target.host}/site/charts/web`;
      const shown = await execa(
        helm,
        ['show', 'chart', from, '--version', '1.2.3', '--plain-http'],
        {
          env,
          extendEnv: false,
        },
      );
      expect(shown.stdout).toContain('appVersion: "4.5"');
      const missing = await pack('refused', '--chart', place('web.tgz'), '--helm', helm);
      expect(missing.stderr).toContain('image quay.io/team/:4.5 of web');
      expect(missing.status).toBe(2);
    });
  });
});
