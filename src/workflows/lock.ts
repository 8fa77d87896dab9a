import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { kill, pid as ownPid } from 'node:process';

import { BundleError, diskError, systemCode } from '../core/errors.ts';

const HEARTBEAT_MS = 10_000;
/** A lock that has not been touched for so long was left behind, wherever its owner ran. */
const SILENCE_MS = 60_000;
/** Another process may be clearing the same stale lock away. */
const ATTEMPTS = 5;

/** Who holds a lock; enough to find out whether they are still there. */
interface Owner {
  readonly host: string;
  /** Changes with each boot: a process id from before says nothing. */
  readonly boot: string;
  readonly pid: number;
  /** When the process began, in the kernel's own count: process ids are used again. */
  readonly started: string;
}

/**
 * Runs `work` while holding `<path>.lock`, so that two runs never write one file. A lock whose owner is gone, or has been
 * silent for a minute by the file server's clock, is taken over.
 * @throws BundleError DISK naming the owner when somebody else holds it.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lockPath = `${path}.lock`;
  const self: Owner = { host: hostname(), boot: await bootId(), pid: ownPid, started: await startOf(ownPid) };
  await acquire(lockPath, self);
  const heartbeat = setInterval(() => {
    // Written, not touched: then the file server's clock says when.
    writeFile(lockPath, format(self), { flag: 'r+' }).catch(() => undefined); // the folder is gone: the work will notice
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(lockPath, { force: true }).catch(() => undefined); // a stale lock is taken over by the next run
  }
}

async function acquire(lockPath: string, self: Owner): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = await open(lockPath, 'wx', 0o644);
      try {
        await file.writeFile(format(self));
      } finally {
        await file.close();
      }
      return;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw diskError('write', lockPath, error);
    }
    const owner = await readOwner(lockPath);
    if (attempt >= ATTEMPTS || !(await isStale(lockPath, owner, self))) throw held(lockPath, owner);
    await rm(lockPath, { force: true });
  }
}

async function readOwner(lockPath: string): Promise<Partial<Owner>> {
  try {
    return JSON.parse(await readFile(lockPath, 'utf8')) as Partial<Owner>;
  } catch {
    return {}; // just being written, or torn by a power cut: then only its age tells
  }
}

async function isStale(lockPath: string, owner: Partial<Owner>, self: Owner): Promise<boolean> {
  if (owner.host === self.host && owner.pid !== undefined) {
    return owner.boot !== self.boot || !isAlive(owner.pid) || (await startOf(owner.pid)) !== owner.started;
  }
  const probePath = `${lockPath}.${self.pid}`;
  try {
    await (await open(probePath, 'w')).close();
    const [lock, probe] = await Promise.all([stat(lockPath), stat(probePath)]);
    return probe.mtimeMs - lock.mtimeMs > SILENCE_MS;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    throw diskError('look at', lockPath, error);
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
    const fields = (await readFile(`/proc/${pid}/stat`, 'latin1')).replace(/^.*\) /s, '').split(' ');
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

function held(lockPath: string, { pid, host }: Partial<Owner>): BundleError {
  const who = pid === undefined ? 'another run' : `process ${pid} on ${host ?? 'another host'}`;
  return new BundleError('DISK', `${who} is writing this bundle: ${lockPath} is held`, {
    hint: 'Wait for it to end, or choose another folder.',
  });
}
