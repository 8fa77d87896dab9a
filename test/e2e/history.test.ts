import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { signReceipt, formatSigned, parseSigned } from '../../src/receipts/signed.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { twoSides, type TwoSides } from '../support/two-sides.ts';
import { User } from '../support/user.ts';

const TOOL = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };

interface Listed {
  readonly bundles: readonly { readonly digest: string; readonly sites: readonly string[] }[];
  readonly deliveries: readonly { readonly site: string }[];
  readonly sites: readonly {
    readonly site: string;
    readonly blobs: number;
    readonly unknown: readonly string[];
  }[];
  readonly damaged: readonly string[];
}

describeWith(['docker-registry'], 'the history', () => {
  let sides: TwoSides;
  let digest: string;
  /** Where receipts come back. */
  let back: string;
  let trusted: readonly string[];
  beforeAll(async () => {
    sides = await twoSides('history', { version: '4.17.3', components: 2, scale: 0.0001 });
    const { packer, operator, medium, fetching, target, trust } = sides;
    back = join(sides.folder, 'back');
    const packed = await packer.json(['pack', '4.17.3', '-o', medium, ...fetching]);
    digest = (packed as { bundleDigest: string }).bundleDigest;
    await operator.json([
      ...['unpack', medium, '--to', `${target.host}/ocp4`, ...trust],
      ...['--resources-dir', join(sides.folder, 'resources')],
      ...['--receipt', back, '--site', 'plant-a'],
    ]);
    trusted = ['--trusted-key', operator.publicKey];
  });
  afterAll(() => sides.remove());

  const listed = async (user: User, ...more: readonly string[]): Promise<Listed> =>
    (await user.json(['history', ...more])) as Listed;

  it('has what was packed, and nothing else in its folder', async () => {
    const { bundles, deliveries } = await listed(sides.packer);
    expect(bundles).toMatchObject([{ digest, sites: [] }]);
    expect(deliveries).toEqual([]);
    const folder = join(sides.packer.home, '.local/share/bundle');
    expect(await readdir(folder)).toEqual(['bundles']);
    expect(await readdir(join(folder, 'bundles'))).toEqual([`${digest}.zst`]);
  });

  it('knows after an import of its receipt what a site has', async () => {
    const { packer } = sides;
    const unknown = await packer.bundle(['history', 'import', back]);
    expect(unknown.status).toBe(21);
    const ran = await packer.bundle(['history', 'import', back, ...trusted]);
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout.replace(/\s+/g, ' ')).toContain(
      `Name this key in each command that reads the receipts: ${trusted.join(' ')}.`,
    );
    const { bundles, sites } = await listed(packer, ...trusted);
    expect(bundles[0]!.sites).toEqual(['plant-a']);
    expect(sites).toMatchObject([{ site: 'plant-a', unknown: [] }]);
    expect(sites[0]!.blobs).toBeGreaterThan(5);
    const report = await packer.bundle(['history', 'sites', ...trusted]);
    expect(report.stdout).toContain('ocp-4.17.3-x86_64');
  });

  it('believes no receipt whose key is not trusted any more', async () => {
    const { packer } = sides;
    const ran = await packer.bundle(['history', 'sites']);
    expect(ran.status).toBe(0);
    expect(ran.stdout).toContain('1 receipt is here, and not counted.');
    expect(ran.stderr).toContain(
      'is not counted: the key that plant-a signs receipts with is not trusted in this run ' +
        '(--trusted-key KEY.pub)',
    );
    expect(ran.stdout).not.toContain('No site is known here');
    const history = await packer.bundle(['history']);
    expect(history.stdout).toContain('1 receipt is here, and not counted.');
    expect(history.stdout).not.toMatch(/No receipt is known here|--trusted-key/);
  });

  it('leaves a receipt of a bundle that nobody here knows aside, until it is imported', async () => {
    const other = await User.new(join(sides.folder, 'other'));
    const ran = await other.bundle(['history', 'import', back, ...trusted]);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain('nothing is known of it here');
    expect((await listed(other, ...trusted)).sites).toMatchObject([
      { blobs: 0, unknown: [digest] },
    ]);
    const key = ['--trusted-key', sides.packer.publicKey, ...sides.trust];
    expect(await other.bundle(['history', 'import', sides.medium, ...key])).toMatchObject({
      status: 0,
    });
    const { sites } = await listed(other, ...trusted);
    expect(sites).toMatchObject([{ unknown: [] }]);
    expect(sites[0]!.blobs).toBeGreaterThan(5);
    // Not without those who are to be believed.
    const stranger = SigningKey.generate('ecdsa-p256').public.pem;
    const pub = join(sides.folder, 'stranger.pub');
    await writeFile(pub, stranger);
    const refused = await other.bundle([
      ...['history', 'import', sides.medium, '--trusted-key', pub, ...sides.trust],
    ]);
    expect(refused.status).toBe(21);
  });

  it('tells of a receipt that is older than another, and of one that is replaced', async () => {
    const [name] = await readdir(back);
    const { receipt } = parseSigned(await readFile(join(back, name!)), name!);
    const key = SigningKey.parse(await readFile(sides.operator.signingKey, 'utf8'), 'a key');
    const user = await User.new(join(sides.folder, 'older'));
    const folder = join(sides.folder, 'older-receipts');
    await mkdir(folder);
    const write = async (time: string, replaces: boolean): Promise<string> => {
      const path = join(folder, `receipt-${time.slice(0, 10)}.json`);
      await writeFile(path, formatSigned(signReceipt({ ...receipt, time, replaces }, key)));
      return path;
    };
    const importing = async (path: string): Promise<string> => {
      const ran = await user.bundle(['history', 'import', path, ...trusted]);
      expect(ran.status).toBe(0);
      return ran.stderr;
    };
    await importing(await write('2027-02-01T00:00:00Z', false));
    expect(await importing(await write('2027-01-01T00:00:00Z', false))).toContain('a later one');
    await importing(await write('2027-03-01T00:00:00Z', true));
    expect(await importing(await write('2027-01-15T00:00:00Z', false))).toContain('is not counted');
  });

  it('refuses what is forged, edited or of another site, and keeps what is good', async () => {
    const [name] = await readdir(back);
    const text = await readFile(join(back, name!), 'utf8');
    const { receipt } = parseSigned(Buffer.from(text), name!);
    const folder = join(sides.folder, 'bad-receipts');
    await mkdir(folder);
    await writeFile(
      join(folder, 'receipt-edited.json'),
      text.replace('"whole": true', '"whole": false'),
    );
    await writeFile(join(folder, 'receipt-good.json'), text);
    const user = await User.new(join(sides.folder, 'bad'));
    const edited = await user.bundle(['history', 'import', folder, ...trusted]);
    expect(edited.status).toBe(21);
    expect(edited.stderr).toMatch(/imported: .*receipt-good\.json/);
    expect(edited.stderr).not.toContain('refused');
    expect(edited.stderr).toContain('changed after signing');
    const again = ['history', 'import', folder, ...trusted, '--output', 'json'];
    const { status, stdout } = await user.bundle(again);
    expect(status).toBe(21);
    const { error } = JSON.parse(stdout) as { error: { details: readonly object[] } };
    expect(error.details).toEqual([
      { label: 'imported', items: [expect.stringMatching(/good\.json: the receipt of plant-a /)] },
    ]);
    expect((await listed(user, ...trusted)).deliveries).toHaveLength(1);

    const otherKey = SigningKey.generate('ecdsa-p256');
    const pub = join(sides.folder, 'plant-b.pub');
    await writeFile(pub, otherKey.public.pem);
    const path = join(sides.folder, 'receipt-of-b.json');
    const { signer, ...unsigned } = receipt;
    expect(signer).not.toBe(otherKey.public.id);
    await writeFile(path, formatSigned(signReceipt({ ...unsigned, bundles: [] }, otherKey)));
    const both = [...trusted, '--trusted-key', pub];
    const refused = await user.bundle(['history', 'import', path, ...both]);
    expect(refused.status).toBe(21);
    expect(refused.stderr).toContain('another key than before');
    const accepted = await user.bundle(['history', 'import', path, '--accept-new-key', ...both]);
    expect(accepted.status).toBe(0);
  });

  it('takes nothing from a folder without a bundle whose receipts are called otherwise', async () => {
    const [name] = await readdir(back);
    const folder = join(sides.folder, 'renamed-receipts');
    await mkdir(folder);
    await cp(join(back, name!), join(folder, 'of-plant-a.json'));
    const user = await User.new(join(sides.folder, 'renamed'));
    const refused = await user.bundle(['history', 'import', folder, ...trusted]);
    expect(refused.status).toBe(23);
    expect(refused.stderr.replace(/\s+/g, ' ')).toContain(
      `no receipt (receipt-*.json) and no bundle in ${folder}`,
    );
    const file = join(folder, 'of-plant-a.json');
    expect((await user.bundle(['history', 'import', file, ...trusted])).status).toBe(0);
    // A bundle that was not finished is told as such.
    await writeFile(join(folder, 'set.tar.zst.partial'), '');
    const unfinished = await user.bundle(['history', 'import', folder, ...trusted]);
    expect(unfinished.stderr).toContain('was not finished');
  });

  it('that cannot be written costs no bundle, and a notice says what was not kept', async () => {
    const { packer, fetching } = sides;
    const file = join(sides.folder, 'no-folder');
    await writeFile(file, 'somebody else');
    const medium = join(sides.folder, 'medium-2');
    const ran = await packer.bundle([
      ...['pack', '4.17.3', '-o', medium, ...fetching, '--history', file],
    ]);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain('not kept in the history');
    expect(await readFile(file, 'utf8')).toBe('somebody else');
    const verified = await packer.bundle(['verify', medium, ...sides.trust]);
    expect(verified.status).toBe(0);
  });

  it('is not written where nobody wants it', async () => {
    const user = await User.new(join(sides.folder, 'no-history'));
    const medium = join(sides.folder, 'medium-3');
    const pack = ['pack', '4.17.3', '-o', medium, ...sides.fetching];
    expect(await user.bundle([...pack, '--no-history'])).toMatchObject({ status: 0 });
    expect((await listed(user)).bundles).toEqual([]);
    const both = await user.bundle([...pack, '--no-history', '--history', sides.folder]);
    expect(both.status).toBe(2);
  });

  it('has of a bundle that lacks images only what it holds', async () => {
    await publishImage(sides.source.host, TOOL);
    const user = await User.new(join(sides.folder, 'lacking'));
    const medium = join(sides.folder, 'medium-4');
    const ran = await user.bundle([
      ...['pack', '--image', 'quay.io/team/tool:1.4', '--image', 'quay.io/team/none:1'],
      ...['--name', 'set', '--incomplete', '-o', medium, '--output', 'json'],
      ...['--mirror', `quay.io=${sides.source.host}`],
    ]);
    expect(ran).toMatchObject({ status: 30 });
    const { bundleDigest } = JSON.parse(ran.stdout) as { readonly bundleDigest: string };
    expect((await listed(user)).bundles).toMatchObject([{ digest: bundleDigest }]);
    const other = await User.new(join(sides.folder, 'lacking-too'));
    const imported = await other.json([
      ...['history', 'import', medium, '--trusted-key', user.publicKey],
    ]);
    expect(imported).toMatchObject({ bundles: [{ digest: bundleDigest }] });
    expect((await listed(other)).bundles).toMatchObject(
      (await listed(user)).bundles.map(({ digest: own, sites }) => ({ digest: own, sites })),
    );
    // What was lacking arrives with a second bundle: then the first one is there, too.
    await publishImage(sides.source.host, { ...TOOL, repository: 'team/none', tag: '1' });
    const completion = join(sides.folder, 'medium-5');
    const file = join(medium, 'set.tar.zst');
    await user.json([
      ...['pack', '--complete', file, '-o', completion],
      ...['--mirror', `quay.io=${sides.source.host}`],
    ]);
    const receipts = join(sides.folder, 'completed');
    await sides.operator.json([
      ...['unpack', file, join(completion, 'set-complete.tar.zst'), '--to'],
      ...[`${sides.target.host}/completed`, '--trusted-key', user.publicKey],
      ...['--resources-dir', join(sides.folder, 'completed-files')],
      ...['--receipt', receipts, '--site', 'plant-d'],
    ]);
    await user.json(['history', 'import', receipts, ...trusted]);
    const { bundles } = await listed(user, ...trusted);
    expect(bundles.map(({ sites }) => sites)).toEqual([['plant-d'], ['plant-d']]);
  });

  it('can be a shared folder, which is told when a listing in it is damaged', async () => {
    const shared = join(sides.folder, 'shared');
    const own = join(sides.packer.home, '.local/share/bundle');
    await cp(own, shared, { recursive: true });
    const user = await User.new(join(sides.folder, 'sharing'));
    expect((await listed(user, '--history', shared)).bundles).toMatchObject([{ digest }]);
    const [absent, dangling] = [join(sides.folder, 'absent'), join(sides.folder, 'dangling')];
    await symlink(absent, dangling);
    for (const [named, ...words] of [[absent], [dangling], [absent, 'sites']]) {
      const ran = await user.bundle(['history', ...words, '--history', named!]);
      expect(ran.status).toBe(23);
      expect(ran.stderr).toContain(`there is no history at ${named!}`);
    }
    const path = join(shared, 'bundles', `${digest}.zst`);
    const file = await readFile(path);
    await writeFile(path, file.subarray(0, file.length - 10));
    const { bundles, damaged } = await listed(user, '--history', shared);
    expect(bundles).toEqual([]);
    expect(damaged).toHaveLength(1);
  });
});
