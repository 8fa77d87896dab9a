import { readAll } from '../core/bytes.ts';
import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../core/limits.ts';
import { findFiles } from './image-files.ts';
import type { OpenedRelease } from './opened-release.ts';

const FOLDER = 'release-manifests';
/** A name, and no path. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const LISTED = 8;

/**
 * A file of the payload, in `release-manifests/` of the release image, as it is there.
 * @throws BundleError USAGE for what is no file name; NOT_FOUND naming files that are there.
 */
export async function readPayloadFile(
  name: string,
  { release, content }: OpenedRelease,
  { signal, observe }: Context,
): Promise<Uint8Array> {
  const plain = name.startsWith(`${FOLDER}/`) ? name.slice(FOLDER.length + 1) : name;
  if (!NAME.test(plain)) {
    throw new BundleError('USAGE', `--file: ${JSON.stringify(name)} is not a file name`, {
      hint: `Name a file of ${FOLDER}/, such as release-metadata.`,
    });
  }
  const [image] = release.images;
  const layers = image?.manifest.kind === 'manifest' ? image.manifest.layers : [];
  let bytes: Uint8Array | undefined;
  const path = `${FOLDER}/${plain}`;
  const found = await findFiles(
    { called: 'the release image', layers, store: content.root },
    [path],
    async (_, file) => {
      if (file.size > MAX_PAYLOAD_FILE_BYTES) {
        throw new BundleError('UNSUPPORTED_CONTENT', `${path} has ${file.size} bytes`, {
          expected: `${MAX_PAYLOAD_FILE_BYTES} bytes at most`,
          got: `${file.size} bytes`,
          hint: 'No genuine release has such a file: do not trust it.',
        });
      }
      bytes = await readAll(file.content, MAX_PAYLOAD_FILE_BYTES, path);
    },
    { signal, observe },
  );
  if (found.has(path) && bytes !== undefined) return bytes;
  const names = found.filesIn(FOLDER);
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
  const { version } = release.facts;
  throw new BundleError('NOT_FOUND', `the payload of ${version} has no file ${plain}`, {
    expected: plain,
    hint: `It has ${closest(plain, names).slice(0, LISTED).join(', ')}${more}.`,
  });
}

/** Names that have most of the beginning of another one in common come first. */
function closest(name: string, names: readonly string[]): readonly string[] {
  const common = (other: string): number => {
    let length = 0;
    while (length < name.length && name[length] === other[length]) length += 1;
    return length;
  };
  return names.toSorted((a, b) => common(b) - common(a));
}
