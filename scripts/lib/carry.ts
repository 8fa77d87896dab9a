import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';

import { laterVersion, linkNeeds } from './elf.ts';
import { folderTar } from './folder-tar.ts';
import { type Lock, productionPackages } from './production-packages.ts';
import { projectPath } from './project-root.ts';

export interface Carried {
  readonly archive: string;
  /** Bytes of the archive. */
  readonly size: number;
  /** The oldest versions of libraries that it runs with: `glibc` → `2.28`. */
  readonly needs: Readonly<Record<string, string>>;
}

/** `uname -m` of what Node calls otherwise. */
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/**
 * When every file in the archive claims to have been changed, unless $SOURCE_DATE_EPOCH says
 * otherwise.
 */
const EPOCH = Date.UTC(1985, 9, 26, 8, 15) / 1000;

/**
 * What a machine has that runs Linux with glibc and programs in C++. Everything else would have to
 * be carried along.
 */
const USUAL_LIBRARIES = /^(ld-linux-.*|lib(c|dl|m|pthread|rt|gcc_s|stdc\+\+))\.so\.[0-9]+$/;

/** Of packages, what no running program reads. Licences stay. */
const LEFT_BEHIND = [
  /\.(map|md|[cm]?ts|flow)$/i,
  /\/node_modules\/(@[^/]+\/)?[^/]+\/(docs?|tests?|examples?|benchmarks?|\.github)(\/|$)/,
  /\/zstd-napi\/(deps|src|binding\.gyp|build_flags\.gypi)(\/|$)/,
  /\/zstd-napi\/build\/(?!Release(\/binding\.node)?$)/,
  /\/openpgp\/dist\/(?!node(\/|$))/,
];

/**
 * Makes `ocp-bundle-<version>-linux-<machine>.tar.gz`, with `.sha256` beside: the program with its
 * own Node, for machines where nothing is installed. The same sources and the same Node make the
 * same bytes.
 * @throws Error when Node or an addon needs a library that such machines may lack
 */
export async function carry(folder: string): Promise<Carried> {
  const staging = await mkdtemp(join(tmpdir(), 'bundle-carry-'));
  try {
    const { version } = JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as {
      version: string;
    };
    await stageProgram(staging, version);
    await stageNode(join(staging, 'lib'));
    const needs = await needsOf([
      join(staging, 'lib/node'),
      join(staging, 'lib/node_modules/zstd-napi/build/Release/binding.node'),
    ]);
    const name = `ocp-bundle-${version}-linux-${MACHINES[process.arch] ?? process.arch}`;
    const archive = join(folder, `${name}.tar.gz`);
    await mkdir(folder, { recursive: true });
    const mtime = Number(process.env['SOURCE_DATE_EPOCH'] ?? EPOCH);
    await pipeline(
      Readable.from(folderTar(staging, name, mtime)),
      createGzip(),
      createWriteStream(archive),
    );
    await writeFile(`${archive}.sha256`, `${await sha256(archive)}  ${basename(archive)}\n`);
    return { archive, size: (await stat(archive)).size, needs };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function stageProgram(staging: string, version: string): Promise<void> {
  const lib = join(staging, 'lib');
  await mkdir(lib);
  const build = [projectPath('scripts/build.js'), join(lib, 'dist')];
  await promisify(execFile)(process.execPath, build);
  await writeFile(
    join(lib, 'package.json'),
    `${JSON.stringify({ name: 'ocp-bundle', version, type: 'module', private: true })}\n`,
  );

  const lock = JSON.parse(await readFile(projectPath('package-lock.json'), 'utf8')) as Lock;
  for (const packageFolder of productionPackages(lock)) {
    const nested = join(projectPath(packageFolder), 'node_modules');
    await cp(projectPath(packageFolder), join(lib, packageFolder), {
      recursive: true,
      filter: (source) =>
        source !== nested &&
        !LEFT_BEHIND.some((pattern) => pattern.test(source.slice(projectPath().length))),
    });
  }

  for (const file of ['LICENSE', 'README.md', 'SECURITY.md', 'docs']) {
    if (existsSync(projectPath(file)))
      await cp(projectPath(file), join(staging, file), { recursive: true });
  }
  await copyFile(projectPath('scripts/lib/launcher.sh'), join(staging, 'bundle'));
  await chmod(join(staging, 'bundle'), 0o755);
}

async function stageNode(lib: string): Promise<void> {
  await copyFile(process.execPath, join(lib, 'node'));
  await chmod(join(lib, 'node'), 0o755);
  const prefix = dirname(dirname(process.execPath));
  const licence = ['LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/node/LICENSE']
    .map((path) => join(prefix, path))
    .find(existsSync);
  if (licence !== undefined) await copyFile(licence, join(lib, 'node.LICENSE'));
}

async function needsOf(files: readonly string[]): Promise<Readonly<Record<string, string>>> {
  let [glibc, libstdcxx] = ['0', '0'];
  for (const file of files) {
    const { libraries, versions } = await linkNeeds(file);
    const unusual = libraries.filter((library) => !USUAL_LIBRARIES.test(library));
    if (unusual.length > 0)
      throw new Error(`${basename(file)} needs ${unusual.join(', ')}: use the Node of nodejs.org`);
    glibc = laterVersion(glibc, versions.get('GLIBC') ?? '0');
    libstdcxx = laterVersion(libstdcxx, versions.get('GLIBCXX') ?? '0');
  }
  return { glibc, 'libstdc++ symbols': `GLIBCXX_${libstdcxx}` };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
