import { type ByteStream, readAll } from '../../../core/bytes.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../../../core/limits.ts';
import type { BOOT_IMAGES } from './boot-images.ts';
import { chunksOf, forEachTarEntry, type TarEntry, type UnpackBudget } from './layer-tar.ts';

export type PayloadFileName = 'image-references' | 'release-metadata' | typeof BOOT_IMAGES;

/**
 * A file's bytes; `deleted` when the layer hides the file from the layers below; absent when it
 * says nothing of it.
 */
export type LayerFindings = ReadonlyMap<PayloadFileName, Uint8Array | 'deleted'>;

const FOLDER = 'release-manifests';

/**
 * Looks for some of the payload's files in one layer. Names are compared, never used as paths.
 * @throws BundleError what `content` throws; UNSUPPORTED_CONTENT for no layer, one name twice, or a
 * file over the ceiling.
 */
export async function searchLayer(
  content: ByteStream,
  names: readonly PayloadFileName[],
  budget: UnpackBudget,
  signal?: AbortSignal,
): Promise<LayerFindings> {
  const files = new Map<PayloadFileName, Uint8Array>();
  const deleted = new Set<PayloadFileName>();
  const visit = async (entry: TarEntry): Promise<void> => {
    const name = plainName(entry);
    for (const hidden of hiddenBy(name, entry.header.type, names)) deleted.add(hidden);
    const wanted = names.find((file) => name === `${FOLDER}/${file}`);
    if (wanted === undefined || entry.header.type !== 'file') return;
    if (files.has(wanted)) throw refused(`it holds ${name} twice`);
    files.set(wanted, await readFile(entry, name));
  };
  await forEachTarEntry(content, budget, visit, signal);
  const findings = new Map<PayloadFileName, Uint8Array | 'deleted'>(
    [...deleted].map((name) => [name, 'deleted']),
  );
  for (const [name, bytes] of files) findings.set(name, bytes);
  return findings;
}

/**
 * The payload files that an entry hides in the layers below: whiteouts (OCI image-spec, layer.md,
 * "Whiteouts"), and everything that is neither file nor folder under a name of the payload, which
 * takes that name.
 */
function hiddenBy(
  name: string,
  type: TarEntry['header']['type'],
  names: readonly PayloadFileName[],
): readonly PayloadFileName[] {
  if ([`.wh.${FOLDER}`, '.wh..wh..opq', `${FOLDER}/.wh..wh..opq`].includes(name)) return names;
  if (name === FOLDER && type !== 'directory') return names;
  return names.filter(
    (file) => name === `${FOLDER}/.wh.${file}` || (name === `${FOLDER}/${file}` && type !== 'file'),
  );
}

async function readFile(entry: TarEntry, name: string): Promise<Uint8Array> {
  if (entry.header.size > MAX_PAYLOAD_FILE_BYTES)
    throw refused(`${name} is larger than ${MAX_PAYLOAD_FILE_BYTES} bytes`);
  return readAll(chunksOf(entry), MAX_PAYLOAD_FILE_BYTES, name);
}

/** The name without the `./` that some tars put in front, and the slash that ends a folder's. */
function plainName({ header }: TarEntry): string {
  return header.name.replace(/^\.\//, '').replace(/\/$/, '');
}

function refused(message: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    hint: 'Check that the image is an OpenShift release image.',
  });
}
