import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../../src/core/digest.ts';
import type { JsonObject } from '../../../../src/core/json.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import { type ImageFacts, imageKind } from '../../../../src/kinds/image/image.ts';
import { imageRequest, nameOfImage } from '../../../../src/kinds/image/request.ts';
import type { Part } from '../../../../src/kinds/kind.ts';

const DIGEST = digestOf('an image');
const HEX = DIGEST.slice('sha256:'.length);

function placeOf(name: string, target?: { path?: string; tag?: string }): readonly string[] {
  const request = imageRequest(name, target);
  return [nameOfImage(request), `${request.path}:${request.tag}`];
}

describe('imageRequest', () => {
  it.each([
    ['quay.io/team/tool:1.4', 'quay.io/team/tool:1.4', 'team/tool:1.4'],
    [`quay.io/a/b@${DIGEST}`, `quay.io/a/b@${DIGEST}`, `a/b:sha256-${HEX}`],
    [`quay.io/a/b:1@${DIGEST}`, `quay.io/a/b:1@${DIGEST}`, 'a/b:1'],
    ['docker://quay.io/a/b:1', 'quay.io/a/b:1', 'a/b:1'],
    ['nginx:1.16.0', 'docker.io/library/nginx:1.16.0', 'nginx:1.16.0'],
    ['bitnami/nginx:1', 'docker.io/bitnami/nginx:1', 'bitnami/nginx:1'],
    ['docker.io/library/nginx:1', 'docker.io/library/nginx:1', 'library/nginx:1'],
    ['localhost/a:1', 'localhost/a:1', 'a:1'],
    ['r.example.com:5000/a:1', 'r.example.com:5000/a:1', 'a:1'],
  ])('finds the place of %s', (name, full, place) => {
    expect(placeOf(name)).toEqual([full, place]);
  });

  it('takes another path and another tag', () => {
    expect(placeOf('quay.io/a/b:1', { path: 'x/y' })[1]).toBe('x/y:1');
    expect(placeOf('quay.io/a/b:1', { tag: '2' })[1]).toBe('a/b:2');
  });

  it.each([
    ['quay.io/a/b', {}],
    ['quay.io/A/b:1', {}],
    ['quay.io/a/b:1', { path: '/x' }],
    ['quay.io/a/b:1', { path: 'x:1' }],
    ['quay.io/a/b:1', { tag: 'a/b' }],
  ])('refuses %s to %j', (name, target) => {
    expect(() => imageRequest(name, target)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('the row of an image', () => {
  const good = { reference: 'quay.io/a/b:1', digest: DIGEST, path: 'x/y', tag: '1' };
  const read = (claim: JsonObject) =>
    imageKind.read(claim, new Map(), { releaseKeys: [], now: new Date(0) });

  it('is what packing has written', async () => {
    const seed = await read(good);
    expect(seed).toMatchObject({ digest: DIGEST, path: 'x/y', tag: '1' });
    expect(imageKind.digestOfClaim!(good)).toBe(imageKind.digestOf(seed));
  });

  it.each([
    { reference: 'quay.io/a/b' },
    { reference: 'nginx:1' },
    { reference: `quay.io/a/b@${digestOf('another')}` },
    { digest: 'sha256:1' },
    { path: '../x' },
    { path: '/x' },
    { path: 'X' },
    { tag: 'a/b' },
    { tag: '' },
    { tag: 1 },
  ])('is refused with %j', async (wrong) => {
    const claim = { ...good, ...wrong };
    await expect(read(claim)).rejects.toMatchObject({ name: 'BundleError' });
    expect(imageKind.digestOfClaim!(claim)).toBeUndefined();
  });

  it('gives the words that pack it again', () => {
    expect(imageKind.packWords([good, {}])).toEqual(['--image', 'quay.io/a/b:1=x/y:1']);
  });

  it('is another part for each name and each place of one image', async () => {
    const others = [{ reference: 'quay.io/a/b:2' }, { path: 'x' }, { tag: '2' }];
    const keys = [good, ...others.map((other) => ({ ...good, ...other }))].map((claim) =>
      imageKind.digestOfClaim!(claim),
    );
    expect(new Set(keys).size).toBe(4);
  });

  it('is called by its name, and by its place where that is another', () => {
    expect(imageKind.labelOf({ ...good, path: 'a/b' })).toBe('image quay.io/a/b:1');
    expect(imageKind.labelOf(good)).toBe('image quay.io/a/b:1 as x/y:1');
    const pinned = {
      ...good,
      reference: `quay.io/a/b@${DIGEST}`,
      path: 'a/b',
      tag: `sha256-${HEX}`,
    };
    expect(imageKind.labelOf(pinned)).toBe(`image quay.io/a/b@${DIGEST}`);
  });
});

describe('the mirrors of an image', () => {
  const at = planDestinations({ to: parseTarget('r.io/ns') });
  const rowsOf = (name: string) => {
    const request = imageRequest(name);
    const { registry, repository } = request.reference;
    const source = `${registry}/${repository}@${DIGEST}`;
    const part = {
      facts: { ...request, digest: DIGEST },
      images: [{ request: { source, place: `/${request.path}`, order: 'last' } }],
    } as unknown as Part<ImageFacts>;
    return imageKind.resources(part, at).mirrors;
  };

  it.each([
    ['quay.io/a/b:1', 'tag'],
    [`quay.io/a/b@${DIGEST}`, 'digest'],
    [`quay.io/a/b:1@${DIGEST}`, 'both'],
  ])('of %s are for what is asked for by %s', (name, knownBy) => {
    const row = { source: 'quay.io/a/b', mirror: 'r.io/ns/a/b', group: 'generic' };
    expect(rowsOf(name)).toEqual([{ ...row, knownBy }]);
  });

  it('have the name that container engines look up for a short one', () => {
    expect(rowsOf('nginx:1.16.0')).toMatchObject([
      { source: 'docker.io/library/nginx', mirror: 'r.io/ns/nginx' },
    ]);
  });
});
