import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../../src/updates/version-order.ts';

describe('compareVersions', () => {
  it('orders as semver.org does', () => {
    const ordered = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '4.9.12',
      '4.10.0-fc.2',
      '4.10.0-rc.0',
      '4.10.0',
      '4.10.9',
      '4.10.18',
    ];
    for (const [left, a] of ordered.entries()) {
      for (const [right, b] of ordered.entries()) {
        expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(left - right));
      }
    }
  });

  it('does not count build metadata, also as tags have it', () => {
    expect(compareVersions('4.17.3+build.7', '4.17.3')).toBe(0);
    expect(compareVersions('4.17.3_build.7', '4.17.3+build.8')).toBe(0);
  });
});
