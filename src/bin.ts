#!/usr/bin/env node
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import { setFlagsFromString } from 'node:v8';

// Each chunk from a socket is a small object with 64 KiB behind it. A young generation that grows
// collects so rarely that tens of MiB of them pile up: 237 MiB at the peak of a pack, 190 MiB with
// this.
setFlagsFromString('--semi-space-growth-factor=1');
// The same chunks count as pressure, at which V8 goes over the whole heap in small steps, some
// sixty times a GB, to find that little of it is free: a quarter of all computing of a pack. Whole
// and seldom costs less, and what is young goes as before.
setFlagsFromString('--no-incremental-marking');
// Without the small steps V8 would let the heap grow to several times of what is in use.
setFlagsFromString('--heap-growing-percent=40');

/** How Node ends when the top-level await never returns. */
const UNSETTLED = 13;

/**
 * How long a run may take to wind up after a first signal. What is on disk can be continued from
 * any moment.
 */
const WIND_UP_MS = 4000;
/**
 * The names of the calls that Node runs in its threads: `open` or `read` of a file, a look-up of a
 * name.
 */
const ON_A_THREAD = /^(?:FSReq|CloseReq|GetAddrInfoReq|GetNameInfoReq)/;

// A home that hung on the working folder would take trust and keys from a medium. What is started
// gets none either.
if (!isAbsolute(process.env['HOME'] ?? '')) delete process.env['HOME'];
const environment = { env: { ...process.env }, home: homeFolder(), uid: process.getuid?.() ?? 0 };
settleColors(process.env);
const folderFault = leaveLostFolder();
// Packages look at the working folder while they are loaded, and parts of Node at colours.
const { endAtOnce, interruption, main } = await import('./cli/main.ts');
const { closeLostTerminals, neverWaitFor } = await import('./cli/present/progress/terminal.ts');

const controller = new AbortController();
let isReported = false;
/** How often somebody has asked the run to end. */
let asked = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const reason = interruption(signal);
    const end = (): void => {
      endNow(
        signal,
        isReported ? reason.exitStatus : endAtOnce(reason, { stderr: process.stderr, environment }),
      );
    };
    // A terminal that closes says so twice, as kernel and as shell, and systemd sends SIGHUP along
    // with SIGTERM: it says nothing about somebody who waits.
    if (signal !== 'SIGHUP' && (asked += 1) > 1) end();
    if (controller.signal.aborted) return;
    controller.abort(reason);
    setTimeout(end, WIND_UP_MS).unref();
  });
}

/**
 * Ends the process. `exit` waits for the threads of Node, and one may be inside a call that never
 * returns, as a read from a file server that has gone: then the signal itself has to end the
 * process, of which a shell makes the same status.
 */
function endNow(signal: NodeJS.Signals, status: number): void {
  if (process.getActiveResourcesInfo().some((resource) => ON_A_THREAD.test(resource))) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
  process.exit(status); // also where the process is the first of a container: no signal ends that
}

// The code that writes the result notices a closed stdout. A closed stderr, as of a closed
// terminal, cannot be reported to anybody.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
neverWaitFor(process.stdout);
neverWaitFor(process.stderr);

// A promise that nobody settles would end the program in silence; it is a bug of ours, and has to
// look like one.
process.on('exit', () => {
  if (process.exitCode !== UNSETTLED) return;
  process.stderr.write(
    'bundle: this is a bug in bundle, please report it: ' +
      'the program stopped before its work was done\n',
  );
  process.exitCode = 1;
});
// After all other last words.
process.on('exit', closeLostTerminals);

/**
 * Leaves one wish for colours of several: Node prints a warning for two that differ. An empty
 * NO_COLOR counts as unset.
 */
function settleColors(env: NodeJS.ProcessEnv): void {
  if (env['NO_COLOR']) delete env['FORCE_COLOR'];
  if (env['FORCE_COLOR'] === undefined) return;
  delete env['NO_COLOR'];
  delete env['NODE_DISABLE_COLORS'];
}

/**
 * Goes elsewhere if the working folder does not exist any more, since Node would end in the middle
 * of anything that asks for it.
 * @returns what the system said.
 */
function leaveLostFolder(): unknown {
  try {
    process.cwd();
    return undefined;
  } catch (error) {
    process.chdir('/');
    return error;
  }
}

/**
 * A container may run under a user id that nobody has named, and without HOME: then there is no
 * home to look into.
 */
function homeFolder(): string {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : '/';
  } catch {
    return '/';
  }
}

process.exitCode = await main(process.argv.slice(2), {
  environment,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  folderFault,
  signal: controller.signal,
});
isReported = true;
