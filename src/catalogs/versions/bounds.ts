import type { VersionBounds } from '../filter/request.ts';
import type { Range } from './range.ts';
import {
  compareVersions,
  type LenientVersion,
  parseLenientVersion,
  type Version,
} from './version.ts';

/** The ends of what was asked for, both included; a missing end is open. */
export interface ParsedBounds {
  readonly min: LenientVersion | undefined;
  readonly max: LenientVersion | undefined;
}

/** @returns the text that is no version, if one is none. */
export function parseBounds(bounds: VersionBounds): ParsedBounds | string {
  const { minVersion, maxVersion } = bounds;
  const min = minVersion === undefined ? undefined : parseLenientVersion(minVersion);
  const max = maxVersion === undefined ? undefined : parseLenientVersion(maxVersion);
  if (minVersion !== undefined && min === undefined) return minVersion;
  if (maxVersion !== undefined && max === undefined) return maxVersion;
  return { min, max };
}

/**
 * What people mean by two bounds. The versions of Red Hat are full of prereleases that are none:
 * 1.47.1-5 is build 5 of 1.47.1, although it comes before 1.47.1. So a minimum without a prerelease
 * includes all of its own.
 */
export function meantRange({ min, max }: ParsedBounds): Range {
  const lowest = min?.pre.length === 0 ? { ...min, pre: ['0'] } : min;
  return (version) =>
    (lowest === undefined || compareVersions(version, lowest) >= 0) &&
    (max === undefined || isAtMost(version, max));
}

/**
 * What oc-mirror makes of two bounds, with the rule of Masterminds/semver 3.4: a version with a
 * prerelease is in no range, unless one of the bounds has a prerelease, too.
 */
export function ocMirrorRange({ min, max }: ParsedBounds): Range {
  const takesPrereleases = [min, max].some((bound) => bound !== undefined && bound.pre.length > 0);
  return (version) =>
    (takesPrereleases || version.pre.length === 0) &&
    (min === undefined || compareVersions(version, min) >= 0) &&
    (max === undefined || isAtMost(version, max));
}

/** A bound of one or two numbers includes all versions that begin with them. */
function isAtMost(version: Version, max: LenientVersion): boolean {
  if (max.written === 3) return compareVersions(version, max) <= 0;
  if (version.major !== max.major) return version.major < max.major;
  return max.written === 1 || version.minor <= max.minor;
}

/** The bounds for messages: `from 1.2.0 to 1.4`. */
export function describeBounds({ minVersion, maxVersion }: VersionBounds): string {
  if (minVersion === undefined) return `up to ${maxVersion ?? 'any'}`;
  if (maxVersion === undefined) return `from ${minVersion} on`;
  return minVersion === maxVersion ? minVersion : `from ${minVersion} to ${maxVersion}`;
}
