import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { registryDestination } from '../../scripts/lib/registry-destination.ts';
import { type Odd, type OddRegistry, startOddRegistry } from '../support/odd-registry.ts';
import { type Expectation, PECULIARITIES, type Row } from '../support/peculiarities.ts';
import { type Ran, temporaryFolder, User } from '../support/user.ts';

const VERSION = '4.17.3';
const COMMANDS = ['pack', 'unpack', 'mirror', 'check-registry', 'login', 'verify --at'] as const;
type CommandName = (typeof COMMANDS)[number];

/**
 * How registries, and what stands before them, are known to behave, and what each command makes of
 * that. A command that a row does not name has to succeed.
 */
describe('the peculiarities of registries', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let source: OddRegistry;
  let made: MadeRelease;
  let fetching: readonly string[];
  let medium: string;
  let count = 0;

  beforeAll(async () => {
    temporary = await temporaryFolder('peculiarities');
    user = await User.new(join(temporary.path, 'user'));
    source = await startOddRegistry();
    const { destination, close } = registryDestination(source.host);
    made = await makeRelease({
      out: join(temporary.path, 'release'),
      destination,
      components: 1,
      scale: 0.0002,
    });
    await close();
    medium = join(temporary.path, 'medium');
    fetching = [
      ...['--mirror', `quay.io=${source.host}`, '--signature-store', made.signatureStore],
      ...['--release-key', made.releaseKey],
    ];
    const packed = await user.bundle(['pack', VERSION, '-o', medium, ...fetching]);
    expect(packed).toMatchObject({ status: 0 });
  });
  afterAll(async () => {
    await source.stop();
    await temporary.remove();
  });

  /** Runs one command against a registry that is odd, and gives that registry back. */
  async function run(
    command: CommandName,
    row: Row,
  ): Promise<{ ran: Ran; registry: OddRegistry; authfile: string }> {
    count += 1;
    const { credentials, options = [] } = row;
    const registry = command === 'pack' ? source : await startOddRegistry();
    const authfile = join(temporary.path, `auth-${count}.json`);
    const auth = Buffer.from('packer:correct horse').toString('base64');
    const auths = credentials === true ? { [registry.host]: { auth } } : {};
    await writeFile(authfile, JSON.stringify({ auths }), { mode: 0o600 });
    const to = `${registry.host}/ocp4`;
    const own = ['--authfile', authfile, '--progress', 'plain'];
    const lines: Record<CommandName, readonly string[]> = {
      pack: ['pack', VERSION, '-o', join(temporary.path, `pack-${count}`), ...fetching],
      unpack: ['unpack', medium, '--to', to, '--release-key', made.releaseKey, ...options],
      mirror: ['mirror', VERSION, '--to', to, ...fetching, ...options],
      'check-registry': ['check-registry', to],
      login: ['login', registry.host, '--username', 'packer', '--password-stdin'],
      'verify --at': ['verify', medium, '--at', to, '--release-key', made.releaseKey],
    };
    if (command === 'verify --at')
      expect(await user.bundle([...lines.unpack, ...own])).toMatchObject({ status: 0 });
    const begin = (): Odd => row.odd(registry.url);
    registry.be(begin());
    const input = command === 'login' ? { input: 'correct horse' } : {};
    try {
      const ran = await user.bundle([...lines[command], ...own], input);
      return { ran, registry, authfile };
    } finally {
      if (command === 'pack') source.be(() => undefined);
    }
  }

  describe.each(PECULIARITIES.map((row) => [row.name, row] as const))('%s', (_, row) => {
    it.each(COMMANDS.filter((command) => row.skips?.includes(command) !== true))(
      'and %s',
      async (command) => {
        const { status = 0, says, not, then }: Expectation = row.at[command] ?? {};
        const { ran, registry, authfile } = await run(command, row);
        const text = `${ran.stdout}\n${ran.stderr}`.replace(/\s+/g, ' ');
        try {
          expect(ran.status, text).toBe(status);
          expect(text).not.toMatch(/a bug/);
          for (const each of [says ?? []].flat()) expect(text).toMatch(each);
          if (not !== undefined) expect(text).not.toMatch(not);
          then?.(registry);
          const kept = await readFile(authfile, 'utf8');
          const isKept = kept.includes(registry.host);
          if (command === 'login' && row.credentials !== true)
            expect(isKept, text).toBe(status === 0);
        } finally {
          if (command !== 'pack') await registry.stop();
        }
      },
    );
  });
});
