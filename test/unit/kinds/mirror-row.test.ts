import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../src/core/digest.ts';
import { parseTarget, planDestinations } from '../../../src/kinds/destinations.ts';
import { mirrorRows } from '../../../src/kinds/mirror-row.ts';
import type { Place, WalkedImage } from '../../../src/transfer/image.ts';

const at = planDestinations({ to: parseTarget('r.example.com:5000/ocp4') });

/** An image as the world knows it. */
function known(repository: string, place: Place, attachment?: 'tag'): WalkedImage {
  const source = `${repository}@${digestOf(repository)}`;
  return {
    request: { source, place, attachment, order: place === 'entry' ? 'last' : 'first' },
  } as WalkedImage;
}

describe('mirrorRows', () => {
  it('says for each image where clusters ask for it, and where they shall ask', () => {
    const images = [known('quay.io/a/releases', 'entry'), known('quay.io/a/b', 'content')];
    expect(mirrorRows(images, at, 'release')).toEqual([
      {
        ...{ source: 'quay.io/a/releases', knownBy: 'both', group: 'release' },
        mirror: 'r.example.com:5000/ocp4/openshift/release-images',
      },
      {
        ...{ source: 'quay.io/a/b', knownBy: 'digest', group: 'release' },
        mirror: 'r.example.com:5000/ocp4/openshift/release',
      },
    ]);
  });

  it('does not care where something was found that is attached to an image', () => {
    expect(mirrorRows([known('b.io/signatures', 'content', 'tag')], at, 'generic')).toEqual([]);
  });
});
