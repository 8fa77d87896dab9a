import type { Digest } from './digest.ts';

/**
 * What names a blob: its type, its digest and its size in bytes (OCI image-spec, descriptor.md).
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}
