import { mkdir, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { describeMachine } from './lib/bench/machine.ts';
import { CONCURRENCY, measure } from './lib/bench/measure.ts';
import { markdown, type ShapeResult } from './lib/bench/report.ts';
import { isShapeName, SHAPES, type ShapeName } from './lib/bench/shapes.ts';
import { projectPath } from './lib/project-root.ts';

const HELP = `Measures the program side by side with what nothing can be faster than: curl, openssl, a request's way.

  npm run bench -- [options]

  --quick         a small release, three rounds: a minute
  --shape NAME    ${Object.keys(SHAPES).join(', ')}; may be repeated (default: release, large-layer, small-images)
  --rounds N      how often each thing is measured (default 5)
  --program FILE  dist/bin.js of another build: does the same with it in turn, in the shapes release, quick and lookups
  --skopeo        also copies the release with skopeo, once
  --folder DIR    where releases and bundles go while it runs (default: in the folder for temporary files); three times the
                  size of the release has to fit
  -h, --help      shows this

The tables are printed, and kept in out/bench/ as Markdown and JSON. Nothing it finds makes it fail.
`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  shape: { type: 'string', multiple: true },
  rounds: { type: 'string' },
  program: { type: 'string' },
  skopeo: { type: 'boolean', default: false },
  folder: { type: 'string', default: join(tmpdir(), `bundle-bench-${process.pid}`) },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

// Registries are ended with this process: see that it ends itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => process.exit(128 + constants.signals[signal]));

try {
  await run();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { quick, skopeo, folder, program } = values;
  const other = program === undefined ? undefined : resolve(program);
  const rounds = Number(values.rounds ?? (quick ? 3 : 5));
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds ?? ''}: not a positive number`);
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  const results: ShapeResult[] = [];
  for (const name of shapesOf(quick, values.shape))
    results.push(await measure(name, { folder, rounds, skopeo, other, tell }));

  const result = { machine: await describeMachine(), concurrency: CONCURRENCY, results };
  const text = markdown(result);
  const out = projectPath('out', 'bench');
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'results.md'), text);
  await writeFile(join(out, 'results.json'), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(text);
}

function shapesOf(quick: boolean, named: readonly string[] | undefined): readonly ShapeName[] {
  if (quick) return ['quick'];
  return (named ?? ['release', 'large-layer', 'small-images']).map((name) => {
    if (!isShapeName(name))
      throw new Error(`--shape ${name}: not one of ${Object.keys(SHAPES).join(', ')}`);
    return name;
  });
}
