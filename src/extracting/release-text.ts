import { platformOf } from '../kinds/release/tools/component-image.ts';
import type { OpenedRelease } from './opened-release.ts';

const BEGINNING = 'Client programs of OpenShift';
const INSTALLS = 'The installer in these archives installs this release:';
/** Where no installer is there, or one that may install something else. */
const BELONGS = 'These archives were taken out of this release:';
const UNPINNED =
  'The installers in these archives have no place for the release image, and may install another:';

const FORM = new RegExp(
  `^${BEGINNING}\\n\\n(?:${INSTALLS}|${BELONGS})\\n\\n` +
    'Name: +([A-Za-z0-9.+_-]+)\\nDigest: +(sha256:[0-9a-f]{64})\\nCreated: +[^\\n]*\\n' +
    'OS/Arch: +[^\\n]*\\nPull From: +([!-~]+)\\n' +
    `(?:\\n${UNPINNED}\\n((?:[A-Za-z0-9._+-]+\\n)+))?$`,
);

/** What release.txt says of the archives beside it. */
export interface ReleaseTextFacts {
  readonly version: string;
  readonly digest: string;
  /** The release image that installers ask for. */
  readonly pinned: string;
  /** Archives with an installer that the release image could not be written into. */
  readonly unpinned: readonly string[];
}

/** The archives that release.txt speaks of. */
export interface Described {
  readonly archives: readonly string[];
  readonly unpinned: readonly string[];
}

/**
 * The text of release.txt. Its lines have the labels of the file of that name on the official
 * download site, which scripts look for.
 */
export function releaseText(
  { release, pinned }: OpenedRelease,
  { archives, unpinned }: Described,
): string {
  const { version, digest, created } = release.facts;
  const hasInstaller = archives.some((name) => name.startsWith('openshift-install-'));
  return [
    BEGINNING,
    '',
    hasInstaller && unpinned.length === 0 ? INSTALLS : BELONGS,
    '',
    `Name:           ${version}`,
    `Digest:         ${digest}`,
    `Created:        ${created}`,
    `OS/Arch:        ${platformOf(release)}`,
    `Pull From:      ${pinned}`,
    ...(unpinned.length === 0 ? [] : ['', UNPINNED, ...unpinned]),
    '',
  ].join('\n');
}

/** @returns `undefined` for a text that this program has not written. */
export function parseReleaseText(text: string): ReleaseTextFacts | undefined {
  const [, version, digest, pinned, unpinned] = FORM.exec(text) ?? [];
  if (version === undefined || digest === undefined || pinned === undefined) return undefined;
  return { version, digest, pinned, unpinned: unpinned?.trimEnd().split('\n') ?? [] };
}
