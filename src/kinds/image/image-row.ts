import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asString, type JsonObject } from '../../core/json.ts';
import { isRepository, isTag, parseReference } from '../../core/reference.ts';
import { type ImagePartRequest, nameOfImage } from './request.ts';

/** What a row of `bundle.json` says of an image that goes to a path of its own. */
export interface ImageRow extends Pick<ImagePartRequest, 'reference' | 'path' | 'tag'> {
  /** `undefined` where its tag could not be resolved, and the bundle may lack it. */
  readonly digest: Digest | undefined;
}

/** The same as a row. */
export function imageRow({ reference, digest, path, tag }: ImageRow): JsonObject {
  const name = nameOfImage({ reference });
  return { reference: name, ...(digest !== undefined && { digest }), path, tag };
}

/** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that packing would not write. */
export function readImageRow(row: JsonObject): ImageRow {
  const reference = parseReference(asString(row['reference'], 'reference'));
  const digest = row['digest'] === undefined ? undefined : parseDigest(row['digest']);
  const [path, tag] = [asString(row['path'], 'path'), asString(row['tag'], 'tag')];
  const isNamed = reference.tag !== undefined || reference.digest !== undefined;
  const isSame = reference.digest === undefined || reference.digest === digest;
  if (isNamed && isSame && isRepository(path) && isTag(tag))
    return { reference, digest, path, tag };
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `the row of ${nameOfImage({ reference })} is wrong`,
    {
      expected: 'a reference with a tag or that digest, a path and a tag',
      got: `${path}:${tag}, ${digest ?? 'no digest'}`,
    },
  );
}
