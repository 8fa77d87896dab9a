import type { Digest } from '../../../core/digest.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import { asObject, asString, isObject, type Json, parseStrictJson } from '../../../core/json.ts';
import { parseReference, type Reference } from '../../../core/reference.ts';
import { oneLine } from '../../../core/text.ts';
import { type Architecture, ARCHITECTURES } from '../architecture.ts';
import { parse } from '../../../yaml/documents.ts';

/** The file of the payload that lists what nodes boot from: the config map `coreos-bootimages`. */
export const BOOT_IMAGES = '0000_50_installer_coreos-bootimages.yaml';

/** The role of the image that virtual machines of KubeVirt boot from. */
export const KUBEVIRT = 'kubevirt';

const SINGLE = ARCHITECTURES.filter((architecture) => architecture !== 'multi');

/** How tags call it, after oc-mirror. */
const NAME = 'kube-virt-container';

/** A disk of virtual machines that are nodes, in an image that only that config map names. */
export interface KubeVirtImage {
  /** The end of its tag. */
  readonly name: string;
  readonly architecture: Architecture;
  readonly reference: Reference & { readonly digest: Digest };
}

/**
 * The KubeVirt images that a release has for its architecture, or for all where it is `multi`.
 * @param bytes of {@link BOOT_IMAGES}; `undefined` where the payload has no such file.
 * @throws BundleError UNSUPPORTED_CONTENT for a config map without a stream, and for an image that
 * is not named by digest alone.
 */
export function parseKubeVirtImages(
  bytes: Uint8Array | undefined,
  architecture: Architecture,
): readonly KubeVirtImage[] {
  if (bytes === undefined) return [];
  const stream = parseStrictJson(Buffer.from(streamIn(bytes)), `the stream of ${BOOT_IMAGES}`);
  const all = asObject(asObject(stream, 'the stream')['architectures'], 'its architectures');
  const wanted = architecture === 'multi' ? SINGLE : [architecture];
  const found = wanted.flatMap((own) => {
    const text = valueAt(all, [own, 'images', KUBEVIRT, 'digest-ref']);
    // The tools of the publisher write an empty text for none, too.
    if (text === undefined || text === null || text === '') return [];
    return [{ architecture: own, reference: referenceIn(text, own) }];
  });
  return found.map((image) => ({
    name: found.length > 1 ? `${NAME}-${image.architecture}` : NAME,
    ...image,
  }));
}

function streamIn(bytes: Uint8Array): string {
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString('utf8'), { maxAliasCount: 0 });
  } catch (error) {
    const why = error instanceof Error ? oneLine(error.message.split('\n')[0] ?? '') : '';
    throw refused(`${BOOT_IMAGES} is no valid YAML: ${why}`, error);
  }
  const map = asObject((value ?? null) as Json, BOOT_IMAGES);
  return asString(asObject(map['data'], `data of ${BOOT_IMAGES}`)['stream'], 'its stream');
}

function valueAt(value: Json, keys: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const key of keys) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at;
}

function referenceIn(value: Json, architecture: Architecture): KubeVirtImage['reference'] {
  const text = asString(value, `the KubeVirt image for ${architecture} in ${BOOT_IMAGES}`);
  let reference: Reference | undefined;
  try {
    reference = parseReference(text);
  } catch (error) {
    if (!hasCode(error, 'USAGE')) throw error;
  }
  const { digest, ...rest } = reference ?? {};
  if (reference !== undefined && digest !== undefined && reference.tag === undefined)
    return { ...reference, ...rest, digest };
  throw refused(
    `${BOOT_IMAGES} should name the KubeVirt image for ${architecture} by digest alone, ` +
      `but it is ${text}`,
  );
}

function refused(message: string, cause?: unknown): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    hint: 'Ask the publisher of the release; or leave its KubeVirt image out.',
    cause,
  });
}
