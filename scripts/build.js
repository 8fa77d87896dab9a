// Makes the program in dist/, or in the folder that is named: one file for the command line, others
// for what commands do, which are read when a command runs.
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';

import { build } from 'esbuild';

import { root } from './lib/run.js';

const out = resolve(process.argv[2] ?? join(root, 'dist'));
const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

await rm(out, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/bin.ts'],
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.20',
  chunkNames: 'parts/[name]-[hash]',
  // What is installed beside the program stays outside; all other packages go into it.
  external: Object.keys(dependencies),
  plugins: [
    { name: 'column-count', setup: countColumns },
    { name: 'undici-agents', setup: takeAgentsAlone },
    { name: 'kube-client', setup: takeObjectsAlone },
  ],
  // Packages in CommonJS ask for Node's own modules with it.
  banner: {
    js: "const require = process.getBuiltinModule('module').createRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
await chmod(join(out, 'bin.js'), 0o755);
// The reader of QR codes is a program in WebAssembly of its own.
await copyFile(
  join(root, 'node_modules/zxing-wasm/dist/reader/zxing_reader.wasm'),
  join(out, 'zxing_reader.wasm'),
);
await writeFile(join(out, 'LICENSES.txt'), await licences(packagesIn(metafile)));

/**
 * string-width knows every emoji, for which V8 makes tables at each start: a quarter of all that
 * `bundle --help` computed. yargs lays out our own help and nothing else, whose characters are all
 * one column wide. What draws progress keeps the real one.
 */
function countColumns({ onResolve }) {
  onResolve({ filter: /^string-width$/ }, ({ importer }) =>
    /\/node_modules\/(yargs|cliui|wrap-ansi)\//.test(importer)
      ? { path: join(root, 'scripts/lib/column-count.js') }
      : undefined,
  );
}

/** Of undici the program needs the connections: see there what the rest would cost. */
function takeAgentsAlone({ onResolve }) {
  onResolve({ filter: /^undici$/ }, () => ({ path: join(root, 'scripts/lib/undici-agents.js') }));
}

/** Of the client for Kubernetes the program needs what asks about objects: see there, too. */
function takeObjectsAlone({ onResolve }) {
  onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({
    path: join(root, 'scripts/lib/kube-client.js'),
  }));
  onResolve({ filter: /^(?:js-yaml|jsonpath-plus|node-fetch|openid-client|rfc4648)$/ }, (asked) =>
    /\/node_modules\/@kubernetes\/client-node\//.test(asked.importer)
      ? { path: join(root, 'scripts/lib/kube-left-out.js') }
      : undefined,
  );
}

/** Folders of the packages of which something went into the program, sorted. */
function packagesIn({ outputs }) {
  const folders = Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([input]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []);
  return [...new Set(folders)].sort();
}

/** What their authors ask to be kept with copies. @throws Error for a package without a licence. */
async function licences(folders) {
  const parts = await Promise.all(
    folders.map(async (folder) => {
      const { name, version } = JSON.parse(
        await readFile(join(root, folder, 'package.json'), 'utf8'),
      );
      const file = (await readdir(join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${folder} has no file with its licence`);
      return `${name} ${version}\n\n${(await readFile(join(root, folder, file), 'utf8')).trim()}\n`;
    }),
  );
  return `The program contains these packages. In zxing_reader.wasm, a part of zxing-wasm, is zxing-cpp
(Apache License 2.0, as in LICENSE) with stb_image (public domain).\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
