import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../src/core/digest.ts';
import { BundleError } from '../../../src/core/errors.ts';
import { conflictsIn } from '../../../src/delivering/target-tags.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import type { ImageRequest, PlannedImage } from '../../../src/transfer/image.ts';
import type { TagState } from '../../../src/transfer/tags.ts';
import { manifestOf } from '../transfer/images.ts';

const store = new MemoryStore('r.example.com/x');
const current = digestOf(Buffer.from('another image'));

/** A tag that names another image than the bundle has for it. */
function taken(tag: string, where: Pick<ImageRequest, 'place' | 'attachment'>): TagState {
  const { descriptor } = manifestOf(tag, []);
  const image: PlannedImage = {
    ...{ name: tag, role: 'image', descriptor, source: `quay.io/a@${descriptor.digest}` },
    ...{ tags: [tag], proof: 'signer', order: 'first', store, ...where },
    ...{ parts: [0], manifests: [descriptor], blobs: [] },
  };
  return { image, tag, target: store, current };
}

const release = taken('4.17.3-x86_64', { place: 'entry' });
const component = taken('4.17.3-x86_64-cli', { place: 'content' });
const signature = taken('sha256-abc.sig', { place: 'content', attachment: 'tag' });
const tool = taken('latest', { place: '/team/tool' });

function hintOn(...tags: readonly TagState[]): string | undefined {
  try {
    conflictsIn(tags, false);
  } catch (error) {
    if (error instanceof BundleError && error.code === 'TAG_CONFLICT') return error.hint;
    throw error;
  }
  return undefined;
}

describe('a tag that names another image at the target', () => {
  it.each([
    ['of a release', [release], 'who set this one. --replace-tags overwrites it. With another'],
    ['of a component', [component], 'who set this one. --replace-tags overwrites it. With another'],
    ['of a release, and more of it', [release, component], 'who set these. --replace-tags over'],
  ])('is somebody’s doing where it is %s', (_, tags, says) => {
    const hint = hintOn(...tags);
    expect(hint).toContain('The tag of a release never moves: find out ');
    expect(hint).toContain(says);
    expect(hint).not.toContain('month');
  });

  it.each([
    ['of a catalog or another image', [tool]],
    ['of what is attached to a release', [signature]],
  ])('has moved on where it is %s', (_, tags) => {
    const hint = hintOn(...tags);
    expect(hint).toContain('move from month to month: --replace-tags lets them name ');
    expect(hint).not.toContain('release');
  });

  it('is named where it is one of a release among others', () => {
    const hint = hintOn(tool, release);
    expect(hint).toContain('who set r.example.com/x:4.17.3-x86_64. Tags of catalogs and of other');
    expect(hint).toContain('--replace-tags overwrites all of them.');
  });

  it('is replaced where that is wanted', () => {
    expect(conflictsIn([tool, release], true)).toEqual([tool, release]);
  });
});
