import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { describeWith } from '../support/needs.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';
import type { Ran } from '../support/user.ts';

const VERSION = '4.17.3';

describeWith(['docker-registry'], 'a host in FIPS mode, which has no Ed25519', () => {
  let sides: TwoSides;
  let key: string;
  const at = (...parts: readonly string[]): string => join(sides.folder, ...parts);
  beforeAll(async () => {
    sides = await twoSides('no-ed25519', { version: VERSION, components: 2, scale: 0.0001 });
    const { packer, operator, fetching } = sides;
    key = at('release-team.pem');
    await packer.json(['keygen', '--out', key, '--type', 'ed25519']);
    await packer.json(['pack', VERSION, ...fetching, '--key', key, '-o', at('medium')]);
    await packer.json(['pack', VERSION, ...fetching, '-o', at('ecdsa')]);
    await operator.json(['trust', 'add', at('release-team.pub')]);
    await operator.json(['trust', 'add', packer.publicKey]);
  });
  afterAll(() => sides.remove());

  const run = async (how: string, ...args: readonly string[]): Promise<Ran> =>
    sides.operator.bundle(args, {
      env: {
        NODE_OPTIONS: `--require=${projectPath('test/support/no-ed25519.cjs')}`,
        NO_ED25519: how,
      },
    });
  const expectUnavailable = ({ status, stdout, stderr }: Ran): void => {
    expect(stderr).toContain('Ed25519 is not available on this host');
    expect(stderr + stdout).not.toMatch(/SIGNATURE_INVALID|do not use this bundle/i);
    expect(status).toBe(2);
  };

  it.each(['keys', 'use', 'bad'])(
    'says so of a bundle, never that its signature is bad (%s)',
    async (how) => {
      const opening = [at('medium'), ...sides.trust];
      const target = `oci:${at('layout')}`;
      expectUnavailable(await run(how, 'verify', ...opening));
      expectUnavailable(await run(how, 'unpack', ...opening, '--to', target, '--dry-run'));
    },
  );

  it.each(['keys', 'use', 'bad'])('makes and uses no such key (%s)', async (how) => {
    expectUnavailable(await run(how, 'keygen', '--out', at('new.pem'), '--type', 'ed25519'));
    const packing = ['pack', VERSION, ...sides.fetching, '--key', key, '-o', at('new')];
    expectUnavailable(await run(how, ...packing));
  });

  it.each(['keys', 'use', 'bad'])('does all else beside a trusted key (%s)', async (how) => {
    const listed = await run(how, 'trust', 'list');
    expect(listed).toMatchObject({ status: 0 });
    expect(listed.stdout).toContain('Ed25519');
    expect(await run(how, 'verify', at('ecdsa'), ...sides.trust)).toMatchObject({ status: 0 });
  });

  it('is no host that can: there the same bundle is good', async () => {
    const ran = await sides.operator.bundle(['verify', at('medium'), ...sides.trust]);
    expect(ran).toMatchObject({ status: 0 });
  });
});
