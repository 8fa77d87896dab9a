import { spawn } from 'node:child_process';

/** The end of what a program says on stderr. */
const MAX_SAID = 2000;

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
  readonly signal?: AbortSignal | undefined;
}

/** How a program ended. */
export interface ProgramEnd {
  /** `null` where a signal ended it. */
  readonly status: number | null;
  readonly output: string;
  /** The end of its stderr, where the caller gets that. */
  readonly said: string;
  /** Why it was ended from here; `undefined` where it came to its own end. */
  readonly fault: 'late' | 'stdout' | 'stderr' | undefined;
}

/**
 * Runs a program to its end, or ends it: when it takes too long, writes too much, or at the signal.
 * Programs that it has started in its turn are not waited for.
 * @throws the error of the system where it cannot be started; the reason of the signal.
 */
export async function runProgram(call: ProgramCall): Promise<ProgramEnd> {
  const { program, args, env, input, signal } = call;
  signal?.throwIfAborted();
  const own = { terminal: 'inherit', nothing: 'ignore' } as const;
  const child = spawn(program, args, {
    env,
    stdio: [
      typeof input === 'string' ? own[input] : 'pipe',
      'pipe',
      ({ caller: 'pipe', terminal: 'inherit', nobody: 'ignore' } as const)[call.stderr],
    ],
  });
  // Programs that it has started may hold its pipes open.
  const stop = (): void => {
    child.kill('SIGKILL');
    child.stdout!.destroy();
    child.stderr?.destroy();
  };
  let fault: ProgramEnd['fault'];
  const giveUp = (why: ProgramEnd['fault']): void => {
    fault ??= why;
    stop();
  };
  // Not spawn's own timeout: that goes on, and keeps this process, where nothing was started.
  const timer = setTimeout(() => {
    giveUp('late');
  }, call.patienceMs);
  signal?.addEventListener('abort', stop);
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
  }
}
