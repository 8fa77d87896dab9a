import { spawn } from 'node:child_process';

/** The end of what a program says on stderr. */
const MAX_SAID = 2000;
/** What is in a pipe when its writer ends, is read in much less. */
const GRACE_MS = 2000;

/** A program of somebody else, which is run for its answer, without a shell. */
export interface ProgramCall {
  /** A path, or a name that is looked for in `$PATH`. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it reads: a text, what the user types, or nothing. */
  readonly input: { readonly text: string } | 'terminal' | 'nothing';
  /** Who gets its stderr: the caller, the user, or nobody, since it could be anything. */
  readonly stderr: 'caller' | 'terminal' | 'nobody';
  /** How many bytes it may write to each of its streams. */
  readonly limit: number;
  readonly patienceMs: number;
  /** How long its pipes may stay open after its end; two seconds if it is left out. */
  readonly graceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Ends what runs now: a process that exits leaves nothing behind that nobody waits for. */
const running = new Set<() => void>();

function stopAll(): void {
  for (const stop of running) stop();
}

/** How a program ended. */
export interface ProgramEnd {
  /** `null` where a signal ended it. */
  readonly status: number | null;
  readonly output: string;
  /** The end of its stderr, where the caller gets that. */
  readonly said: string;
  /** Why it was given up; `undefined` where it came to its own end, with a whole output. */
  readonly fault: ProgramFault | undefined;
}

/**
 * It took too long; it wrote too much to a stream; or it has ended, and what it had started went on
 * holding its pipes, so that nobody knows whether its output is whole.
 */
export type ProgramFault = 'late' | 'stdout' | 'stderr' | 'held';

/**
 * Runs a program to its end, or ends it: when it takes too long, writes too much, or at the signal.
 * A program that reads nothing is ended with all that it has started.
 * @throws the error of the system where it cannot be started; the reason of the signal.
 */
export async function runProgram(call: ProgramCall): Promise<ProgramEnd> {
  const { program, args, env, input, signal } = call;
  signal?.throwIfAborted();
  const own = { terminal: 'inherit', nothing: 'ignore' } as const;
  const child = spawn(program, args, {
    env,
    // In a group of its own it can be ended with its children. One that may ask the user something
    // has to stay in ours: a terminal lets no other group read.
    detached: input === 'nothing',
    stdio: [
      typeof input === 'string' ? own[input] : 'pipe',
      'pipe',
      ({ caller: 'pipe', terminal: 'inherit', nobody: 'ignore' } as const)[call.stderr],
    ],
  });
  const stop = (): void => {
    if (input === 'nothing') endGroup(child.pid);
    child.kill('SIGKILL');
    // Whoever else holds its pipes open is not waited for.
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
  };
  let fault: ProgramFault | undefined;
  const giveUp = (why: ProgramFault): void => {
    fault ??= why;
    stop();
  };
  // Not spawn's own timeout: that goes on, and keeps this process, where nothing was started.
  let timer = setTimeout(() => {
    giveUp('late');
  }, call.patienceMs);
  child.on('exit', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      giveUp('held');
    }, call.graceMs ?? GRACE_MS);
  });
  signal?.addEventListener('abort', stop);
  if (running.size === 0) process.on('exit', stopAll);
  running.add(stop);
  const counted = (stream: 'stdout' | 'stderr'): ((chunk: Buffer) => void) => {
    let size = 0;
    return ({ length }) => {
      size += length;
      if (size > call.limit) giveUp(stream);
    };
  };
  const chunks: Buffer[] = [];
  child.stdout!.on('data', counted('stdout')).on('data', (chunk: Buffer) => {
    chunks.push(chunk);
  });
  let said = Buffer.alloc(0);
  child.stderr?.on('data', counted('stderr')).on('data', (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]).subarray(-MAX_SAID);
  });
  if (typeof input !== 'string') {
    child.stdin!.on('error', () => undefined); // it ended without reading: its status tells
    child.stdin!.end(input.text);
  }
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    signal?.throwIfAborted();
    const output = Buffer.concat(chunks).toString('utf8');
    return { status, output, said: said.toString('utf8').trim(), fault };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    running.delete(stop);
    if (running.size === 0) process.off('exit', stopAll);
  }
}

/** @param leader the first process of the group; `undefined` where none was started. */
function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
