import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeWith } from '../support/needs.ts';
import { startRegistry } from '../support/registry.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';

/** A refusal says what is there, what is asked for, and what to do. */
describeWith(['docker-registry'], 'a command that is refused', () => {
  let sides: TwoSides;
  beforeAll(async () => {
    const options = { version: '4.17.3', components: 3, scale: 0.001, cosign: true };
    sides = await twoSides('ways-out', options);
  });
  afterAll(() => sides.remove());

  /** What it says, in one line. */
  const refused = async (expected: number, ...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await sides.packer.bundle(args);
    expect([status, stdout]).toEqual([expected, '']);
    return stderr.replace(/\s+/g, ' ');
  };

  it('as pack over a bundle with other content says what both have', async () => {
    const packing = ['pack', '4.17.3', '-o', sides.medium, ...sides.fetching];
    const { status, stdout } = await sides.packer.bundle(packing);
    expect([status, stdout]).toEqual([0, expect.stringContaining('Packed')]);
    const unsigned = await refused(2, ...packing, '--no-signatures');
    expect(unsigned).toMatch(
      /exists already, and is a finished bundle with other content: it has [0-9]+ images, of which [0-9]+ are signatures/,
    );
    expect(unsigned).toContain('what is asked for now has 4 images');
    expect(unsigned).toContain(
      'To keep this bundle, run the same command without --no-signatures.',
    );
    const cut = await refused(2, ...packing, '--volume-size', '1M');
    expect(cut).toMatch(/is a bundle in one file, and --volume-size now asks for [0-9]+ volumes/);
    expect(cut).toContain('leave out --volume-size');
  });

  it('as pack in volumes that are too small says how large they have to be', async () => {
    const packing = ['pack', '4.17.3', '-o', join(sides.folder, 'small'), ...sides.fetching];
    const said = await refused(2, ...packing, '--volume-size', '10');
    expect(said).not.toContain('made the folder');
    const [, least] = /Ask for volumes of at least ([0-9]+) bytes/.exec(said)!;
    const dry = [...packing, '--dry-run', '--volume-size'];
    expect((await sides.packer.bundle([...dry, least!])).status).toBe(0);
    expect((await sides.packer.bundle([...dry, String(Number(least) - 1000)])).status).toBe(2);
  });

  it('as pack from a copy of a release says how its components are found', async () => {
    const from = `${sides.source.host}/openshift-release-dev/ocp-release:4.17.3-x86_64`;
    const store = ['--signature-store', sides.made.signatureStore, ...sides.trust];
    const out = join(sides.folder, 'copy');
    const said = await refused(25, 'pack', '--from', from, '-o', out, ...store);
    expect(said).toContain('The release names its components at quay.io');
    expect(said).toMatch(/--mirror quay\.io\/\S+=REGISTRY\/REPOSITORY/);
    expect(said).toContain('--idms-file FILE');
  });

  it('as check-registry says the cause first, and once for both repositories', async () => {
    const locked = await startRegistry({ htpasswd: true });
    try {
      const { stdout } = await sides.operator.bundle(['check-registry', `${locked.host}/ocp4`]);
      const [next, ...more] = stdout.split('\n').filter((line) => line.startsWith('Next: '));
      expect(more).toEqual([]);
      expect(next).toMatch(/^Next: No credentials for /);
      expect(next).toContain('Both ');
    } finally {
      await locked.stop();
    }
  });

  it('as pack with keys names those that are to be handed over', async () => {
    const other = await twoSides('other-key', { version: '4.17.5', components: 1, scale: 0.0001 });
    try {
      const key = ['--release-key', other.made.releaseKey];
      const out = join(sides.folder, 'keys');
      const packing = ['pack', '4.17.3', '-o', out, ...sides.fetching, ...key];
      const { stdout } = await sides.packer.bundle(packing);
      expect(stdout).toContain(sides.made.releaseKey);
      expect(stdout).not.toContain(other.made.releaseKey);
    } finally {
      await other.remove();
    }
  });
});
