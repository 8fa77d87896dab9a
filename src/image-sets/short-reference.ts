import { looksLikeHost, parseReference, type Reference } from '../core/reference.ts';

/** A reference, and the path that somebody has written in it. */
export interface WrittenReference {
  readonly reference: Reference;
  /** Without the registry, and without what a short name leaves out: `nginx`. */
  readonly path: string;
}

/** Where container engines look for a name without a registry. */
const DOCKER_HUB = 'docker.io';

/**
 * Parses a reference as container engines do: a name without a registry is one of Docker Hub, and a
 * single word is below `library` there.
 * @throws BundleError USAGE naming the part that is wrong.
 */
export function parseShortReference(text: string): WrittenReference {
  const bare = text.startsWith('docker://') ? text.slice('docker://'.length) : text;
  const slash = bare.indexOf('/');
  const isFull = slash !== -1 && looksLikeHost(bare.slice(0, slash));
  if (isFull) {
    const reference = parseReference(bare);
    return { reference, path: reference.repository };
  }
  const library = slash === -1 ? 'library/' : '';
  const reference = parseReference(`${DOCKER_HUB}/${library}${bare}`);
  return { reference, path: reference.repository.slice(library.length) };
}
