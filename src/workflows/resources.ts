import type { Destinations } from '../release/destinations.ts';
import type { PlannedRelease } from './release.ts';

export interface ResourcesReport {
  readonly files: readonly string[];
  readonly nextSteps: readonly string[];
}

export async function writeResources(_release: PlannedRelease, _destinations: Destinations, _folder: string): Promise<ResourcesReport> {
  return { files: [], nextSteps: [] };
}
