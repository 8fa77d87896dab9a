import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { publishImage } from '../support/base-image.ts';
import { runBundle } from '../support/bundle-process.ts';
import { chartArchive } from '../support/chart.ts';
import { expectScreen, type KnownScreen } from '../support/known-screens.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

/** The same for what a bundle carries beside releases, and for what comes back from a site. */
describeWith(['docker-registry', 'python3'], 'the screen of', () => {
  let folder: string;
  let source: TestRegistry;
  let target: TestRegistry;
  let fetching: readonly string[];
  let received: string;
  const at = (...path: readonly string[]): string => join(folder, ...path);
  const catalog = 'quay.io/ops/index:v4.22';
  const asked = (): readonly string[] => [
    ...['--catalog', catalog, '--operator', 'foo', '--image', 'quay.io/team/tool:1.4'],
    ...['--chart', at('web-1.2.3.tgz'), '--name', 'site'],
  ];
  const trust = (): readonly string[] => ['--trusted-key', at('key.pub')];
  /** What was packed above is in the history of whoever packed it. */
  const kept = (): readonly string[] => [
    ...['--history', at('ready/home/.local/share/bundle'), ...trust()],
  ];

  const run = async (allowed: readonly number[], ...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await runBundle(args, { folder: at('ready') });
    if (status === null || !allowed.includes(status)) throw new Error(`${status}: ${stderr}`);
  };

  beforeAll(async () => {
    folder = await mkdtemp('/tmp/bundle-');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    await publishOperators(source.host);
    const image = (repository: string, tag: string) =>
      publishImage(source.host, { registry: 'quay.io', repository, tag }, { seed: repository });
    await image('team/tool', '1.4');
    await image('team/web', '4.5');
    const yaml =
      'apiVersion: v2\nname: web\nversion: 1.2.3\nannotations:\n' +
      '  artifacthub.io/images: |\n    - image: quay.io/team/web:4.5\n';
    await writeFile(at('web-1.2.3.tgz'), await chartArchive({ 'Chart.yaml': yaml }));
    fetching = ['--mirror', `quay.io=${source.host}`];
    await cp(projectPath('fixtures/catalogs'), at('catalogs'), { recursive: true });
    await writeFile(
      at('imageset.yaml'),
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: ImageSetConfiguration',
        'archiveSize: 4',
        'mirror:',
        '  operators:',
        `    - catalog: ${catalog}`,
        '      packages:',
        '        - name: foo',
        '          minVersion: 1.2.0',
        '          maxVersion: 1.0.0',
        '  additionalImages:',
        '    - name: quay.io/team/tool:1.4',
        '',
      ].join('\n'),
    );
    await writeFile(
      at('delete.yaml'),
      'apiVersion: mirror.openshift.io/v2alpha1\nkind: DeleteImageSetConfiguration\n' +
        'delete:\n  additionalImages:\n    - name: quay.io/team/tool:1.4\n',
    );
    await run([0], 'keygen', '--out', at('key.pem'));
    // Its signatures all have one length, and so has what is signed with it.
    await run([0], 'keygen', '--type', 'ed25519', '--out', at('fixed.pem'));
    const key = ['--key', at('key.pem')];
    await run([0], 'pack', '-o', at('usb'), ...asked(), ...key, ...fetching);
    const gone = ['--image', 'quay.io/team/tool:1.4', '--image', 'quay.io/team/gone:1.0'];
    const incomplete = [...gone, '--incomplete', '--name', 'some'];
    await run([30], 'pack', '-o', at('some'), ...incomplete, ...key, ...fetching);
    const receipt = ['--receipt', at('receipts'), '--receipt-key', at('key.pem')];
    const to = ['--to', `${target.host}/ocp4`, '--site', 'plant-a'];
    await run([0], 'unpack', at('usb'), ...to, ...receipt, ...trust());
    const [name = ''] = await readdir(at('receipts'));
    received = at('receipts', name);
    await run([0], 'history', 'import', received, ...trust());
    await publishOperators(target.host, true);
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await rm(folder, { recursive: true });
  });

  const screens: readonly KnownScreen[] = [
    {
      ...{ name: 'pack-set', status: 0 },
      args: () => ['pack', '-o', at('user', 'stick'), ...asked(), ...fetching],
    },
    {
      ...{ name: 'pack-incomplete', status: 30 },
      args: () => [
        ...['pack', '-o', at('user', 'stick'), '--name', 'some', '--incomplete', ...fetching],
        ...['--image', 'quay.io/team/tool:1.4', '--image', 'quay.io/team/gone:1.0'],
      ],
    },
    { ...{ name: 'inspect-set', status: 0 }, args: () => ['inspect', at('usb'), ...trust()] },
    {
      ...{ name: 'verify-incomplete', status: 30 },
      args: () => ['verify', at('some'), ...trust()],
    },
    {
      ...{ name: 'unpack-set', status: 0 },
      args: () => ['unpack', at('usb'), '--to', `${target.host}/held`, ...trust()],
    },
    {
      ...{ name: 'resources-set', status: 0, isBrief: true },
      args: () => ['resources', at('usb'), '--to', 'registry.example.com:5000/held', ...trust()],
    },
    {
      ...{ name: 'imageset-check', status: 2, isBrief: true },
      args: () => ['imageset', 'check', at('imageset.yaml')],
    },
    {
      ...{ name: 'catalog-list', status: 0, isBrief: true },
      args: () => ['catalog', 'list', catalog, ...fetching],
    },
    {
      ...{ name: 'catalog-show', status: 0 },
      args: () => ['catalog', 'show', catalog, 'foo', ...fetching],
    },
    {
      ...{ name: 'catalog-why', status: 0, isBrief: true },
      args: () => ['catalog', 'why', catalog, 'foo', ...fetching],
    },
    {
      ...{ name: 'catalog-diff', status: 0, isBrief: true },
      args: () => ['catalog', 'diff', catalog, `${target.host}/ops/index:v4.22`, ...fetching],
    },
    {
      ...{ name: 'catalog-check', status: 0, isBrief: true },
      args: () => ['catalog', 'check', catalog, ...fetching],
    },
    {
      ...{ name: 'pack-chart', status: 0, isBrief: true },
      args: () => [
        ...['pack', '--chart', at('web-1.2.3.tgz'), '-o', at('user', 'stick'), ...fetching],
        ...['--key', at('fixed.pem')],
      ],
    },
    {
      ...{ name: 'history-list', status: 0, isBrief: true },
      args: () => ['history', 'list', ...kept()],
    },
    {
      ...{ name: 'history-sites', status: 0, isBrief: true },
      args: () => ['history', 'sites', ...kept()],
    },
    {
      ...{ name: 'receipt-show', status: 0, isBrief: true },
      args: () => ['receipt', 'show', received, ...trust()],
    },
    {
      ...{ name: 'receipt-check', status: 0, isBrief: true },
      args: () => ['receipt', 'check', received, ...trust()],
    },
    {
      ...{ name: 'prune-dry-run', status: 0, isBrief: true },
      args: () => ['prune', '--to', `${target.host}/ocp4`, '-c', at('delete.yaml'), ...kept()],
    },
  ];

  it.each(screens)('$name', async (screen) => expectScreen(screen, folder));
});
