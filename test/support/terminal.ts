import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';

import { execa } from 'execa';

import { projectPath } from '../../scripts/lib/project-root.ts';

/** How a run on a terminal ended. */
export interface EndedOnTerminal {
  /** Negative where a signal ended it. */
  readonly status: number;
  /** Bytes that it wrote to the terminal. */
  readonly bytes: number;
}

/** What Python does for it, since Node makes no terminals: KIND LIMIT PROGRAM ARGUMENT... */
const RUN = `
import errno, fcntl, json, os, pty, signal, struct, subprocess, sys, termios
stopped, limit, command = sys.argv[1] == "stopped", int(sys.argv[2]), sys.argv[3:]
master, slave = pty.openpty()
if sys.argv[1] == "narrow": fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 1, 0, 0))
if stopped: termios.tcflow(slave, termios.TCOOFF)
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=slave, stderr=slave)
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(1)))
if not stopped: os.close(slave)
def hears():
  for line in open("/proc/%d/status" % child.pid):
    if line.startswith("SigCgt:"): return int(line.split()[1], 16) >> (signal.SIGHUP - 1) & 1
count = 0
if stopped:
  while not hears() and child.poll() is None: os.sched_yield()
  child.send_signal(signal.SIGHUP)
else:
  child.stdin.close()
  while count <= limit:
    try: data = os.read(master, 65536)
    except OSError as error:
      if error.errno != errno.EIO: raise
      break
    count += len(data)
  if count > limit: child.kill()
print(json.dumps({"status": child.wait(), "bytes": count}))
`;

/** More than a short run has to say; a run that says more is killed. */
const MOST_BYTES = 1_000_000;

/**
 * Runs the built program on a terminal that nobody has given a size; a `narrow` one has one column.
 * One that is `stopped` takes nothing, as after Ctrl-S: the program is sent SIGHUP as soon as it hears signals.
 */
export async function runOnTerminal(
  args: readonly string[],
  kind: 'open' | 'narrow' | 'stopped',
  home: string,
): Promise<EndedOnTerminal> {
  const command = [process.execPath, projectPath('dist/bin.js'), ...args];
  const { stdout } = await execa('python3', ['-c', RUN, kind, String(MOST_BYTES), ...command], {
    env: { HOME: home, PATH: process.env['PATH'] ?? '', TERM: 'xterm' },
    extendEnv: false,
    timeout: 240_000,
  });
  return JSON.parse(stdout) as EndedOnTerminal;
}

/** What a run wrote to a terminal. */
export interface ShownOnTerminal {
  readonly status: number;
  readonly written: string;
}

export interface TerminalOptions {
  /** 0 for a terminal that nobody has given a size. */
  readonly columns: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What is typed as soon as the program has written `after`. */
  readonly answer?: { readonly after: string; readonly text: string };
}

/** COLUMNS AFTER TEXT PROGRAM ARGUMENT... */
const SHOW = `
import base64, errno, fcntl, json, os, pty, struct, subprocess, sys, termios
columns, after, text, command = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3], sys.argv[4:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 200 if columns else 0, columns, 0, 0))
stdin = slave if after else subprocess.DEVNULL
child = subprocess.Popen(command, stdin=stdin, stdout=slave, stderr=slave)
os.close(slave)
written = b""
while True:
  try: data = os.read(master, 65536)
  except OSError as error:
    if error.errno != errno.EIO: raise
    break
  if not data: break
  written += data
  if after and after in written: after = os.write(master, text.encode()) and b""
print(json.dumps({"status": child.wait(), "written": base64.b64encode(written).decode()}))
`;

/** Runs the built program on a terminal, and keeps everything that it writes there. */
export async function showOnTerminal(
  args: readonly string[],
  { columns, env, cwd, answer = { after: '', text: '' } }: TerminalOptions,
): Promise<ShownOnTerminal> {
  const command = [process.execPath, projectPath('dist/bin.js'), ...args];
  const typing = [answer.after, answer.text];
  const { stdout } = await execa('python3', ['-c', SHOW, String(columns), ...typing, ...command], {
    ...{ env, cwd, extendEnv: false },
  });
  const { status, written } = JSON.parse(stdout) as ShownOnTerminal;
  return { status, written: Buffer.from(written, 'base64').toString() };
}

/** A run on a terminal that somebody may close. */
export interface OnTerminal {
  /** Waits until the run has written `text` there. */
  readonly shown: (text: string) => Promise<void>;
  /** Closes it, as when ssh breaks off. */
  readonly close: () => Promise<void>;
  /** How the run ended: negative where a signal ended it. */
  readonly ended: Promise<number>;
}

/**
 * Whether the kernel tells the run that its terminal was closed, by SIGHUP: one that is `leading`
 * was started there by ssh, one that is `aside` runs in the background and was disowned.
 */
export type Position = 'leading' | 'aside';

/** POSITION PROGRAM ARGUMENT...; the terminal is closed when something comes from stdin. */
const CLOSE = `
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios
position, command = sys.argv[1], sys.argv[2:]
def say(**fact): print(json.dumps(fact), flush=True)
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
def lead():
  os.setsid()
  if position == "leading": fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=lead)
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(1)))
os.close(slave)
while True:
  ready = select.select([master, sys.stdin], [], [])[0]
  if sys.stdin in ready: break
  say(shown=os.read(master, 65536).decode(errors="replace"))
os.close(master)
say(closed=True)
say(status=child.wait())
`;

/** Starts the built program on a terminal. */
export function startOnTerminal(
  args: readonly string[],
  position: Position,
  { env, cwd }: Pick<TerminalOptions, 'env' | 'cwd'>,
): OnTerminal {
  const command = [process.execPath, projectPath('dist/bin.js'), ...args];
  const run = execa('python3', ['-c', CLOSE, position, ...command], {
    ...{ env, cwd, extendEnv: false },
  });
  const facts = new EventEmitter();
  let written = '';
  const ended = new Promise<number>((resolve, reject) => {
    facts.once('status', resolve);
    run.catch(reject);
  });
  createInterface(run.stdout).on('line', (line) => {
    for (const [name, fact] of Object.entries(JSON.parse(line) as object)) {
      if (name === 'shown') written += fact as string;
      facts.emit(name, fact);
    }
  });
  return {
    ended,
    shown: async (text) => {
      while (!written.includes(text)) await once(facts, 'shown');
    },
    close: async () => {
      const closed = once(facts, 'closed');
      run.stdin.write('now');
      await closed;
    },
  };
}
