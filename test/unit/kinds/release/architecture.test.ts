import { describe, expect, it } from 'vitest';
import {
  architectureOfOci,
  ARCHITECTURES,
  ociArchitecture,
  parseArchitecture,
} from '../../../../src/kinds/release/architecture.ts';

describe('architectures', () => {
  it.each([
    ['x86_64', 'x86_64', 'amd64'],
    ['amd64', 'x86_64', 'amd64'],
    ['aarch64', 'aarch64', 'arm64'],
    ['arm64', 'aarch64', 'arm64'],
    ['s390x', 's390x', 's390x'],
    ['ppc64le', 'ppc64le', 'ppc64le'],
    ['multi', 'multi', undefined],
  ])('understands %s', (text, word, oci) => {
    const architecture = parseArchitecture(text);
    expect(architecture).toBe(word);
    expect(ociArchitecture(architecture)).toBe(oci);
  });

  it('goes from the image config and back', () => {
    for (const architecture of ARCHITECTURES) {
      const oci = ociArchitecture(architecture);
      if (oci !== undefined) expect(architectureOfOci(oci)).toBe(architecture);
    }
    expect(architectureOfOci('riscv64')).toBeUndefined();
  });

  it.each(['', 'X86_64', 'i386', 'toString', ' multi'])('refuses %j', (text) => {
    expect(() => parseArchitecture(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
