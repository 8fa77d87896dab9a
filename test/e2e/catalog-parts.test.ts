import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Digest, hexOf } from '../../src/core/digest.ts';
import { startBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { digestHeld } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { type SignedSides, signedSides } from '../support/signed-sides.ts';

interface InspectJson {
  readonly bundle: {
    readonly parts: readonly {
      readonly kind: string;
      readonly digest: Digest;
      readonly from: Digest;
      readonly tag: string;
      readonly packages: readonly { readonly name: string; readonly bundles: readonly object[] }[];
      readonly images: readonly { readonly name: string; readonly role: string }[];
    }[];
  };
}

/** Catalogs of operators in a bundle. */
describeWith(['docker-registry', 'openssl', 'python3'], 'a bundle with a catalog', () => {
  let sides: SignedSides;
  let index: Digest;
  /** Digests of images by their repository. */
  let images: ReadonlyMap<string, Digest>;

  const pack: SignedSides['pack'] = (...args) => sides.pack(...args);
  const inspect = async (output: string): Promise<InspectJson['bundle']['parts']> => {
    const { bundle } = (await sides.operator.json([
      'inspect',
      sides.place(output),
      ...sides.trust,
    ])) as InspectJson;
    return bundle.parts;
  };
  const digestAt = (repository: string, reference: string) =>
    digestHeld(sides.target, repository, reference);

  beforeAll(async () => {
    sides = await signedSides('catalog-parts');
    ({ index, images } = await publishOperators(sides.source.host));
  });
  afterAll(() => sides.remove());

  it('has the operator that was asked for, with its images and a catalog of it alone', async () => {
    const { status, stdout, stderr } = await pack(
      ...['one', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/foo +1\.1\.0 \(head of stable\)/);
    expect(stderr).toContain('quay.io/ops/foo-operator:v1 is a tag, which moves');
    expect(stderr).toContain(
      'foo.v1.1.0 requires package bar >=0.1.0, which is not carried; the catalog has it: bar',
    );
    const [part] = await inspect('one');
    expect(part).toMatchObject({
      ...{ kind: 'catalog', from: index, path: 'ops/index', tag: 'v4.22' },
      packages: [
        {
          name: 'foo',
          bundles: [{ name: 'foo.v1.1.0', version: '1.1.0', reasons: ['head of stable'] }],
        },
      ],
    });
    expect(part!.digest).not.toBe(index);
    const names = part!.images.filter(({ role }) => role === 'operator-image');
    expect(names.map(({ name }) => name)).toEqual([
      `quay.io/ops/foo-bundle@${images.get('foo-bundle')!}`,
      `quay.io/ops/foo-operator@${images.get('foo-operator')!}`,
    ]);
    expect(
      await sides.operator.bundle(['verify', sides.place('one'), ...sides.trust]),
    ).toMatchObject({
      status: 0,
    });
    const file = join(sides.place('one'), 'index-v4.22.tar.zst');
    expect(await secondVerdict([...sides.trust, file])).toEqual({ status: 0, message: '' });
  });

  it('has what an operator requires, where that is wanted', async () => {
    const { status, stdout, stderr } = await pack(
      ...['two', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
      '--with-dependencies',
    );
    expect(status, stderr).toBe(0);
    expect(stderr).not.toContain('which is not carried');
    expect(stdout).toMatch(/bar +0\.1\.0 \(required by foo\)/);
    expect(
      await sides.operator.bundle(['verify', sides.place('two'), ...sides.trust]),
    ).toMatchObject({
      status: 0,
    });
  });

  it('is the same for the same catalog and operators', async () => {
    const again = await pack(
      ...['again', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
    );
    expect(again.status, again.stderr).toBe(0);
    const [[one], [two]] = [await inspect('one'), await inspect('again')];
    expect(two!.digest).toBe(one!.digest);
  });

  it('arrives: the catalog, its images with their signatures, and objects for OLM', async () => {
    const to = `${sides.target.host}/site`;
    const files = sides.place('files');
    const args = [
      'unpack',
      sides.place('one'),
      '--to',
      to,
      '--resources-dir',
      files,
      ...sides.trust,
    ];
    const { status, stderr } = await sides.operator.bundle(args);
    expect(status, stderr).toBe(0);
    const [part] = await inspect('one');
    expect(await digestAt('site/ops/index', 'v4.22')).toBe(part!.digest);
    const own = images.get('foo-bundle')!;
    expect(await digestAt('site/ops/foo-bundle', `sha256-${hexOf(own)}`)).toBe(own);
    expect(await digestAt('site/ops/foo-operator', 'v1')).toBe(images.get('foo-operator'));
    expect(await digestAt('site/ops/bar-bundle', 'v1')).toBeNull();
    const image = `${to}/ops/index@${part!.digest}`;
    const object = await readFile(join(files, 'operators/cs-index-v4-22.yaml'), 'utf8');
    expect(object).toContain('kind: CatalogSource');
    expect(object).toContain(`image: ${image}`);
    const clusterCatalog = await readFile(join(files, 'operators/cc-index-v4-22.yaml'), 'utf8');
    expect(clusterCatalog).toContain(`ref: ${image}`);
    const list = (await sides.operator.json(['catalog', 'list', image])) as { packages: object[] };
    expect(list.packages).toMatchObject([{ name: 'foo', newest: '1.1.0' }]);
    expect(await sides.operator.bundle(['catalog', 'check', image])).toMatchObject({ status: 0 });
    const at = ['verify', sides.place('one'), '--at', to, ...sides.trust];
    expect(await sides.operator.bundle(at)).toMatchObject({ status: 0 });
  });

  it('is offered under the name that Subscriptions use, or as oc-mirror offers it', async () => {
    const to = ['--to', `${sides.target.host}/site`, ...sides.trust];
    const write = (name: string, ...more: readonly string[]) =>
      sides.operator.bundle([
        ...['resources', sides.place('one'), ...to, '--resources-dir', sides.place(name), ...more],
      ]);
    const own = await write('named', '--catalog-name', 'quay.io/ops/index=redhat-operators');
    expect(own.status, own.stderr).toBe(0);
    for (const kind of ['cs', 'cc'])
      expect(
        await readFile(
          join(sides.place('named'), `operators/${kind}-redhat-operators.yaml`),
          'utf8',
        ),
      ).toMatch(/^ {2}name: redhat-operators$/m);
    const theirs = await write('theirs', '--resource-names', 'oc-mirror');
    expect(theirs.status, theirs.stderr).toBe(0);
    expect(await readFile(join(sides.place('theirs'), 'cs-index-v4-22.yaml'), 'utf8')).toContain(
      `image: ${sides.target.host}/site/ops/index:v4.22`,
    );
    const steps = await readFile(join(sides.place('theirs'), 'next-steps.txt'), 'utf8');
    expect(steps).toContain('oc apply -f cs-index-v4-22.yaml');
  });

  it('is offered by the CatalogSource of the image set, or by another one', async () => {
    const head = 'apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\n';
    await writeFile(sides.place('own.yaml'), `${head}spec: {publisher: of the image set}\n`);
    await writeFile(sides.place('other.yaml'), `${head}spec: {publisher: of the option}\n`);
    await writeFile(sides.place('wrong.yaml'), `${head}spec: {sourceType: internal}\n`);
    const config = (template: string): Promise<void> =>
      writeFile(
        sides.place('set.yaml'),
        `kind: ImageSetConfiguration
apiVersion: mirror.openshift.io/v2alpha1
mirror:
  operators:
    - catalog: quay.io/ops/index:v4.22
      targetCatalogSourceTemplate: ${sides.place(template)}
      packages: [{name: foo}]
`,
      );
    await config('wrong.yaml');
    const refused = await pack('templated', '--config', sides.place('set.yaml'));
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('spec.sourceType is "internal"');
    await config('own.yaml');
    const packed = await pack('templated', '--config', sides.place('set.yaml'));
    expect(packed.status, packed.stderr).toBe(0);
    const write = (name: string, ...more: readonly string[]) =>
      sides.operator.bundle([
        ...[
          'resources',
          sides.place('templated'),
          '--to',
          `${sides.target.host}/site`,
          ...sides.trust,
        ],
        ...['--resources-dir', sides.place(name), ...more],
      ]);
    const option = '--catalog-source-template';
    for (const [name, more] of [
      ['of the image set', []],
      ['of the option', [option, `ops/index=${sides.place('other.yaml')}`]],
    ] as const) {
      const { status, stderr } = await write(name, ...more);
      expect(status, stderr).toBe(0);
      const object = await readFile(
        join(sides.place(name), 'operators/cs-index-v4-22.yaml'),
        'utf8',
      );
      expect(object).toContain(`publisher: ${name}`);
      expect(object).toMatch(/image: \S+\/site\/ops\/index@sha256:/);
    }
    expect(await write('bad', option, sides.place('wrong.yaml'))).toMatchObject({ status: 2 });
    expect(await write('bad', option, sides.place('missing.yaml'))).toMatchObject({ status: 23 });
  });

  it.each([
    ['Red_Hat', 'no name for the objects'],
    ['quay.io/ops/other=redhat', 'no such catalog'],
    ['quay.io/ops/index=', 'no name for the objects'],
  ])('is refused with the name %j before anything is pushed', async (name, text) => {
    const { status, stderr } = await sides.operator.bundle([
      ...['unpack', sides.place('one'), '--to', `${sides.target.host}/refused`, ...sides.trust],
      ...['--resources-dir', sides.place('refused'), `--catalog-name=${name}`],
    ]);
    expect(status, stderr).toBe(2);
    expect(stderr).toContain(text);
    expect(await digestAt('refused/ops/index', 'v4.22')).toBeNull();
  });

  it('goes from registry to registry without a file', async () => {
    const { status, stderr } = await sides.packer.bundle([
      ...[
        'mirror',
        '--to',
        `${sides.target.host}/mirrored`,
        '--mirror',
        `quay.io=${sides.source.host}`,
      ],
      ...['--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
    ]);
    expect(status, stderr).toBe(0);
    const [part] = await inspect('one');
    expect(await digestAt('mirrored/ops/index', 'v4.22')).toBe(part!.digest);
    const own = images.get('foo-bundle')!;
    expect(await digestAt('mirrored/ops/foo-bundle', own)).toBe(own);
  });

  it('has the catalog as it is, where all of it is wanted', async () => {
    const { status, stderr } = await pack(
      ...['whole', '--catalog', 'quay.io/ops/index:v4.22=mirrored/index:all', '--whole-catalog'],
    );
    expect(status, stderr).toBe(0);
    const [part] = await inspect('whole');
    expect(part).toMatchObject({ digest: index, from: index, path: 'mirrored/index', tag: 'all' });
    expect(part!.packages.map(({ name, bundles }) => [name, bundles.length])).toEqual([
      ['bar', 1],
      ['foo', 2],
    ]);
  });

  it('goes through a pipe, and is derived from what has come first', async () => {
    const through = new PassThrough();
    const packing = await startBundle(
      [
        ...[
          'pack',
          '-o',
          '-',
          '--key',
          sides.place('packer.pem'),
          '--mirror',
          `quay.io=${sides.source.host}`,
        ],
        ...['--catalog', 'quay.io/ops/index:v4.22', '--operator', 'bar'],
      ],
      { folder: sides.packer.folder, output: (stdout) => stdout.pipe(through) },
    );
    const unpacking = await startBundle(
      ['unpack', '-', '--to', `${sides.target.host}/piped`, ...sides.trust],
      { folder: sides.operator.folder, input: through },
    );
    const packed = await packing.ended;
    const unpacked = await unpacking.ended;
    expect(packed.status, packed.stderr).toBe(0);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(await digestAt('piped/ops/index', 'v4.22')).not.toBeNull();
    const own = images.get('bar-bundle')!;
    expect(await digestAt('piped/ops/bar-bundle', own)).toBe(own);
  });

  it.each<[string, readonly string[], number, string]>([
    ['an operator that is not there', ['--operator', 'fooo'], 23, 'Did you mean foo?'],
    ['both ways to ask', ['--operator', 'foo', '--whole-catalog'], 2, '--whole-catalog'],
  ])('is refused with %s', async (_, more, expected, text) => {
    const { status, stderr } = await pack('no', '--catalog', 'quay.io/ops/index:v4.22', ...more);
    expect(status).toBe(expected);
    expect(stderr).toContain(text);
  });

  it('is refused with operators of no catalog', async () => {
    const { status, stderr } = await pack('no', '--operator', 'foo');
    expect(status).toBe(2);
    expect(stderr).toContain('--operator has a meaning only with --catalog');
  });
});
