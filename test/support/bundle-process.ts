import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { projectPath } from '../../scripts/lib/project-root.ts';

export interface Ended {
  /** `null` where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  /** Where its home goes. */
  readonly folder: string;
  /** {@link folder} if it is left out. */
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from stdin. */
  readonly input?: Readable | undefined;
  /** Takes stdout in place of {@link Ended.stdout}. */
  readonly output?: ((stdout: Readable) => void) | undefined;
}

/** A run of the built program that is under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until what it has said on stderr matches. */
  readonly told: (pattern: RegExp) => Promise<void>;
}

/** Starts the built program with a home of its own. */
export async function startBundle(
  args: readonly string[],
  { folder, cwd = folder, env = {}, input, output }: StartOptions,
  program: readonly string[] = [process.execPath],
): Promise<Running> {
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  const [command = '', ...before] = program;
  const child = spawn(command, [...before, projectPath('dist/bin.js'), ...args], {
    cwd,
    env: { HOME: home, PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined); // a program that was killed reads no more
  if (input === undefined) child.stdin.end();
  else input.pipe(child.stdin);
  const said = { stdout: '', stderr: '' };
  if (output === undefined)
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  else output(child.stdout);
  const listeners = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
    for (const listener of listeners) listener();
  });
  const told = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const listener = (): void => {
        if (!pattern.test(said.stderr)) return;
        listeners.delete(listener);
        resolve();
      };
      listeners.add(listener);
      listener();
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status, signal, ...said });
    });
  });
  return { child, ended, told };
}

/** Runs the built program to its end. */
export async function runBundle(args: readonly string[], options: StartOptions): Promise<Ended> {
  return (await startBundle(args, options)).ended;
}
