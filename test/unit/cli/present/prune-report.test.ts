import { expect, it } from 'vitest';

import { laidOut } from '../../../../src/cli/present/layout.ts';
import { pruneReport } from '../../../../src/cli/present/receipts/prune-report.ts';
import type { Screen } from '../../../../src/cli/present/screen.ts';
import type { PruneReport } from '../../../../src/workflows/prune/prune.ts';
import { receiptOf } from '../../../support/receipts.ts';

const place = { name: 'registry:5000/ocp4' };
const repository = { place, repository: 'ocp4', tags: [], going: [], looseTags: [], shared: [] };
const loose = [{ tag: 'a', digest: 'sha256:0' }];
const undone = { repository: 'ocp4', manifests: [], tags: [], stillGiven: [], tagsLeft: [] };

const told = (more: object): string => {
  const report = {
    ...{ target: 'registry:5000/ocp4', parts: [], repositories: [repository] },
    ...{ freed: { bytes: 0, blobs: 0 }, removed: undefined, outdated: [] },
    ...more,
  } as unknown as PruneReport;
  return JSON.stringify(pruneReport(report).report({ isVerbose: false } as Screen));
};

it('a prune that finds nothing says so, and asks for nothing more', () => {
  for (const removed of [undefined, [undone]]) {
    const words = told({ removed, parts: [{ key: 'a', label: 'chart a', stays: true, rows: [] }] });
    expect(words).toContain('["chart a","stays"]');
    expect(words).toContain('Nothing to remove from registry:5000/ocp4');
    expect(words).not.toMatch(/--yes|would go|manifests|Removed/);
  }
});

it('a prune that finds tags alone says that these may go', () => {
  const repositories = [{ ...repository, looseTags: loose }];
  const words = told({ repositories });
  expect(words).toContain('Nothing to remove from registry:5000/ocp4, except 1 tag of images');
  expect(words).toContain('To remove these tags, add --yes.');
  const removed = [{ ...undone, tagsLeft: ['a'] }];
  expect(told({ repositories, removed })).toContain(
    '1, on images that stay: this registry removes no tag without its image',
  );
  const gone = [{ ...undone, tags: ['a'] }];
  expect(told({ repositories, removed: gone })).toContain('Removed tags of images that stay from');
});

const part = { key: 'a', label: 'chart a', stays: false, rows: [] };
const going = [{ digest: 'sha256:1', size: 1, tags: ['a'], parts: ['a'], blobs: [] }];
const gone = [{ ...undone, manifests: ['sha256:1'], tags: ['a'] }];
const freed = { bytes: 2_000_000, blobs: 3 };
const full = { parts: [part], repositories: [{ ...repository, going }], removed: gone, freed };

it('a prune says what went, what stays and why, and what the registry has to do', () => {
  const kept = { key: 'b', label: 'chart b', stays: true, why: 'among the newest', rows: [] };
  const shared = [{ digest: 'sha256:2', images: [], parts: ['a'], why: 'chart b stays' }];
  const words = told({
    ...full,
    parts: [part, kept],
    repositories: [{ ...repository, going, shared }],
  });
  expect(words).toContain('Removed chart a from registry:5000/ocp4');
  expect(words).toContain('["chart a","removed: 1 manifest, 1 stays"]');
  expect(words).toContain('["chart b","stays: among the newest"]');
  expect(words).toContain(
    'This manifest in registry:5000/ocp4 is kept, although the part is removed:',
  );
  expect(words).toContain('up to 2.00 MB, when the registry collects garbage');
  expect(told({ ...full, removed: undefined })).toContain(
    'Dry run: this would remove chart a from registry:5000/ocp4. Nothing was removed.',
  );
  const planned = [{ ...repository, going, shared: [...shared, ...shared], looseTags: loose }];
  const dry = told({ ...full, removed: undefined, repositories: planned });
  expect(dry).toContain(
    'These 2 manifests in registry:5000/ocp4 would be kept, although the part would be removed:',
  );
  expect(dry).toContain('["tags left","1, if this registry cannot remove a tag alone"]');
});

it('a prune says once of all tags that nothing accounts for what they may be of', () => {
  const of = (tag: string) => ({ digest: tag, images: [], parts: ['a'], why: 'in the list', tag });
  const repositories = [
    { ...repository, shared: [of('t'), of('u')] },
    { ...repository, shared: [of('v')] },
  ];
  const words = told({ ...full, repositories });
  const text =
    '3 manifests stay because tags such as t name them. No receipt and no bundle given here ' +
    'accounts for these tags. If they are of a bundle that was unpacked without a receipt, name ' +
    'its file: bundle prune BUNDLE …';
  expect(words.split(text)).toHaveLength(2);
  expect(words).not.toMatch(/in the list|although/);
});

const issued = { ...receiptOf([]), signer: 'a'.repeat(64) };

it('a prune that wrote a receipt says that it has to be carried back', () => {
  const receipt = { path: '/media/usb/receipt-a.json', paper: [], receipt: issued };
  expect(told({ ...full, receipt })).toContain(
    'bundle history import receipt-a.json --trusted-key KEY.pub',
  );
  expect(told(full)).not.toContain('history import');
});

it.each([
  ['Quay', /Quay/, /Harbor|Nexus|distribution|garbage-collect/],
  ['Harbor', /Clean Up/, /Quay|Nexus|distribution|garbage-collect/],
  [undefined, /Quay.*Harbor.*Nexus.*distribution.*registry garbage-collect CONFIG/, /^$/],
])('a prune says what frees the space at %s', (product, there, absent) => {
  const words = told({ ...full, product });
  expect(words).toContain('frees the space when it collects garbage, not before');
  expect(words).toMatch(there);
  expect(words).not.toMatch(absent);
});

it('a prune of a registry that still gives what it removed says what to do', () => {
  const removed = [{ ...undone, stillGiven: ['sha256:1'] }];
  const words = told({ ...full, removed });
  expect(words).toContain('NOT ALL REMOVED: registry:5000/ocp4 still gives 1 manifest');
  expect(words).toContain('Run the same command again.');
});

it('a prune that is done fits a terminal of 80 columns, the verdict first', () => {
  const kept = { key: 'b', label: 'release 4.17.5 x86_64', stays: true, why: 'among the newest' };
  const parts = [
    { ...part, label: 'release 4.17.3 x86_64' },
    { ...kept, rows: [] },
  ];
  const screen = { isVerbose: false, hasColor: false, hasUnicode: true, columns: 80 };
  const report = {
    ...{ target: 'registry:5000/ocp4', product: undefined, parts, removed: gone, outdated: [] },
    ...{ repositories: [{ ...repository, going }], freed, receipt: undefined },
  } as unknown as PruneReport;
  expect(laidOut(pruneReport(report).report(screen), screen).split('\n')).toEqual([
    'Removed release 4.17.3 x86_64 from registry:5000/ocp4',
    '',
    'part                   what becomes of it',
    'release 4.17.3 x86_64  removed: 1 manifest',
    'release 4.17.5 x86_64  stays: among the newest',
    '',
    'removed  1 manifest, 1 tag',
    'frees    up to 2.00 MB, when the registry collects garbage',
    '',
    'The registry frees the space when it collects garbage, not before. What to do:',
    'Quay          nothing: it collects by itself, after the time in which tags can',
    '              be brought back',
    'Harbor        nothing if a collection is scheduled; else start it:',
    '              Administration, Clean Up',
    'Nexus         the tasks "Docker - Delete unused manifests and images" and "Admin',
    '              - Compact blob store"',
    'distribution  see that nobody pushes, run the command below on its host, and',
    '              restart it. CONFIG is its configuration file, in its container',
    '              /etc/docker/registry/config.yml, or from version 3 on',
    '              /etc/distribution/config.yml',
    '  registry garbage-collect CONFIG',
  ]);
});
