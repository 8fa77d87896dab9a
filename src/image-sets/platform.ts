import type { VersionBounds } from '../catalogs/filter/request.ts';
import { parseReference } from '../core/reference.ts';
import { nearest } from '../core/text.ts';
import { hasBounds, readBounds } from './bounds.ts';
import type { Fields, Text } from './fields.ts';
import type { ImagePlatform, PlatformSet, ReleaseChannel } from './image-set.ts';
import { readNamed, refuseRepeated } from './named.ts';
import { parseVersion } from './versions.ts';

/** As update services call them. */
const ARCHITECTURES = ['amd64', 'arm64', 'ppc64le', 's390x', 'multi'];

/** What people write who think of the tags of releases. */
const OTHER_WORDS: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

export function readPlatform(fields: Fields): PlatformSet {
  const architectures = fields.texts('architectures');
  architectures.forEach(checkArchitecture);
  refuseRepeated(architectures, 'the architecture');
  const platforms = readPlatforms(fields);
  if (architectures.length > 0 && platforms.length > 0) {
    const hint =
      'Keep architectures for releases of one architecture each, or platforms for parts of multi.';
    const message = 'platforms and architectures exclude each other';
    fields.value('platforms')!.error('contradiction', message, hint);
  }
  const channels = readNamed(fields.mappings('channels'), 'the channel', readChannel);
  const release = fields.text('release');
  release?.at.parsed(() => parseReference(release.value));
  if (release !== undefined && channels.length > 0) {
    const message = `release in line ${release.at.line} takes the place of all channels`;
    fields.value('channels')!.warn('no-effect', message);
  }
  return {
    line: fields.line,
    graph: fields.flag('graph'),
    channels,
    architectures: architectures.map(({ value }) => value),
    platforms,
    ...(release !== undefined && { release: release.value }),
    kubeVirtContainer: fields.flag('kubeVirtContainer'),
  };
}

/** The platforms that images of several are cut down to. */
export function readPlatforms(fields: Fields): readonly ImagePlatform[] {
  return fields.mappings('platforms').map((each) => {
    const [os, architecture] = [each.requiredText('os'), each.requiredText('architecture')];
    if (architecture?.value === 'multi') {
      const hint = 'Leave platforms out to take all of them.';
      architecture.at.error('never-matches', 'multi is not the architecture of a platform', hint);
    } else if (architecture !== undefined) checkArchitecture(architecture);
    return { os: os?.value ?? '', architecture: architecture?.value ?? '' };
  });
}

function checkArchitecture({ value, at }: Text): void {
  if (ARCHITECTURES.includes(value)) return;
  const meant = OTHER_WORDS[value.toLowerCase()] ?? nearest(value, ARCHITECTURES);
  const hint = `Write one of ${ARCHITECTURES.join(', ')}.`;
  const message = `nothing exists for the architecture ${value}`;
  at.error('never-matches', message, meant === undefined ? hint : `Did you mean ${meant}? ${hint}`);
}

function readChannel(fields: Fields, name: string): ReleaseChannel {
  const type = fields.text('type');
  if (type !== undefined && !['ocp', 'okd'].includes(type.value)) {
    const message = `type ${type.value} is neither ocp nor okd`;
    type.at.warn('invalid-value', message, 'It is read as ocp, as oc-mirror does.');
  }
  const bounds = readBounds(fields, true);
  const [full, shortestPath] = [fields.flag('full'), fields.flag('shortestPath')];
  if (shortestPath && !hasBounds(bounds)) {
    const what = full ? 'full takes all releases' : 'the newest release alone is taken';
    const message = `shortestPath without minVersion and maxVersion has no effect: ${what}`;
    fields.value('shortestPath')!.warn('no-effect', message);
  }
  checkMinor(name, bounds, fields);
  return {
    ...{ line: fields.line, name },
    type: type?.value === 'okd' ? 'okd' : 'ocp',
    ...bounds,
    ...{ shortestPath, full },
  };
}

/** A channel has the releases of its own minor version, and older ones that lead to these. */
function checkMinor(channel: string, { minVersion }: VersionBounds, fields: Fields): void {
  const [, major, minor] = /-(\d+)\.(\d+)$/.exec(channel) ?? [];
  const least = parseVersion(minVersion ?? '')?.numbers;
  if (major === undefined || minor === undefined || least === undefined) return;
  const [ownMajor = 0n, ownMinor = 0n] = least;
  const isNewer = ownMajor === BigInt(major) ? ownMinor > BigInt(minor) : ownMajor > BigInt(major);
  if (!isNewer) return;
  const message = `the channel ${channel} has no release from ${minVersion!} on`;
  const hint = `Its newest ones are of ${major}.${minor}: take another channel, or a lower version.`;
  fields.value('minVersion')!.error('never-matches', message, hint);
}
