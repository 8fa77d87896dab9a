import { BundleError } from '../../core/errors.ts';

/** The words that release tags end with; `multi` is the index of all of them. */
export const ARCHITECTURES = ['x86_64', 'aarch64', 's390x', 'ppc64le', 'multi'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

const OCI_NAMES = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  s390x: 's390x',
  ppc64le: 'ppc64le',
} as const;

/**
 * Understands the words of release tags and those of image configs: `amd64` and `arm64`.
 * @throws BundleError USAGE listing the words.
 */
export function parseArchitecture(text: string): Architecture {
  const word =
    architectureOfOci(text) ?? ARCHITECTURES.find((architecture) => architecture === text);
  if (word !== undefined) return word;
  throw new BundleError('USAGE', `not an architecture: ${text}`, {
    hint: `Use one of ${ARCHITECTURES.join(', ')}.`,
  });
}

/** The name in image configs and index platforms (GOARCH); `multi` has none. */
export function ociArchitecture(architecture: Architecture): string | undefined {
  return architecture === 'multi' ? undefined : OCI_NAMES[architecture];
}

/**
 * The word for an architecture of an image config, or `undefined` when no release exists for it.
 */
export function architectureOfOci(name: string): Architecture | undefined {
  return ARCHITECTURES.find((architecture) => ociArchitecture(architecture) === name);
}
