import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { everythingBelow, layoutIn, repositoryAt } from './lib/content.js';
import { REGISTRY_PROGRAM, startRegistry } from './lib/demo-registry.js';
import { prepare } from './lib/prepare.js';
import { isInstalled, root } from './lib/run.js';

const VERSION = '4.17.3';
const TAG = `${VERSION}-x86_64`;
const CONNECTED = 'demo/connected';
const MEDIUM = 'demo/medium';
const CLOSED = 'demo/closed';
const VERIFICATION_FAILED = 20;

const began = Date.now();
const proved = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => process.exit(128 + constants.signals[signal]));

try {
  prepare(['build', 'build:scripts']);
  process.chdir(root);
  rmSync('demo', { recursive: true, force: true });
  for (const folder of [`${CONNECTED}/home`, MEDIUM, `${CLOSED}/home`])
    mkdirSync(folder, { recursive: true });
  await demonstrate();
  process.exit(0);
} catch (error) {
  say(`\ndemo: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

async function demonstrate() {
  const registries = isInstalled(REGISTRY_PROGRAM);
  if (!registries)
    say(`${REGISTRY_PROGRAM} is not installed: image layouts take the place of registries.`);
  const source = await makeSource(registries);
  const bundle = await packOnTheConnectedSide(source);
  await checkWithOrdinaryTools(bundle);
  const target = await unpackOnTheClosedSide(source, registries);
  await compare(source, target);
  await refuseWhatWasChanged(source, bundle);
  conclude(bundle);
}

/**
 * A release with the names, the payload and the shape of a real one, and small layers of random
 * bytes.
 */
async function makeSource(registries) {
  title('A release to carry, made here: real names and payload, layers of random bytes');
  const folder = `${CONNECTED}/release`;
  const registry = registries ? await startRegistry(join(root, CONNECTED, 'registry')) : undefined;
  await show('', 'node', [
    'out/scripts/make-release.js',
    '--version',
    VERSION,
    '--out',
    folder,
    ...(registry ? ['--push', registry] : []),
  ]);
  const summary = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'));
  const trust = ['--release-key', `${folder}/release-key.asc`];
  const layout = layoutIn(`${folder}/layout`);
  const namespace = 'openshift-release-dev';
  return {
    summary,
    trust,
    pack: [
      ...(registry
        ? ['--mirror', `quay.io/${namespace}=${registry}/${namespace}`]
        : ['--from', `oci:${folder}/layout`]),
      ...['--signature-store', `${folder}/signatures`, ...trust],
    ],
    releases: registry ? repositoryAt(registry, `${namespace}/ocp-release`) : layout,
    components: registry ? repositoryAt(registry, `${namespace}/ocp-v4.0-art-dev`) : layout,
  };
}

async function packOnTheConnectedSide({ pack }) {
  title('Connected side: one file of it all');
  await bundleOn(CONNECTED, ['pack', VERSION, ...pack, '-o', MEDIUM]);
  const name = readdirSync(MEDIUM).find((file) => file.endsWith('.tar.zst'));
  if (name === undefined) throw new Error(`there is no bundle in ${MEDIUM}`);
  proved.push([
    'pack',
    'a release whose signature was checked became one signed file, digests unchanged',
  ]);
  return name;
}

async function checkWithOrdinaryTools(bundle) {
  title('The file in the hands of ordinary tools');
  const programs = ['sha256sum', 'zstd', 'tar', 'openssl'];
  const absent = programs.filter((program) => !isInstalled(program));
  const have = (...needed) => !needed.some((program) => absent.includes(program));
  const opened = 'demo/opened';
  const key = `${CONNECTED}/home/.config/bundle/signing-key.pub`;
  if (have('sha256sum'))
    await show(MEDIUM, 'sha256sum', ['-c', bundle.replace('.tar.zst', '.sha256')]);
  if (have('zstd')) await show('', 'zstd', ['--test', '-q', `${MEDIUM}/${bundle}`]);
  if (have('zstd', 'tar')) {
    mkdirSync(opened);
    await show('', 'tar', ['--zstd', '-xf', `${MEDIUM}/${bundle}`, '-C', opened]);
    if (have('sha256sum')) await show(opened, 'sha256sum', ['--quiet', '-c', 'SHA256SUMS']);
    if (have('openssl')) {
      const signature = `${opened}/signature`;
      say(`$ base64 -d ${opened}/SHA256SUMS.sig > ${signature}`);
      writeFileSync(
        signature,
        Buffer.from(readFileSync(`${opened}/SHA256SUMS.sig`, 'latin1'), 'base64'),
      );
      await show('', 'openssl', [
        'dgst',
        '-sha256',
        '-verify',
        key,
        '-signature',
        signature,
        `${opened}/SHA256SUMS`,
      ]);
    }
  }
  if (absent.length === 0)
    proved.push([programs.join(', '), 'every blob and the signature hold without this program']);
  else say(`Not all of this could be shown here: ${absent.join(', ')} not installed.`);
}

async function unpackOnTheClosedSide({ trust }, registries) {
  title('Closed side: who packed it is trusted by name');
  await bundleOn(CLOSED, ['trust', 'add', `${CONNECTED}/home/.config/bundle/signing-key.pub`]);

  title('Closed side: the audit');
  await bundleOn(CLOSED, ['verify', MEDIUM, '--expect', VERSION, ...trust]);
  proved.push(['verify', 'signer trusted, release signature good, every byte accounted for']);
  await bundleOn(CLOSED, ['inspect', MEDIUM, ...trust]);
  proved.push(['inspect', 'release, signer and images are told from the signed listing']);

  title('Closed side: into the registry');
  const registry = registries ? await startRegistry(join(root, CLOSED, 'registry')) : undefined;
  const to = registry ? `${registry}/ocp4` : `oci:${CLOSED}/layout`;
  await bundleOn(CLOSED, [
    'unpack',
    MEDIUM,
    '--to',
    to,
    // An image layout is for no cluster: nothing is written for one beside it.
    ...(registry ? ['--resources-dir', `${CLOSED}/cluster-resources`] : []),
    ...trust,
  ]);
  proved.push(['unpack', `the release is at ${to}, its tag set last`]);
  const layout = layoutIn(`${CLOSED}/layout`);
  return {
    releases: registry ? repositoryAt(registry, 'ocp4/openshift/release-images') : layout,
    components: registry ? repositoryAt(registry, 'ocp4/openshift/release') : layout,
  };
}

async function compare(source, target) {
  title('Source and target, read again and hashed');
  const { release, components } = source.summary;
  const before = await bothBelow(source, release, components);
  const after = await bothBelow(target, release, components);
  const lost = [...before].filter((digest) => !after.has(digest));
  if (lost.length > 0 || after.size !== before.size)
    throw new Error(`the target lacks ${lost.join(', ')}`);
  const tags = [
    [target.releases, TAG, release],
    ...components.map((component) => [target.components, `${TAG}-${component.name}`, component]),
  ];
  for (const [place, tag, { digest }] of tags) {
    const found = await place.resolve(tag);
    if (found !== digest) throw new Error(`${tag} names ${found} at the target, not ${digest}`);
  }
  say(
    `${after.size} manifests, configs and layers at the target have the digests that they have at the source.`,
  );
  say(`${tags.length} tags name what they should.`);
  proved.push([
    'comparison',
    `${after.size} digests and ${tags.length} tags at the target are those of the source`,
  ]);
}

async function bothBelow({ releases, components }, release, images) {
  return new Set([
    ...(await everythingBelow(releases, [release])),
    ...(await everythingBelow(components, images)),
  ]);
}

async function refuseWhatWasChanged({ trust }, bundle) {
  title('Closed side: the same file with one bit changed');
  mkdirSync('demo/changed');
  const changed = `demo/changed/${bundle}`;
  copyFileSync(`${MEDIUM}/${bundle}`, changed);
  const at = Math.floor(statSync(changed).size / 2);
  const byte = readFileSync(changed)[at];
  const file = openSync(changed, 'r+');
  writeSync(file, Buffer.of(byte ^ 1), 0, 1, at);
  closeSync(file);
  await bundleOn(CLOSED, ['verify', changed, ...trust], VERIFICATION_FAILED);
  proved.push([
    'verify of a changed copy',
    `one bit in the middle is enough to be refused, with status ${VERIFICATION_FAILED}`,
  ]);
}

function conclude(bundle) {
  title('What was shown');
  table(proved);
  title('To look at');
  const places = [
    [`${MEDIUM}/${bundle}`, 'the bundle; its checksum and public key are beside it'],
    ['demo/opened/', 'the bundle, untarred: an image layout'],
    [`${CLOSED}/layout/`, 'the target: an image layout'],
    [`${CLOSED}/cluster-resources/`, 'what the cluster needs to find its images'],
    [`${CLOSED}/cluster-resources/next-steps.txt`, 'what to do with that'],
    [`${CONNECTED}/`, 'home folder, release and registry of the connected side'],
    [`${CLOSED}/`, 'home folder and registry of the closed side'],
  ];
  table(places.filter(([path]) => existsSync(path)));
  say(`\nAll of it held, in ${Math.round((Date.now() - began) / 1000)} s.`);
}

/**
 * Runs the program as on a machine of its own: a home of its own, and nothing else in the
 * environment.
 */
async function bundleOn(side, args, expected = 0) {
  const env = {
    HOME: join(root, side, 'home'),
    PATH: process.env['PATH'] ?? '',
    TERM: process.env['TERM'] ?? 'dumb',
  };
  say(`$ HOME=${side}/home dist/bin.js ${args.map(quoted).join(' ')}`);
  const status = await statusOf(
    spawn(process.execPath, ['dist/bin.js', ...args], { env, stdio: 'inherit' }),
  );
  say('');
  if (status !== expected)
    throw new Error(`bundle ${args[0]} ended with status ${status}, not ${expected}`);
}

async function show(folder, program, args) {
  const line = [program, ...args].map(quoted).join(' ');
  say(`$ ${folder === '' ? line : `(cd ${folder} && ${line})`}`);
  const status = await statusOf(
    spawn(program, args, { cwd: join(root, folder), stdio: 'inherit' }),
  );
  if (status !== 0) throw new Error(`${program} ended with status ${status}`);
}

async function statusOf(child) {
  const stop = () => child.kill('SIGTERM');
  process.on('exit', stop);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (status, signal) => resolve(status ?? signal));
    });
  } finally {
    process.off('exit', stop);
  }
}

function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function table(rows) {
  const width = Math.max(...rows.map(([first]) => first.length));
  for (const [first, second] of rows) say(`${first.padEnd(width)}  ${second}`);
}

function title(text) {
  say(`\n== ${text} ==\n`);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
