import { BundleError } from '../../core/errors.ts';
import { HeldContent } from './held-content.ts';
import { readMirrorArchives } from './mirror-archives.ts';
import { readOcFolder } from './oc-folder.ts';

/** A folder that another program has filled, as the user names it. */
export interface HeldPlace {
  readonly writer: 'file' | 'oc-mirror';
  readonly folder: string;
  /** `sha256:…`, where it was written behind the folder; nobody has checked it. */
  readonly digest: string | undefined;
}

const PLACE = /^(file|oc-mirror):(.*?)(?:@(sha256:[0-9a-f]*))?$/s;

/**
 * Reads `file:DIR` and `oc-mirror:DIR`, with a digest or without one.
 * @returns `undefined` for anything else. @throws BundleError USAGE for a URL.
 */
export function parseHeldPlace(text: string): HeldPlace | undefined {
  const [, writer, folder = '', digest] = PLACE.exec(text) ?? [];
  if (writer !== 'file' && writer !== 'oc-mirror') return undefined;
  // `oc` and oc-mirror write file://: for one it is a repository, for the other a folder.
  if (folder !== '' && !/^\/\/[^/]/.test(folder)) return { writer, folder, digest };
  throw new BundleError('USAGE', `not a folder: ${text}`, {
    hint:
      writer === 'file'
        ? 'Write file:DIR, with the folder that you gave oc adm release mirror as --to-dir.'
        : 'Write oc-mirror:DIR, with the folder of mirror_000001.tar.',
  });
}

/** @throws BundleError NOT_FOUND, CONTENT_MISMATCH, UNSUPPORTED_CONTENT, DISK */
export async function openHeldPlace(
  { writer, folder }: HeldPlace,
  signal?: AbortSignal,
): Promise<HeldContent> {
  return new HeldContent(
    writer === 'file' ? await readOcFolder(folder) : await readMirrorArchives(folder, signal),
  );
}
