import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { describe, expect, it } from 'vitest';

const CONFIG = pathToFileURL(join(import.meta.dirname, '../../.dependency-cruiser.js')).href;
const SRC = join(import.meta.dirname, '../../src');
const MOST_FILES = 16;

/** Where core and transfer may say "release", and why. */
const RELEASES: readonly Allowed[] = [
  {
    file: /^transfer\//,
    text: /\brelease\(/g,
    reason: 'Buffers are given back: the verb, and no OpenShift release.',
  },
  {
    file: /./,
    text: /openshift-release-dev\/ocp-release/g,
    reason: 'The name of a real repository, as an example.',
  },
  {
    file: /^core\/limits\.ts$/,
    text: /release signature|release with 190 components|release image layers|`release-manifests\/`|images of a release|`multi` release/g,
    reason: 'Every limit is there, and says how large real content is.',
  },
  {
    file: /^core\/events\.ts$/,
    text: /proves a release, |'(?:release-not-proven|kubevirt-absent)'; readonly release: string/g,
    reason: 'All notices are one closed list: these are of the kind `release`.',
  },
];

/** Who touches files outside `files`, and why. */
const FILE_SYSTEM: readonly Allowed[] = [
  {
    file: /^stores\/layout\/(ingest|layout)\.ts$/,
    text: /node:fs(\/promises)?/g,
    reason: 'Blobs of any size are streamed into a layout and out of it.',
  },
  {
    file: /^bundle\/writing\/volume-writer\.ts$/,
    text: /node:fs\/promises/g,
    reason: 'The end of a volume is compared in place.',
  },
  {
    file: /^credentials\/save\.ts$/,
    text: /node:fs\/promises/g,
    reason: 'A link to an auth file stays one: it is followed before the file is replaced.',
  },
  {
    file: /^cli\/options\/release\.ts$/,
    text: /node:fs/g,
    reason: 'Options are read at once, without waiting.',
  },
  {
    file: /^cli\/(pipes|present\/progress\/terminal)\.ts$/,
    text: /node:fs/g,
    reason: 'The streams of the process itself.',
  },
];

/** Who writes backticks, and why. */
const MARKDOWN: readonly Allowed[] = [
  {
    file: /^kinds\/release\/tools\/readme\.ts$/,
    text: /`kubectl(?:\.exe)?`/g,
    reason: 'A page in Markdown.',
  },
];

interface Allowed {
  /** Below `src`. */
  readonly file: RegExp;
  readonly text: RegExp;
  readonly reason: string;
}

interface SourceFile {
  /** Below `src`. */
  readonly path: string;
  readonly text: string;
}

async function sourceFiles(): Promise<readonly SourceFile[]> {
  const found = await readdir(SRC, { recursive: true, withFileTypes: true });
  return Promise.all(
    found
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: path.slice(SRC.length + 1), text: await readFile(path, 'utf8') };
      }),
  );
}

/** Lines that say `word` where nothing allows it, and what is allowed and is nowhere. */
function offences(
  files: readonly SourceFile[],
  word: RegExp,
  allowed: readonly Allowed[],
): readonly string[] {
  const used = new Set<Allowed>();
  const lines = files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      let rest = line;
      for (const exception of allowed) {
        if (!exception.file.test(path)) continue;
        const before = rest;
        rest = rest.replace(exception.text, '');
        if (rest !== before) used.add(exception);
      }
      return word.test(rest) ? [`${path}:${index + 1}: ${line.trim()}`] : [];
    }),
  );
  const unused = allowed.filter((exception) => !used.has(exception));
  return [...lines, ...unused.map(({ file, reason }) => `allowed for nothing: ${file} ${reason}`)];
}

/** The arguments of each BundleError that is made in a text. */
function refusalsIn(text: string): readonly string[] {
  const [, ...made] = text.split('new BundleError(');
  return made.map((rest) => {
    let end = 0;
    for (let depth = 1; end < rest.length; end += 1) {
      if (rest[end] === '(') depth += 1;
      if (rest[end] === ')') depth -= 1;
      if (depth === 0) break;
    }
    return rest.slice(0, end);
  });
}

describe('the house', () => {
  it(`has at most ${MOST_FILES} files in a folder`, async () => {
    const counts = new Map<string, number>();
    for (const { path } of await sourceFiles()) {
      const folder = path.replace(/\/?[^/]+$/, '');
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    expect(counts.size).toBeGreaterThan(1);
    expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
  });

  it('has the rooms that its floors name, and no others', async () => {
    const { FLOORS } = (await import(CONFIG)) as {
      readonly FLOORS: readonly { readonly rooms: readonly string[] }[];
    };
    const found = await readdir(SRC, { withFileTypes: true });
    const rooms = found.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(FLOORS.flatMap((floor) => floor.rooms).sort()).toEqual(rooms.sort());
  });

  it('knows no release in core and transfer', async () => {
    const files = (await sourceFiles()).filter(({ path }) => /^(core|transfer)\//.test(path));
    expect(offences(files, /release/i, RELEASES)).toEqual([]);
  });

  it('touches files in their room', async () => {
    const files = (await sourceFiles()).filter(({ path }) => !path.startsWith('files/'));
    expect(offences(files, /^(?!import type ).*'node:fs(\/promises)?'/, FILE_SYSTEM)).toEqual([]);
  });

  it('has one style for commands in its texts: none is between backticks', async () => {
    // A word behind a backtick behind an apostrophe that is open, and no comment.
    const quoted = /^(?!\s*(?:\*|\/[*/]))(?:[^'"`]|'[^'`]*'|"[^"]*"|`[^`]*`)*'[^'`]*`[a-z]/;
    expect(offences(await sourceFiles(), quoted, MARKDOWN)).toEqual([]);
  });

  it('says what to do next where a command line or a file of the user is refused', async () => {
    const mute = (await sourceFiles()).flatMap(({ path, text }) =>
      refusalsIn(text).flatMap((refusal) =>
        /'(?:USAGE|CONFIGURATION)'/.test(refusal) && !/\bhint\b/.test(refusal)
          ? [`${path}: ${refusal}`]
          : [],
      ),
    );
    expect(mute).toEqual([]);
  });

  it('has one term for what travels apart from the medium: out of band', async () => {
    const paper = /\b(?:on|with) (?:a|the) form\b|groups of the form|form that (?:came|travels)/;
    expect(offences(await sourceFiles(), paper, [])).toEqual([]);
  });
});
