import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { temporaryFolder, User } from '../support/user.ts';

/** As esbuild writes them; lists of names may take several lines. */
const STATIC = /^(?:(?:import|export)\b[^'"();]*|\} from )"([\w@./:-]+)";$/gm;
const DYNAMIC = /\b(?:require|import)\("([\w@./:-]+)"\)/g;

const folder = projectPath('dist');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.js'),
);

function imported(file: string, pattern: RegExp): readonly string[] {
  return [...readFileSync(join(folder, file), 'utf8').matchAll(pattern)].map(([, name]) => name!);
}

/** The command line itself, which `bin.js` loads first of all. */
function commandLine(): string {
  return join(imported('bin.js', DYNAMIC)[0]!);
}

/** What Node reads before a command line is looked at. */
function readAtStart(): ReadonlySet<string> {
  const found = new Set(['bin.js', ...imported('bin.js', DYNAMIC).map((name) => join(name))]);
  for (const file of found)
    for (const name of imported(file, STATIC))
      if (name.startsWith('.')) found.add(join(dirname(file), name));
  return found;
}

describe('the built program', () => {
  it('imports nothing but its own parts, modules of Node, and what is installed beside it', () => {
    const { dependencies } = JSON.parse(readFileSync(projectPath('package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const unknown = files.flatMap((file) =>
      [...imported(file, STATIC), ...imported(file, DYNAMIC)].filter(
        (name) =>
          !isBuiltin(name) &&
          !name.startsWith('node:') &&
          dependencies[name] === undefined &&
          !files.includes(join(dirname(file), name)),
      ),
    );
    expect(unknown).toEqual([]);
    expect(files.some((file) => imported(file, STATIC).includes('zstd-napi'))).toBe(true);
    expect(imported(commandLine(), DYNAMIC).join()).toContain('/pack-');
  });

  it('looks at the environment before it loads anything that could heed it', () => {
    expect(imported('bin.js', STATIC)).toEqual(['node:os', 'node:path', 'node:v8']);
  });

  it('reads what help needs when it starts, and no command', () => {
    const atStart = [...readAtStart()];
    const text = atStart.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    expect(text).toContain('// node_modules/yargs/');
    const late = ['zstd-napi', 'openpgp', 'undici', 'yaml', 'tar-stream', 'ora'].filter(
      (name) => text.includes(`// node_modules/${name}/`) || text.includes(`from "${name}"`),
    );
    expect(late).toEqual([]);
    expect(text).not.toContain('// src/workflows/');
    expect(text).not.toContain('Intl.Segmenter');
    expect(text).not.toContain('// src/cli/commands/');
    expect(text.length).toBeLessThan(340_000);
  });

  it('has the licences of the packages that became a part of it', () => {
    const inside = files.flatMap((file) =>
      [
        ...readFileSync(join(folder, file), 'utf8').matchAll(
          /^ *\/\/ node_modules\/(?:.*node_modules\/)?((?:@[^/]+\/)?[^/]+)\//gm,
        ),
      ].map(([, name]) => name!),
    );
    const licences = readFileSync(join(folder, 'LICENSES.txt'), 'utf8');
    const named = new Set([...licences.matchAll(/^(\S+) [0-9]\S*$/gm)].map(([, name]) => name));
    expect(inside).toContain('undici');
    expect([...new Set(inside)].filter((name) => !named.has(name))).toEqual([]);
  });

  it('has help in characters of one column each', () => {
    const help = readFileSync(projectPath('docs/commands.md'), 'utf8');
    expect(help.match(/[^\n\x20-\x7e…]/gu)).toBeNull();
  });

  it('goes through a proxy, of which it has its own part of undici', async () => {
    const temporary = await temporaryFolder('built-proxy');
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', ({ url = '' }: IncomingMessage, client: Duplex) => {
      asked.push(url);
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    const host = await listenOnLoopback(proxy);
    try {
      const user = await User.new(temporary.path);
      const { status, stdout } = await user.bundle(
        ['check-registry', 'registry.example.com/ocp4', '--output', 'json'],
        { env: { HTTPS_PROXY: `http://${host}` } },
      );
      expect({ status, stdout }).toEqual({
        status: 25,
        stdout: expect.stringContaining(
          `the proxy ${host} refused the connection to registry.example.com: it answered 407`,
        ) as string,
      });
      expect(new Set(asked)).toEqual(new Set(['registry.example.com:443']));
    } finally {
      proxy.close();
      await temporary.remove();
    }
  });
});
