import { describe, expect, it } from 'vitest';
import { tagOf } from '../../../../src/kinds/release/tags.ts';

describe('tagOf', () => {
  it('tags releases and components as oc does', () => {
    expect(tagOf('4.17.3', 'x86_64')).toBe('4.17.3-x86_64');
    expect(tagOf('4.17.3', 'x86_64', 'cli')).toBe('4.17.3-x86_64-cli');
    expect(tagOf('4.17.3', 'multi', 'cli')).toBe('4.17.3-multi-cli');
  });

  it('writes + as _', () => {
    expect(tagOf('4.17.3+a+b', 'x86_64')).toBe('4.17.3_a_b-x86_64');
  });

  it('refuses a tag over 128 characters, and one of other characters', () => {
    const longest = 'n'.repeat(128 - '4.17.3-x86_64-'.length);
    const usage = expect.objectContaining({ code: 'USAGE' }) as Error;
    expect(tagOf('4.17.3', 'x86_64', longest)).toHaveLength(128);
    expect(() => tagOf('4.17.3', 'x86_64', `${longest}n`)).toThrow(usage);
    expect(() => tagOf('4.17/3', 'x86_64')).toThrow(usage);
    expect(() => tagOf('-4.17.3', 'x86_64')).toThrow(usage);
  });
});
