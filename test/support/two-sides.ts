import { join } from 'node:path';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import type { MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import { makeReleaseIn } from './packable-release.ts';
import { startRegistry, type TestRegistry } from './registry.ts';
import { temporaryFolder, User } from './user.ts';

/** Two registries, and somebody at each of them. */
export interface Sides {
  readonly folder: string;
  readonly source: TestRegistry;
  readonly target: TestRegistry;
  readonly packer: User;
  readonly operator: User;
  /** Where something of this name is, or will be, in the folder of both. */
  readonly place: (name: string) => string;
  readonly remove: () => Promise<void>;
}

/** Two registries of which one has a release. */
export interface TwoSides extends Sides {
  readonly made: MadeRelease;
  /** A folder that is carried from one to the other; not there yet. */
  readonly medium: string;
  /** What every command needs to believe in the release. */
  readonly trust: readonly string[];
  /** What a command needs to fetch it. */
  readonly fetching: readonly string[];
}

/** @param name of the folder for temporary files. */
export async function emptySides(name: string): Promise<Sides> {
  const temporary = await temporaryFolder(name);
  const place = (inside: string): string => join(temporary.path, inside);
  const [source, target] = await Promise.all([startRegistry(), startRegistry()]);
  return {
    folder: temporary.path,
    ...{ source, target, place },
    packer: await User.new(place('connected')),
    operator: await User.new(place('closed')),
    remove: async () => {
      await Promise.all([source.stop(), target.stop()]);
      await temporary.remove();
    },
  };
}

/** @param name of the folder for temporary files. */
export async function twoSides(
  name: string,
  options: Omit<MakeReleaseOptions, 'out' | 'destination'>,
): Promise<TwoSides> {
  const sides = await emptySides(name);
  const { source, place } = sides;
  const made = await makeReleaseIn(source, place('release'), options);
  const trust = ['--release-key', made.releaseKey];
  return {
    ...sides,
    ...{ made, trust },
    medium: place('medium'),
    fetching: [
      ...['--mirror', `quay.io=${source.host}`, '--signature-store', made.signatureStore],
      ...trust,
    ],
  };
}
