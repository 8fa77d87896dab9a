import { describe, expect, it } from 'vitest';

import { chosenOf, isMeant, isPlatform, parseManifest } from '../../../src/core/manifest.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/core/media-types.ts';

const arm = (variant?: string) => ({
  ...{ os: 'linux', architecture: 'arm' },
  ...(variant !== undefined && { variant }),
});

describe('a platform', () => {
  it.each([
    ['linux/arm', arm('v7'), true],
    ['linux/arm', arm(), true],
    ['linux/arm/v7', arm('v7'), true],
    ['linux/arm/v6', arm('v7'), false],
    ['linux/arm/v7', arm(), false],
    ['linux/arm64', arm(), false],
    ['windows/arm', arm(), false],
  ])('%s means %o: %s', (text, platform, expected) => {
    expect(isMeant(platform, text)).toBe(expected);
  });

  it.each([
    ['linux/amd64', true],
    ['linux/arm/v7', true],
    ['linux', false],
    ['linux/amd64/', false],
    ['Linux/amd64', false],
    ['linux/amd64,linux/arm64', false],
  ])('is written so: %s, %s', (text, expected) => {
    expect(isPlatform(text)).toBe(expected);
  });

  it('chooses manifests of an index in its order, and none without a platform', () => {
    const row = (name: string, platform?: object) => ({
      ...{ mediaType: OCI_MANIFEST, digest: digestOf(name), size: 1 },
      ...(platform !== undefined && { platform }),
    });
    const manifests = [row('7', arm('v7')), row('attestation'), row('6', arm('v6'))];
    const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    const index = parseManifest(Buffer.from(JSON.stringify(document)));
    if (index.kind !== 'index') throw new TypeError('an index was read as something else');
    const chosen = (...platforms: readonly string[]) =>
      chosenOf(index, platforms).map(({ digest }) => digest);
    expect(chosen('linux/arm/v6', 'linux/arm/v7')).toEqual([digestOf('7'), digestOf('6')]);
    expect(chosen('linux/arm/v6')).toEqual([digestOf('6')]);
  });
});
