import { randomUUID } from 'node:crypto';
import { open, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { kill, pid as ownPid } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { utf8 } from '../core/bytes.ts';
import { anySignal } from '../core/concurrency.ts';
import { BundleError, hasCode, systemCode } from '../core/errors.ts';
import { diskError, writeError } from './disk-error.ts';
import { createFile, isFileThere } from './own-file.ts';
import { readSmallFile } from './small-file.ts';

const HEARTBEAT_MS = 10_000;
/** A lock that has not been touched for so long was left behind, wherever its owner ran. */
const SILENCE_MS = 60_000;
/** Another process may be clearing the same stale lock away. */
const ATTEMPTS = 5;
const MAX_LOCK_BYTES = 4096;
/** Stands for the text of what is too large for a lock. */
const TOO_LARGE = 'too large';
/** The beginning of every lock: see {@link format}. */
const LOCK_START = '{"host":"';
/** To look at a lock once more and remove it takes less. */
const TURN_MS = 50;
/** How often a lock that is waited for is looked at. */
const LOOK_MS = 20;

/** Who holds a lock; enough to find out whether they are still there. */
interface Owner {
  readonly host: string;
  /** Changes with each boot: a process id from before says nothing. */
  readonly boot: string;
  /** The kernel's name for the set of processes that see each other; a container has its own. */
  readonly namespace: string;
  readonly pid: number;
  /** When the process began, in the kernel's own count: process ids are used again. */
  readonly started: string;
}

/**
 * Runs `work` while holding `<path>.lock`, so that two runs never write one file. A lock whose
 * owner is gone, or has been silent for a minute by the file server's clock, is taken over; whoever
 * it is taken from after a long sleep has to stop.
 * @param work is given a signal that ends when `signal` does, or the lock is lost.
 * @param waitMs how long to wait while somebody else holds it; not at all unless told.
 * @throws BundleError DISK naming the owner when somebody else holds it; USAGE for a file of that
 * name that is no lock.
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  waitMs = 0,
): Promise<T> {
  const lockPath = `${path}.lock`;
  const self: Owner = {
    host: hostname(),
    boot: await bootId(),
    namespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    pid: ownPid,
    started: await startOf(ownPid),
  };
  const lost = new AbortController();
  await acquire(lockPath, self, waitMs, signal);
  const heartbeat = setInterval(() => {
    void beat(lockPath, self, lost);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work(anySignal(signal, lost.signal));
  } finally {
    clearInterval(heartbeat);
    // A stale lock is taken over by the next run.
    if (!lost.signal.aborted) await rm(lockPath, { force: true }).catch(() => undefined);
  }
}

/**
 * Shows that the owner is there. A lock that cannot be read is left to the work: it will notice
 * that the folder is gone.
 */
async function beat(lockPath: string, self: Owner, lost: AbortController): Promise<void> {
  const text = await textOf(lockPath);
  // Written, not touched: then the file server's clock says when.
  if (text === format(self)) await writeFile(lockPath, text, { flag: 'r+' }).catch(() => undefined);
  else if (text !== '')
    lost.abort(isLock(text) ? held(lockPath, parseOwner(text), HELD) : foreign(lockPath));
}

async function acquire(
  lockPath: string,
  self: Owner,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (let attempt = 1; ; attempt += 1) {
    if (await created(lockPath, self)) return;
    const isWaiting = performance.now() < deadline;
    await isFileThere(lockPath); // else it is gone again, and the text is empty
    const found = await textOf(lockPath);
    if (!isLock(found)) throw foreign(lockPath);
    const owner = parseOwner(found);
    const state = await stateOf(lockPath, owner, self);
    const isGivenUp = attempt >= ATTEMPTS && !isWaiting;
    if (state.is === 'stale' && !isGivenUp) await clearAway(lockPath, found, self);
    else if (isWaiting) await sleep(LOOK_MS, undefined, { signal });
    else if (state.is === 'held' || isGivenUp) throw held(lockPath, owner, state);
  }
}

/** Makes the lock file. @returns `false` where something has its name already. */
async function created(lockPath: string, self: Owner): Promise<boolean> {
  try {
    const file = await open(lockPath, 'wx', 0o644);
    try {
      await file.writeFile(format(self));
    } catch (error) {
      await rm(lockPath, { force: true }); // on a full disk it would be there, and nobody's
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw writeError('write', lockPath, error);
  }
}

/**
 * Removes a stale lock, unless it has changed hands since it was looked at. One at a time may do
 * so: else the lock that was made in its place could be taken for the stale one.
 */
async function clearAway(lockPath: string, stale: string, self: Owner): Promise<void> {
  const turnPath = `${lockPath}.turn`;
  try {
    await (await open(turnPath, 'wx')).close();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw writeError('write', turnPath, error);
    await sleep(TURN_MS);
    const begun = await stat(turnPath).catch(() => undefined); // over, most likely
    if (begun !== undefined && Date.now() - begun.mtimeMs > SILENCE_MS)
      await rm(turnPath, { force: true });
    return;
  }
  try {
    if ((await textOf(lockPath)) !== stale) return;
    // Without a text it may be a new one, which is just being written.
    if (stale === '' && (await stateOf(lockPath, {}, self)).is !== 'stale') return;
    await rm(lockPath, { force: true });
  } finally {
    await rm(turnPath, { force: true });
  }
}

/**
 * The contents of a lock file; empty if it cannot be read, since it may be on somebody else's
 * medium.
 */
async function textOf(lockPath: string): Promise<string> {
  return readSmallFile(lockPath, MAX_LOCK_BYTES).then(utf8, (error: unknown) =>
    hasCode(error, 'CONFIGURATION') ? TOO_LARGE : '',
  );
}

/** A lock is empty while it is being made, and may be cut off, or zeros, when the power went. */
function isLock(text: string): boolean {
  return /^\0*$/.test(text) || text.startsWith(LOCK_START.slice(0, text.length));
}

function parseOwner(text: string): Partial<Owner> {
  try {
    return JSON.parse(text) as Partial<Owner>;
  } catch {
    return {}; // just being written, or torn by a power cut: then only its age tells
  }
}

/** What is known of the owner of a lock. */
interface LockState {
  readonly is: 'held' | 'stale' | 'gone';
  /**
   * How long nothing was heard of an owner who cannot be looked at from here, by the clock of the
   * file server; `undefined` where the process is here.
   */
  readonly silentMs?: number | undefined;
}

const HELD: LockState = { is: 'held' };

/**
 * A process is looked for only where it would be seen. Two hosts may have one name, above all
 * `localhost`, and so may a host and its containers: then only silence tells.
 */
async function stateOf(lockPath: string, owner: Partial<Owner>, self: Owner): Promise<LockState> {
  const { host, boot, namespace, pid, started } = owner;
  const isSeen = host === self.host && boot === self.boot && namespace === self.namespace;
  if (isSeen && pid !== undefined) {
    const isGone = !isAlive(pid) || (await startOf(pid)) !== started;
    return isGone ? { is: 'stale' } : HELD;
  }
  const probePath = `${lockPath}.${randomUUID()}`; // others look at the same time
  try {
    await (await createFile(probePath)).close();
    const [lock, probe] = await Promise.all([stat(lockPath), stat(probePath)]);
    const silentMs = Math.max(0, probe.mtimeMs - lock.mtimeMs);
    return { is: silentMs > SILENCE_MS ? 'stale' : 'held', silentMs };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { is: 'gone' };
    throw error instanceof BundleError ? error : diskError('look at', lockPath, error);
  } finally {
    await rm(probePath, { force: true });
  }
}

function format(owner: Owner): string {
  return `${JSON.stringify(owner)}\n`;
}

function isAlive(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM'; // it is somebody else's, and there
  }
}

/** The kernel's start time of a process; empty where there is no /proc to tell. */
async function startOf(pid: number): Promise<string> {
  try {
    const fields = (await readFile(`/proc/${pid}/stat`, 'latin1'))
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[19] ?? '';
  } catch {
    return '';
  }
}

async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
  } catch {
    return '';
  }
}

function held(
  lockPath: string,
  { pid, host }: Partial<Owner>,
  { silentMs }: LockState,
): BundleError {
  const who = pid === undefined ? 'another run' : `process ${pid} on ${host ?? 'another host'}`;
  if (silentMs === undefined) {
    return new BundleError('DISK', `${who} is writing there, and holds the lock ${lockPath}`, {
      hint: 'Wait until that process ends, or choose another folder.',
    });
  }
  const silent = `${Math.round(silentMs / 1000)} s ago`;
  return new BundleError('DISK', `the lock ${lockPath} belongs to ${who}`, {
    expected: `no sign of life for ${SILENCE_MS / 1000} s`,
    got: `the last one ${silent}`,
    hint:
      'That process cannot be seen from here. If it is running, wait until it ends. If it is not ' +
      '(power loss, a container that was replaced), run the same command again in a minute: the ' +
      'lock is taken over by itself. To go on at once, delete the lock file.',
  });
}

function foreign(lockPath: string): BundleError {
  return new BundleError('USAGE', `${lockPath} exists already, and is no lock of this program`, {
    hint: 'It says nothing about a run: move it away, or choose another folder.',
  });
}
