import { join } from 'node:path';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import type { MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import { makeReleaseIn } from './packable-release.ts';
import { startRegistry, type TestRegistry } from './registry.ts';
import { temporaryFolder, User } from './user.ts';

/** A registry with a release and one without, and somebody at each of them. */
export interface TwoSides {
  readonly folder: string;
  readonly source: TestRegistry;
  readonly target: TestRegistry;
  readonly made: MadeRelease;
  readonly packer: User;
  readonly operator: User;
  /** A folder that is carried from one to the other; not there yet. */
  readonly medium: string;
  /** What every command needs to believe in the release. */
  readonly trust: readonly string[];
  /** What a command needs to fetch it. */
  readonly fetching: readonly string[];
  readonly remove: () => Promise<void>;
}

/** @param name of the folder for temporary files. */
export async function twoSides(
  name: string,
  options: Omit<MakeReleaseOptions, 'out' | 'destination'>,
): Promise<TwoSides> {
  const temporary = await temporaryFolder(name);
  const path = (inside: string): string => join(temporary.path, inside);
  const [source, target] = await Promise.all([startRegistry(), startRegistry()]);
  const made = await makeReleaseIn(source, path('release'), options);
  const trust = ['--release-key', made.releaseKey];
  return {
    folder: temporary.path,
    ...{ source, target, made, trust },
    packer: await User.new(path('connected')),
    operator: await User.new(path('closed')),
    medium: path('medium'),
    fetching: [
      ...['--mirror', `quay.io=${source.host}`, '--signature-store', made.signatureStore],
      ...trust,
    ],
    remove: async () => {
      await Promise.all([source.stop(), target.stop()]);
      await temporary.remove();
    },
  };
}
