import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';

const PROGRAM = 'nginx';
const ATTEMPTS = 5;

export interface Nginx {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** Who is let in below a path: one user each. */
export type Guards = Readonly<
  Record<string, { readonly username: string; readonly password: string }>
>;

/**
 * A reverse proxy in front of a registry, as many a registry has one: it takes a request whole
 * before it hands it on.
 * @param limit `client_max_body_size`, as in `1m`.
 */
export async function startNginx(
  upstream: string,
  limit: string,
  guards: Guards = {},
): Promise<Nginx> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryToStart(upstream, limit, guards, await freeHost());
    } catch (error) {
      // Somebody else took the port in the meantime.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function tryToStart(
  upstream: string,
  limit: string,
  guards: Guards,
  host: string,
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-nginx-'));
  const config = join(folder, 'nginx.conf');
  for (const [index, { username, password }] of Object.values(guards).entries()) {
    await writeFile(join(folder, `users-${index}`), `${username}:{PLAIN}${password}\n`);
  }
  await writeFile(
    config,
    configuration(folder, upstream, { limit, guarded: Object.keys(guards), host }),
  );
  const child = spawn(PROGRAM, ['-p', folder, '-c', config, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => {
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const said: string[] = [];
  const started = new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      said.push(line);
      if (line.includes('start worker process ')) resolve();
    });
    child.on('error', reject);
    child.on('exit', () => {
      reject(new Error(`${PROGRAM} ended:\n${said.join('\n')}`));
    });
  });
  try {
    await started;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { host, stop };
}

function configuration(
  folder: string,
  upstream: string,
  { limit, guarded, host }: { limit: string; guarded: readonly string[]; host: string },
): string {
  const pass = `proxy_pass ${upstream}; proxy_set_header Host $http_host;`;
  const guards = guarded.map(
    (path, index) =>
      `location ${path} { auth_basic "${path}"; auth_basic_user_file ${join(folder, `users-${index}`)}; ${pass} }`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  return `
daemon off;
master_process on;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${join(folder, 'nginx.pid')};
error_log stderr notice;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  server {
    listen ${host};
    client_max_body_size ${limit};
    ${guards.join('\n    ')}
    location / { ${pass} }
  }
}
`;
}

async function freeHost(): Promise<string> {
  const server = createServer();
  const host = await listenOnLoopback(server);
  await new Promise((resolve) => server.close(resolve));
  return host;
}
