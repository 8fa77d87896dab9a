import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

import { projectPath } from '../project-root.ts';

export interface ProgramRun {
  readonly seconds: number;
  readonly stdout: string;
}

export interface RunOptions {
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The program is killed when this comes, and that is no bad end. */
  readonly until?: Promise<void> | undefined;
}

/** Runs a program to its end. @throws Error with what it said, where it ended badly. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { input, env, until }: RunOptions = {},
): Promise<ProgramRun> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', reject);
    void until?.then(() => child.kill('SIGKILL'));
    // It ended before it had read all: its status says why.
    child.stdin.on('error', () => undefined);
    child.on('close', (status, signal) => {
      const seconds = (performance.now() - began) / 1000;
      if (status === 0 || (until !== undefined && signal === 'SIGKILL'))
        resolve({ seconds, stdout: Buffer.concat(stdout).toString() });
      else
        reject(
          new Error(
            `${program} ended with ${status}: ${Buffer.concat(stderr).toString().slice(0, 2000)}`,
          ),
        );
    });
    child.stdin.end(input ?? '');
  });
}

/** What one run of our own program took. */
export interface Usage {
  readonly seconds: number;
  /** Of all its threads, user and system together. */
  readonly cpuSeconds: number;
  /** Most memory that was resident at once, in MiB. */
  readonly peakMiB: number;
}

/** A build of the program: `dist/bin.js` of this one, or of another. */
export type Program = string;

export const OURS: Program = projectPath('dist', 'bin.js');

export interface BundleOptions {
  /** A folder of its own, for files of the user and temporary ones. */
  readonly home: string;
  /** Ours unless told. */
  readonly program?: Program | undefined;
  /** Kills it when it comes; what it used is not known then. */
  readonly until?: Promise<void> | undefined;
}

/** Runs `bundle` as a user would. */
export async function runBundle(
  args: readonly string[],
  { home, program = OURS, until }: BundleOptions,
): Promise<Usage> {
  const reporter = pathToFileURL(join(import.meta.dirname, 'report-usage.js')).href;
  const env = { HOME: home, TMPDIR: home };
  const { seconds, stdout } = await runProgram(
    process.execPath,
    ['--import', reporter, program, ...args, '--progress', 'none'],
    { env, until },
  );
  const [cpuMicroseconds = NaN, maxKiB = NaN] = (/^usage (\d+) (\d+)$/m.exec(stdout) ?? [])
    .slice(1)
    .map(Number);
  return { seconds, cpuSeconds: cpuMicroseconds / 1e6, peakMiB: maxKiB / 1024 };
}
