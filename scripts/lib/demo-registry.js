import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

export const REGISTRY_PROGRAM = 'docker-registry';

/**
 * Starts an empty registry on a free port of loopback. It ends with this process, however that
 * ends.
 * @param {string} folder for its storage, its configuration and its log
 * @returns {Promise<string>} `127.0.0.1:PORT`
 */
export async function startRegistry(folder) {
  mkdirSync(folder, { recursive: true });
  const configuration = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
    http: { addr: '127.0.0.1:0', secret: 'for the demo' },
  };
  const file = join(folder, 'config.yml');
  writeFileSync(file, JSON.stringify(configuration));
  const child = spawn(REGISTRY_PROGRAM, ['serve', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  process.on('exit', () => child.kill('SIGKILL'));
  return await new Promise((resolve, reject) => {
    const said = [];
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`${REGISTRY_PROGRAM} ended:\n${said.join('\n')}`)));
    for (const output of [child.stdout, child.stderr]) {
      createInterface(output).on('line', (line) => {
        if (said.length < 100) said.push(line);
        const [, address] = /listening on (127\.0\.0\.1:[0-9]+)/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      });
    }
  });
}
