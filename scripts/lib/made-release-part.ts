import { pathToFileURL } from 'node:url';

import { type PartRequest, partRequest } from '../../src/kinds/kind.ts';
import { releaseKind } from '../../src/kinds/release/release.ts';
import type { ReleaseRequest } from '../../src/kinds/release/request.ts';
import type { MadeRelease } from './made-release.ts';

/** How a release that was made into an image layout is asked for. */
export function madeReleasePart(
  made: MadeRelease,
  other: Partial<ReleaseRequest> = {},
): PartRequest {
  return partRequest(releaseKind, {
    version: made.version,
    architecture: 'x86_64',
    from: `oci:${made.layout!}`,
    releaseKeyFiles: [made.releaseKey],
    signatureStores: [pathToFileURL(made.signatureStore).href],
    allowUnsignedRelease: false,
    ...other,
  });
}
