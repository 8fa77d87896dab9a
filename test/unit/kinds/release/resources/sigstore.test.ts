import { describe, expect, it } from 'vitest';

import { signedImages } from '../../../../../src/kinds/release/resources/sigstore.ts';
import { releasePart } from '../../../../support/release-part.ts';

describe('signedImages', () => {
  const { images } = releasePart('4.21.0', {
    components: { cli: 1, etcd: 2, console: 3 },
    signed: ['release', 'etcd'],
  });

  it('counts the images of a role, and those that a signature is attached to', () => {
    expect(signedImages(images, 'release')).toEqual({ signed: 1, images: 1 });
    expect(signedImages(images, 'component')).toEqual({ signed: 1, images: 3 });
  });

  it('counts an image once that has two names', () => {
    expect(signedImages([...images, ...images], 'component')).toEqual({ signed: 1, images: 3 });
  });

  it('takes what else refers to an image for no signature', () => {
    const others = images.map(({ request, tree }) =>
      request.attachment === undefined
        ? { request, tree }
        : { request: { ...request, attachment: 'referrer' as const }, tree },
    );
    expect(signedImages(others, 'component').signed).toBe(0);
  });
});
