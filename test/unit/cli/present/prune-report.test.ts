import { expect, it } from 'vitest';

import { pruneReport } from '../../../../src/cli/present/receipts/prune-report.ts';
import type { Screen } from '../../../../src/cli/present/screen.ts';
import type { PruneReport } from '../../../../src/workflows/prune/prune.ts';

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
    expect(words).not.toMatch(/--yes|would go|manifests|shared|Removed/);
  }
});

it('a prune that finds tags alone says that these may go', () => {
  const repositories = [{ ...repository, looseTags: loose }];
  const words = told({ repositories });
  expect(words).toContain('Nothing to remove from registry:5000/ocp4, except 1 tag of images');
  expect(words).toContain('To remove these tags, add --yes.');
  const removed = [{ ...undone, tagsLeft: ['a'] }];
  expect(told({ repositories, removed })).toContain('1: the registry removes no tag alone');
  const gone = [{ ...undone, tags: ['a'] }];
  expect(told({ repositories, removed: gone })).toContain('Removed from');
});
