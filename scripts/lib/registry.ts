import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const REGISTRY_PROGRAM = 'docker-registry';

/** None outlives this process, however that ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface ServedRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/**
 * Runs the real registry with a configuration of which port 0 of loopback is a part, until it is
 * stopped.
 * @param folder where its configuration file goes.
 */
export async function serveRegistry(
  folder: string,
  configuration: object,
): Promise<ServedRegistry> {
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify(configuration)); // YAML takes JSON
  const child = spawn(REGISTRY_PROGRAM, ['serve', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  const stop = (): Promise<void> => ended(child);
  try {
    return { host: await listening(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The program picks the port and tells it in its log. */
async function listening(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => {
      reject(new Error(`${REGISTRY_PROGRAM} ended:\n${said.join('\n')}`));
    });
    for (const output of [child.stdout!, child.stderr!]) {
      createInterface(output).on('line', (line) => {
        if (said.length < 100) said.push(line);
        const address = /listening on (127\.0\.0\.1:[0-9]+)/.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      });
    }
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((resolve) => {
    child.on('exit', () => {
      resolve();
    });
    child.kill('SIGKILL');
  });
}
