import type { Context } from '../core/context.ts';
import { manifestFolder } from '../network/network.ts';
import { clearKept, type KeptSize } from '../stores/kept/kept-manifests.ts';

export interface ClearedCache extends KeptSize {
  readonly folder: string;
}

/** Removes the manifests that earlier runs have kept. @throws BundleError DISK */
export async function clearCache({ environment }: Context): Promise<ClearedCache> {
  const folder = manifestFolder(environment);
  return { folder, ...(await clearKept(folder)) };
}
