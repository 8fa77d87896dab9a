/**
 * The names that releases use for their architecture, and those that their images say they run on.
 */
const ARCHITECTURES = {
  x86_64: ['amd64'],
  aarch64: ['arm64'],
  s390x: ['s390x'],
  ppc64le: ['ppc64le'],
  multi: ['amd64', 'arm64'],
} as const;

export type ReleaseArchitecture = keyof typeof ARCHITECTURES;

export function isReleaseArchitecture(text: string): text is ReleaseArchitecture {
  return Object.hasOwn(ARCHITECTURES, text);
}

/** The names that releases use for the architectures of their images. */
export function namesOf(architecture: ReleaseArchitecture): readonly ReleaseArchitecture[] {
  const names = releaseArchitectures().filter(isReleaseArchitecture);
  const own = platformsOf(architecture);
  return own.map((platform) => names.find((name) => platformsOf(name)[0] === platform)!);
}

/** Architectures of the images of a release; more than one where they are indexes. */
export function platformsOf(architecture: ReleaseArchitecture): readonly string[] {
  return ARCHITECTURES[architecture];
}

export function releaseArchitectures(): readonly string[] {
  return Object.keys(ARCHITECTURES);
}
