import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { parseSigned } from '../../src/receipts/signed.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { twoSides, type TwoSides } from '../support/two-sides.ts';
import type { User } from '../support/user.ts';

interface Asked {
  readonly bundles: readonly { readonly lacking: readonly unknown[] }[];
  readonly receipt: { readonly path: string };
}

const TOOL = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };
const SITE = ['--site', 'plant-a'];

describeWith(['docker-registry'], 'a receipt', () => {
  let sides: TwoSides;
  let receipts: string;
  let digest: string;
  let trust: readonly string[];
  beforeAll(async () => {
    sides = await twoSides('receipts', { version: '4.17.3', components: 2, scale: 0.0001 });
    const { packer, medium, fetching } = sides;
    receipts = join(sides.folder, 'receipts');
    await publishImage(sides.source.host, TOOL);
    const asked = ['4.17.3', '--image', 'quay.io/team/tool:1.4'];
    const packed = await packer.json(['pack', ...asked, '-o', medium, ...fetching]);
    trust = [...sides.trust, '--trusted-key', packer.publicKey];
    digest = (packed as { bundleDigest: string }).bundleDigest;
  });
  afterAll(() => sides.remove());

  const unpack = (...more: readonly string[]): readonly string[] => [
    ...['unpack', sides.medium, '--to', `${sides.target.host}/ocp4`, ...trust],
    ...['--resources-dir', join(sides.folder, 'resources'), ...more],
  ];
  const delivered = async (...more: readonly string[]): Promise<string> => {
    const report = (await sides.operator.json(unpack('--receipt', receipts, ...more))) as {
      readonly receipt: { readonly path: string };
    };
    return report.receipt.path;
  };
  const check = (...args: readonly string[]): ReturnType<User['bundle']> =>
    sides.packer.bundle(['receipt', 'check', ...args]);

  it('is not written by a dry run, and for an image layout refused', async () => {
    const { operator } = sides;
    const dry = await operator.bundle(unpack('--receipt', receipts, '--dry-run'));
    expect(dry.status).toBe(0);
    await expect(readdir(receipts)).rejects.toThrow('ENOENT');
    const layout = ['--to', `oci:${join(sides.folder, 'layout')}`, '--receipt', receipts];
    const refused = await operator.bundle(['unpack', sides.medium, ...layout, ...trust]);
    expect(refused.status).toBe(2);
  });

  it('says what has arrived', async () => {
    const path = await delivered(...SITE);
    const { receipt } = parseSigned(await readFile(path), path);
    expect(receipt).toMatchObject({
      site: 'plant-a',
      previous: null,
      replaces: false,
      target: { registry: sides.target.host, namespace: 'ocp4' },
    });
    expect(receipt.bundles).toEqual([
      {
        name: 'ocp-4.17.3-x86_64',
        digest: `sha256:${digest}`,
        whole: true,
        known: 'delivered',
        parts: [
          { number: 0, label: 'image quay.io/team/tool:1.4' },
          { number: 1, label: '4.17.3 for x86_64' },
        ],
      },
    ]);
  });

  it('names only the parts that were asked for', async () => {
    const named = ['--site', 'plant-c', '--release', '4.17.3'];
    const slip = await sides.operator.bundle(unpack('--receipt', receipts, ...named));
    expect(slip.status).toBe(2);
    expect(slip.stderr).toContain('of the site plant-c');
    expect(slip.stderr).toContain('give --site plant-a.');
    const path = await delivered(...named, '--new-site');
    const { receipt } = parseSigned(await readFile(path), path);
    expect(receipt.bundles[0]).toMatchObject({
      whole: false,
      parts: [{ number: 1, label: '4.17.3 for x86_64' }],
    });
  });

  it('follows the one before it', async () => {
    const before = (await readdir(receipts)).length;
    const path = await delivered(...SITE);
    const { receipt } = parseSigned(await readFile(path), path);
    expect(receipt.previous).toMatch(/^sha256:/);
    expect((await readdir(receipts)).length).toBe(before + 1);
  });

  it('is good for those who trust its key, and for nobody else', async () => {
    const path = await delivered(...SITE);
    const unknown = await check(path);
    expect(unknown.status).toBe(21);
    expect(unknown.stderr).toMatch(/site plant-a signs[^]*out of band[^]*--trusted-key KEY\.pub/);
    expect(unknown.stderr.indexOf('--trusted-key')).toBeLessThan(
      unknown.stderr.indexOf('bundle trust add'),
    );
    const [earlier] = await readdir(receipts);
    const both = await check(path, join(receipts, earlier!));
    expect(both.stderr.replace(/\s+/g, ' ').match(/is not one of the keys/g)).toHaveLength(1);
    expect(both.stderr).toContain(': the same');
    const { publicKey } = sides.operator;
    const trusted = ['--trusted-key', publicKey];
    expect((await check(path, ...trusted, ...SITE)).status).toBe(0);
    const other = await check(path, ...trusted, '--site', 'plant-b');
    expect(other.status).toBe(21);
    expect(other.stderr).toContain('another site');

    const text = await readFile(path, 'utf8');
    const edited = join(sides.folder, 'edited.json');
    await writeFile(edited, text.replace('plant-a', 'plant-b'));
    const changed = await check(edited, ...trusted);
    expect(changed.status).toBe(21);
    expect(changed.stderr).toContain('changed after signing');
    await writeFile(edited, text.slice(0, -20));
    expect((await check(edited, ...trusted)).status).toBe(20);
    expect((await check(join(sides.folder, 'none.json'), ...trusted)).status).toBe(23);

    const shown = await sides.packer.bundle(['receipt', 'show', path]);
    expect(shown.status).toBe(0);
    expect(shown.stdout).toContain('NOT PROVEN');
    expect(shown.stdout).toContain('ocp-4.17.3-x86_64');
    expect(shown.stdout).toContain('--trusted-key KEY.pub');
    const twice = ['receipt', 'show', path, path];
    expect((await sides.packer.bundle(twice)).stdout.match(/NOT PROVEN/g)).toHaveLength(2);
    expect(await sides.packer.json(twice)).toMatchObject({
      receipts: [{ isProven: false }, { isProven: false }],
    });
    const bad = await sides.packer.bundle(['receipt', 'show', edited]);
    expect(bad.status).toBe(20);
  });

  it('is never written through a link or into a file', async () => {
    const beside = join(sides.folder, 'a-file');
    await writeFile(beside, 'somebody else');
    const refused = await sides.operator.bundle(unpack('--receipt', beside, ...SITE));
    expect(refused.status).toBe(26);
    expect(await readFile(beside, 'utf8')).toBe('somebody else');
    const dead = join(sides.folder, 'dead');
    await symlink(join(sides.folder, 'nowhere'), dead);
    expect((await sides.operator.bundle(unpack('--receipt', dead, ...SITE))).status).toBe(26);
  });

  it('is asked for by name: its other options alone are refused', async () => {
    const refused = await sides.operator.bundle(unpack(...SITE));
    expect(refused.status).toBe(2);
    const slash = await sides.operator.bundle(unpack('--receipt', receipts, '--site', 'a/b'));
    expect(slash.status).toBe(2);
  });

  it('takes another key', async () => {
    const key = join(sides.folder, 'site.pem');
    await sides.operator.json(['keygen', '--out', key]);
    const path = await delivered('--receipt-key', key);
    const pub = key.replace('.pem', '.pub');
    expect((await check(path, '--trusted-key', pub)).status).toBe(0);
    const { receipt } = parseSigned(await readFile(path), path);
    expect(receipt.site).toBe(sides.target.host);
  });

  it('names only the parts that arrived whole', async () => {
    const broken = join(sides.folder, 'broken');
    await mkdir(broken);
    const [name] = (await readdir(sides.medium)).filter((file) => file.endsWith('.tar.zst'));
    await copyFile(join(sides.medium, name!), join(broken, name!));
    const file = await readFile(join(broken, name!));
    // The header of the last layer, and some bytes of the layer behind it.
    const at = file.lastIndexOf('ustar') - 257 + 512 + 20;
    file[at] = file[at]! ^ 1;
    await writeFile(join(broken, name!), file);
    const other = join(sides.folder, 'part-receipts');
    const ran = await sides.operator.bundle([
      ...['unpack', broken, '--to', `${sides.target.host}/partial`, ...trust, '--partial'],
      ...['--resources-dir', join(sides.folder, 'resources'), '--receipt', other, ...SITE],
    ]);
    expect(ran.status).toBe(30);
    const [written] = await readdir(other);
    const { receipt } = parseSigned(await readFile(join(other, written!)), written!);
    expect(receipt.bundles).toMatchObject([{ whole: false, parts: [{ number: 0 }] }]);
  });

  it('is not written where no part arrived whole', async () => {
    const other = join(sides.folder, 'no-receipts');
    const ran = await sides.operator.bundle([
      ...['unpack', join(sides.folder, 'broken'), '--to', `${sides.target.host}/part`, ...trust],
      ...['--partial', '--release', '4.17.3', '--receipt', other, ...SITE],
      ...['--resources-dir', join(sides.folder, 'resources')],
    ]);
    expect(ran.stderr).toContain('no receipt is written');
    expect(ran.status).toBe(30);
    expect(await readdir(other)).toEqual([]);
  });

  it('is made by asking the registry, of what the history of the host knows', async () => {
    const folder = join(sides.folder, 'asked');
    const asking = ['receipt', '--to', `${sides.target.host}/ocp4`, '-o', folder];
    for (const [known, ...more] of [['asked'], ['read', '--deep']] as const) {
      const report = (await sides.operator.json([
        ...[...asking, '--new-site', '--site', known, ...more],
      ])) as Asked;
      const { receipt } = parseSigned(await readFile(report.receipt.path), 'a receipt');
      expect(receipt.bundles).toMatchObject([{ digest: `sha256:${digest}`, whole: true, known }]);
    }
    const named = await sides.operator.bundle([...asking, ...SITE, '--bundle-digest', digest]);
    expect(named.status).toBe(0);
    const unnamed = await sides.operator.bundle([...asking, '--bundle-digest', digest]);
    expect(unnamed.status).toBe(2);
    expect(unnamed.stderr).toContain('asked, plant-a, plant-c, read');
    const strange = [...asking, ...SITE, '--bundle-digest', 'ab'.repeat(32)];
    expect((await sides.operator.bundle(strange)).status).toBe(23);
    const empty = [...asking, ...SITE, '--history', join(sides.folder, 'none')];
    expect((await sides.operator.bundle(empty)).status).toBe(2);
  });

  it('names no part of which the registry has lost a blob, and replaces the earlier ones', async () => {
    const { operator, target, folder } = sides;
    const to = ['--to', `${target.host}/lossy`];
    const at = join(folder, 'lossy');
    const site = ['--site', 'lossy'];
    await operator.json([
      ...['unpack', sides.medium, ...to, ...trust, '--receipt', at, ...site],
      ...['--resources-dir', join(folder, 'resources')],
    ]);
    // The link of a layer in one repository: what a registry forgets when a blob is deleted there.
    const layers = join(target.root, 'storage/docker/registry/v2/repositories/lossy');
    const [link] = (await readdir(layers, { recursive: true })).filter((name) =>
      /^team\/tool\/_layers\/sha256\/[0-9a-f]{64}$/.test(name),
    );
    await rm(join(layers, link!), { recursive: true });
    const ran = await operator.bundle([
      ...['receipt', ...to, '-o', at, ...site, sides.medium, ...trust, '--output', 'json'],
    ]);
    expect(ran.status).toBe(30);
    const report = JSON.parse(ran.stdout) as Asked;
    expect(report.bundles[0]!.lacking).toHaveLength(1);
    const { receipt } = parseSigned(await readFile(report.receipt.path), 'a receipt');
    expect(receipt.replaces).toBe(true);
    expect(receipt.bundles).toMatchObject([
      { whole: false, known: 'asked', parts: [{ number: 1, label: '4.17.3 for x86_64' }] },
    ]);
  });

  it('is not made of a registry that has nothing, but for a site that begins afresh', async () => {
    const folder = join(sides.folder, 'empty-receipts');
    const asking = ['receipt', '--to', `${sides.target.host}/empty`, '-o', folder, ...SITE];
    const refused = await sides.operator.bundle(asking);
    expect(refused.status).toBe(23);
    expect(await readdir(folder)).toEqual([]);
    const afresh = await sides.operator.bundle([...asking, '--afresh']);
    expect(afresh.status).toBe(30);
    const [name] = await readdir(folder);
    const { receipt } = parseSigned(await readFile(join(folder, name!)), name!);
    expect(receipt).toMatchObject({ replaces: true, bundles: [] });
  });

  describeWith(['openssl'], 'by hand', () => {
    it.each([
      ['ecdsa-p256', 'openssl dgst', 'Verified OK'],
      ['rsa-3072', 'openssl dgst', 'Verified OK'],
      ['ed25519', 'openssl pkeyutl', 'Signature Verified Successfully'],
    ])('is checked by openssl, with a key of %s, as the page says', async (type, tool, good) => {
      const page = await readFile(projectPath('docs/receipts.md'), 'utf8');
      const line = new RegExp(`${tool} .*-(?:signature|sigfile) signature(?: said)?`).exec(page);
      const key = join(sides.folder, `${type}.pem`);
      await sides.operator.json(['keygen', '--type', type, '--out', key]);
      const path = await delivered('--receipt-key', key, '--site', type);
      const script =
        `sed '1d;$d' "$1" > said && ` +
        `sed -n '$s/.*"signature":"\\(.*\\)"}/\\1/p' "$1" | openssl base64 -d -A > signature && ` +
        line![0].replace('plant-a.pub', '"$2"');
      const pub = key.replace('.pem', '.pub');
      const { stdout } = await execa('sh', ['-c', script, 'sh', path, pub], { cwd: sides.folder });
      expect(stdout).toBe(good);
    });
  });
});
