import { execFile } from 'node:child_process';

import { projectPath } from '../../scripts/lib/project-root.ts';

/** What the second reader says of a bundle: its exit status, and what it writes on stderr. */
export interface SecondVerdict {
  readonly status: number;
  readonly message: string;
}

/** Most of the time of a verdict is the start of Python. Each line of input is one command line. */
const MANY = `
import contextlib, io, json, runpy, sys
reader = sys.argv[1]
for line in sys.stdin:
    sys.argv = [reader] + json.loads(line)
    told, status = io.StringIO(), None
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_path(reader, run_name="__main__")
        except SystemExit as end:
            status = end.code
    print(json.dumps({"status": status, "message": told.getvalue()}), flush=True)
`;

const READER = projectPath('scripts/read-bundle.py');

/**
 * Asks `scripts/read-bundle.py`, which was written from docs/format.md alone, what it says of a
 * bundle. The arguments are its own. Bytes that are given stand on its standard input.
 */
export function secondVerdict(
  args: readonly string[],
  input: Uint8Array | string = '',
): Promise<SecondVerdict> {
  return new Promise((resolve, reject) => {
    const child = execFile('python3', ['-B', READER, ...args], (error, _, message) => {
      if (error === null) resolve({ status: 0, message });
      else if (typeof error.code === 'number') resolve({ status: error.code, message });
      else reject(new Error('the second reader was not started, or killed', { cause: error }));
    });
    // It may refuse its arguments before it has read all input: its status says so.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  });
}

/** The same for many command lines, one after another in one process: for many small bundles. */
export function secondVerdicts(
  commands: readonly (readonly string[])[],
): Promise<readonly SecondVerdict[]> {
  return new Promise((resolve, reject) => {
    const child = execFile('python3', ['-B', '-c', MANY, READER], (error, stdout) => {
      const verdicts = stdout.split('\n').slice(0, -1);
      if (error !== null || verdicts.length !== commands.length) {
        reject(error ?? new Error('the second reader has not answered everything'));
      } else resolve(verdicts.map((line) => JSON.parse(line) as SecondVerdict));
    });
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(commands.map((command) => `${JSON.stringify(command)}\n`).join(''));
  });
}
