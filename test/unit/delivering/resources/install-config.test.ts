import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { installBlocks } from '../../../../src/delivering/resources/install-config.ts';

const repositories = [{ source: 'quay.io/a/b', mirrors: ['r.io/ocp4/b'] }];

function blocks(
  versions: readonly number[],
  sourcePolicy?: 'NeverContactSource',
  certificates: readonly string[] = [],
): Record<string, unknown> {
  const made = installBlocks(repositories, certificates, { versions, sourcePolicy });
  return Object.fromEntries(made.map(({ name, text }) => [name, parse(text)]));
}

describe('the blocks for install-config.yaml', () => {
  it('are the sources, under the name that the installer knows', () => {
    const digests = { imageDigestSources: repositories };
    expect(blocks([17])).toEqual({ 'image-digest-sources.yaml': digests });
    expect(blocks([])).toEqual({ 'image-digest-sources.yaml': digests });
    expect(blocks([13, 14])).toEqual({
      'image-digest-sources.yaml': digests,
      'image-content-sources.yaml': { imageContentSources: repositories },
    });
  });

  it('have the policy for the source only where each installer knows it', () => {
    const sourcePolicy = 'NeverContactSource';
    expect(blocks([21], sourcePolicy)['image-digest-sources.yaml']).toEqual({
      imageDigestSources: [{ ...repositories[0], sourcePolicy }],
    });
    expect(blocks([20, 21], sourcePolicy)['image-digest-sources.yaml']).toEqual({
      imageDigestSources: repositories,
    });
  });

  it('have the CA of the registry as one text', () => {
    expect(blocks([17], undefined, ['one\n', 'two\n'])['additional-trust-bundle.yaml']).toEqual({
      additionalTrustBundle: 'one\ntwo\n',
    });
  });
});
