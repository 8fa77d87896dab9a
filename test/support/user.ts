import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { type Ended, runBundle } from './bundle-process.ts';

/** What a run of the built program left behind. */
export type Ran = Omit<Ended, 'signal'>;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/**
 * Somebody with a home folder and a session of their own, and nothing else in their environment,
 * who runs the built program.
 */
export class User {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param folder where their home goes. */
  static async new(folder: string): Promise<User> {
    await mkdir(join(folder, 'home'), { recursive: true });
    return new User(folder);
  }

  get home(): string {
    return join(this.folder, 'home');
  }

  /** The private half of their own signing key; there once they have packed. */
  get signingKey(): string {
    return join(this.home, '.config/bundle/signing-key.pem');
  }

  get publicKey(): string {
    return join(this.home, '.config/bundle/signing-key.pub');
  }

  /** Whatever the status: a test compares it. */
  async bundle(args: readonly string[], { env, cwd, input }: RunOptions = {}): Promise<Ran> {
    const { status, stdout, stderr } = await runBundle(args, {
      folder: this.folder,
      cwd,
      env: { XDG_RUNTIME_DIR: join(this.folder, 'run'), ...env },
      input: input === undefined ? undefined : Readable.from([input]),
    });
    return { status, stdout, stderr };
  }

  /**
   * The result of a run that has to succeed, as JSON. @throws Error with what it said on stderr.
   */
  async json(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
    const ran = await this.bundle([...args, '--output', 'json'], options);
    if (ran.status !== 0) throw new Error(`status ${String(ran.status)}: ${ran.stderr}`);
    return JSON.parse(ran.stdout);
  }

  async readHome(path: string): Promise<string> {
    return readFile(join(this.home, path), 'utf8');
  }
}

/** A temporary folder for `work`, gone afterwards. */
export async function temporaryFolder(
  name: string,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `bundle-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
