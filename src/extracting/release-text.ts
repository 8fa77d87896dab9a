import { imageArchitectures } from '../kinds/release/tools/component-image.ts';
import type { OpenedRelease } from './opened-release.ts';

/**
 * The text of release.txt. Its lines have the labels of the file of that name on the official
 * download site, which scripts look for.
 */
export function releaseText({ release, pinned }: OpenedRelease): string {
  const { version, digest, created, architecture } = release.facts;
  const [first] = imageArchitectures(release);
  const platform = architecture === 'multi' ? `multi (linux/${first})` : `linux/${first}`;
  return [
    'Client programs of OpenShift',
    '',
    'The installer in these archives installs this release:',
    '',
    `Name:           ${version}`,
    `Digest:         ${digest}`,
    `Created:        ${created}`,
    `OS/Arch:        ${platform}`,
    `Pull From:      ${pinned}`,
    '',
  ].join('\n');
}
