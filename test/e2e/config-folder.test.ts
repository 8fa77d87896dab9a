import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { temporaryFolder, User } from '../support/user.ts';

describe('keys are kept', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    temporary = await temporaryFolder('config');
  });
  afterAll(() => temporary.remove());

  const keygen = async (name: string, env: Readonly<Record<string, string>>): Promise<{ path: string; user: User }> => {
    const user = await User.new(join(temporary.path, name));
    const { privatePath } = (await user.json(['keygen'], { env })) as { privatePath: string };
    return { path: privatePath, user };
  };

  it.each(['', 'config', './config'])('in the home folder where XDG_CONFIG_HOME is "%s", never in the working folder', async (value) => {
    const { path, user } = await keygen(`unset-${value.length}`, { XDG_CONFIG_HOME: value });
    expect(path).toBe(user.signingKey);
    expect(await readdir(user.folder)).toEqual(['home']);
  });

  it('where an absolute XDG_CONFIG_HOME says', async () => {
    const folder = join(temporary.path, 'xdg');
    expect((await keygen('absolute', { XDG_CONFIG_HOME: folder })).path).toBe(join(folder, 'bundle/signing-key.pem'));
  });

  it('nowhere, with status 26, where a home folder cannot be made', async () => {
    const user = await User.new(join(temporary.path, 'homeless'));
    expect((await user.bundle(['keygen'], { env: { HOME: '/proc/none' } })).status).toBe(26);
    expect((await user.bundle(['trust', 'add', user.publicKey], { env: { HOME: '/proc/none' } })).status).toBe(23);
  });
});
