import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Digest } from '../../src/core/digest.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { type SignedSides, signedSides } from '../support/signed-sides.ts';

interface CatalogPart {
  readonly digest: Digest;
  readonly from: Digest;
  readonly profile: string;
  readonly filter?: string;
  readonly findings: readonly { readonly rule: string; readonly channel?: string }[];
  readonly packages: readonly {
    readonly name: string;
    readonly bundles: readonly { readonly name: string }[];
  }[];
  readonly skippedImages: readonly string[];
  readonly images: readonly { readonly name: string; readonly role: string }[];
}

/** How catalogs are filtered, what their image is, and what is left out of them. */
describeWith(['docker-registry'], 'a catalog in a bundle, as options say', () => {
  let sides: SignedSides;
  let index: Digest;
  let images: ReadonlyMap<string, Digest>;

  const pack: SignedSides['pack'] = (...args) => sides.pack(...args);
  const odd = ['--catalog', 'quay.io/ops/odd:v1', '--operator', 'odd'];
  const inspect = async (output: string): Promise<CatalogPart> => {
    const { bundle } = (await sides.operator.json([
      'inspect',
      sides.place(output),
      ...sides.trust,
    ])) as {
      readonly bundle: { readonly parts: readonly CatalogPart[] };
    };
    return bundle.parts[0]!;
  };
  const verify = async (output: string): Promise<void> => {
    const { status, stderr } = await sides.operator.bundle([
      'verify',
      sides.place(output),
      ...sides.trust,
    ]);
    expect(status, stderr).toBe(0);
  };
  /** Asks for one version of an operator, in the way in which oc-mirror leaves a channel empty. */
  const pinned = async (name: string, version: string): Promise<string> => {
    const lines = [
      ...['apiVersion: mirror.openshift.io/v2alpha1', 'kind: ImageSetConfiguration', 'mirror:'],
      ...['  operators:', '    - catalog: quay.io/ops/odd:v1', '      packages:'],
      ...['        - name: odd', `          minVersion: ${version}`],
      `          maxVersion: ${version}`,
    ];
    await writeFile(sides.place(name), lines.join('\n'));
    return sides.place(name);
  };

  beforeAll(async () => {
    sides = await signedSides('catalog-options');
    ({ index, images } = await publishOperators(sides.source.host));
  });
  afterAll(() => sides.remove());

  it('names the bundle of a bad image, and the way around it', async () => {
    const { status, stderr } = await pack('bad', ...odd);
    expect(status).toBe(20);
    expect(stderr).toContain('package odd, bundle odd.v1.1.0 names a related image that is none');
    expect(stderr).toContain('--skip-bundle odd.v1.1.0');
  });

  it('names the bundle of an image that is gone, and the way around it', async () => {
    const { status, stderr } = await pack(
      ...['gone', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
      ...['--mirror', `quay.io/ops/foo-bundle=${sides.source.host}/ops/nothing-here`],
    );
    expect(status).toBe(23);
    expect(stderr).toContain('of bundle foo.v1.1.0 of package foo');
    expect(stderr).toContain('--skip-bundle foo.v1.1.0');
  });

  it('goes without a bundle that is named, and records why', async () => {
    const { status, stdout, stderr } = await pack('skipped', ...odd, '--skip-bundle', 'odd.v1.1.0');
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('odd.v1.1.0 is left out: bundle odd.v1.1.0 of package odd names');
    expect(stderr).toContain('odd, channel candidate is left out: nothing is left of it');
    expect(stdout).toMatch(/left out +odd\.v1\.1\.0: bundle odd\.v1\.1\.0/);
    expect(await inspect('skipped')).toMatchObject({
      ...{ profile: 'runnable', filter: 'strict', findings: [] },
      packages: [{ name: 'odd', bundles: [{ name: 'odd.v1.0.0' }] }],
      skippedBundles: [
        {
          ...{ package: 'odd', bundle: 'odd.v1.1.0' },
          cause: expect.stringContaining('No Image') as string,
        },
      ],
    });
    await verify('skipped');
  });

  it('records the reason that somebody gives, and tells of a name that is not there', async () => {
    const { status, stderr } = await pack(
      ...['reason', ...odd, '--skip-bundle', 'odd.v1.1.0=CVE-2026-1', '--skip-bundle', 'odd.v7'],
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('odd.v7 was to be left out of quay.io/ops/odd:v1');
    expect(await inspect('reason')).toMatchObject({
      skippedBundles: [{ bundle: 'odd.v1.1.0', cause: 'CVE-2026-1' }],
    });
  });

  it('leaves out related images, and the closed side does the same', async () => {
    const { status, stdout, stderr } = await pack(
      ...['related', ...odd, '--skip-bundle', 'odd.v1.1.0'],
      ...['--skip-related', 'extra-*', '--skip-related', 'more-*'],
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('more-* was to be left out of quay.io/ops/odd:v1');
    expect(stdout).toMatch(/left out +1 image like extra-\*, more-\*/);
    const part = await inspect('related');
    expect(part.skippedImages).toEqual([`quay.io/ops/bar-bundle@${images.get('bar-bundle')!}`]);
    const related = part.images.filter(({ role }) => role === 'operator-image');
    expect(related.map(({ name }) => name)).toEqual([
      `quay.io/ops/foo-old@${images.get('foo-old')!}`,
    ]);
    await verify('related');
  });

  it('filters as oc-mirror does, and says what OLM would refuse', async () => {
    const config = await pinned('pinned.yaml', '1.0.0');
    const { status, stdout, stderr } = await pack(
      ...['compat', '--config', config, '--filter', 'oc-mirror'],
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('OLM WOULD REFUSE quay.io/ops/odd:v1');
    expect(stderr).toContain('package odd, channel candidate has no entry');
    expect(stdout).toMatch(/filter +that of oc-mirror/);
    const part = await inspect('compat');
    expect(part).toMatchObject({
      filter: 'oc-mirror',
      findings: [{ rule: 'channel-empty', channel: 'candidate' }],
      packages: [{ name: 'odd', bundles: [{ name: 'odd.v1.0.0' }] }],
    });
    await verify('compat');
    // The strict filter gives what OLM takes of the same file.
    const strict = await pack('strict', '--config', config);
    expect(strict.status, strict.stderr).toBe(0);
    expect(strict.stderr).not.toContain('OLM WOULD REFUSE');
    expect((await inspect('strict')).digest).not.toBe(part.digest);
  });

  it('mirrors what it packs', async () => {
    const config = await pinned('pinned.yaml', '1.0.0');
    const to = `${sides.target.host}/mirrored`;
    const { status, stderr } = await sides.packer.bundle([
      ...['mirror', '--to', to, '--mirror', `quay.io=${sides.source.host}`],
      ...['--config', config, '--filter', 'oc-mirror'],
    ]);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('OLM WOULD REFUSE quay.io/ops/odd:v1');
    const checked = await sides.operator.bundle(['catalog', 'check', `${to}/ops/odd:v1`]);
    expect(checked.status).toBe(20);
    expect(checked.stdout).toContain('package odd, channel candidate has no entry');
  });

  it('can be documents alone, which clusters take out of the image', async () => {
    const { status, stdout, stderr } = await pack(
      ...['content', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
      ...['--catalog-profile', 'content'],
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('it does not serve them by itself');
    expect((await inspect('content')).profile).toBe('content');
    const [to, files] = [`${sides.target.host}/content`, sides.place('files')];
    const unpacked = await sides.operator.bundle([
      ...['unpack', sides.place('content'), '--to', to, '--resources-dir', files, ...sides.trust],
    ]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    const catalogSource = await readFile(join(files, 'operators/cs-index-v4-22.yaml'), 'utf8');
    expect(catalogSource).toMatch(/grpcPodConfig:\s+extractContent:\s+catalogDir: \/configs/);
    expect(await readFile(join(files, 'next-steps.txt'), 'utf8')).toContain(
      'this needs OpenShift 4.20 or later',
    );
    const list = (await sides.operator.json(['catalog', 'list', `${to}/ops/index:v4.22`])) as {
      readonly packages: readonly object[];
    };
    expect(list.packages).toMatchObject([{ name: 'foo', newest: '1.1.0' }]);
    await verify('content');
  });

  it('is made anew with all that it has, where an image that runs is asked for', async () => {
    const whole = ['--catalog', 'quay.io/ops/index:v4.22', '--whole-catalog'];
    const { status, stderr } = await pack('all', ...whole, '--catalog-profile', 'runnable');
    expect(status, stderr).toBe(0);
    const part = await inspect('all');
    expect(part).toMatchObject({ from: index, profile: 'runnable' });
    expect(part.digest).not.toBe(index);
    expect(part.packages.map(({ name, bundles }) => [name, bundles.length])).toEqual([
      ['bar', 1],
      ['foo', 2],
    ]);
    const same = await pack(
      ...['same', '--catalog', 'quay.io/ops/index:v4.22', '--catalog-profile', 'verbatim'],
    );
    expect(same.status, same.stderr).toBe(0);
    expect(await inspect('same')).toMatchObject({ digest: index, profile: 'verbatim' });
  });

  it.each<[string, readonly string[], string]>([
    ['as it is, with operators', [...odd, '--catalog-profile', 'verbatim'], 'to stay as it is'],
    [
      'as it is, without a bundle',
      ['--catalog', 'quay.io/ops/odd:v1', '--whole-catalog', '--skip-bundle', 'odd.v1.1.0'],
      '--catalog-profile runnable',
    ],
    [
      'as of oc-mirror, without a bundle',
      [...odd, '--filter', 'oc-mirror', '--skip-bundle', 'odd.v1.1.0'],
      '--skip-bundle and --filter oc-mirror exclude each other',
    ],
    [
      'as of oc-mirror, with what it requires',
      [...odd, '--filter', 'oc-mirror', '--with-dependencies'],
      '--with-dependencies and --filter oc-mirror exclude each other',
    ],
    ['of another sort', [...odd, '--catalog-profile', 'small'], 'small'],
    ['that nobody names', ['4.17.3', '--skip-related', 'x'], '--skip-related'],
  ])('is refused %s', async (_, more, text) => {
    const { status, stderr } = await pack('no', ...more);
    expect(status, stderr).toBe(2);
    expect(stderr).toContain(text);
  });
});
