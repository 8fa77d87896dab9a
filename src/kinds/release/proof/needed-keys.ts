import { MAX_KEY_BYTES } from '../../../core/limits.ts';
import { readGivenFile } from '../../../files/small-file.ts';
import { PINNED_RELEASE_KEYS } from '../../../trust/pinned-release-keys.ts';
import { readReleaseKeys } from '../../../trust/release-keys.ts';
import type { Part } from '../../kind.ts';
import { RELEASE } from '../expand.ts';
import type { ReleaseFacts } from '../payload/release-image.ts';

/**
 * Of the key files that were given, those without which nobody can check the releases among some
 * parts: the keys in them have signed one, and are not built in.
 * @throws BundleError CONFIGURATION, NOT_FOUND, DISK
 */
export async function neededKeyFiles(
  files: readonly string[],
  parts: readonly Part[],
): Promise<readonly string[]> {
  const releases = parts.filter(({ kind }) => kind === RELEASE) as readonly Part<ReleaseFacts>[];
  const signers = new Set(
    releases.flatMap(({ facts }) => facts.signatures.map(({ fingerprint }) => fingerprint)),
  );
  for (const { fingerprint } of await readReleaseKeys(PINNED_RELEASE_KEYS))
    signers.delete(fingerprint);
  const needed: string[] = [];
  for (const name of new Set(files)) {
    const keys = await readReleaseKeys([
      { name, content: await readGivenFile(name, MAX_KEY_BYTES) },
    ]);
    if (keys.some(({ fingerprint }) => signers.has(fingerprint))) needed.push(name);
  }
  return needed;
}
