import type { Digest } from './digest.ts';

/**
 * A descriptor names a blob by its type, its digest and its size in bytes (OCI image-spec,
 * descriptor.md).
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}
