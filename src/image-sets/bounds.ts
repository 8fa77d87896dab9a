import type { VersionBounds } from '../catalogs/filter/request.ts';
import type { Fields, Text } from './fields.ts';
import { isEmptyRange, parseVersion } from './versions.ts';

/** @param isWhole whether a version has to have its three numbers. */
export function readBounds(fields: Fields, isWhole: boolean): VersionBounds {
  const min = readVersion(fields.text('minVersion'), isWhole);
  const max = readVersion(fields.text('maxVersion'), isWhole);
  if (min?.version !== undefined && max?.version !== undefined) {
    if (isEmptyRange(min.version, max.version)) {
      min.text.at.error(
        'never-matches',
        `minVersion ${min.text.value} is above maxVersion ${max.text.value}: ` +
          'no version is between them',
        'Exchange them, or leave one out.',
      );
    }
  }
  return {
    ...(min !== undefined && { minVersion: min.text.value }),
    ...(max !== undefined && { maxVersion: max.text.value }),
  };
}

export function hasBounds({ minVersion, maxVersion }: VersionBounds): boolean {
  return minVersion !== undefined || maxVersion !== undefined;
}

function readVersion(text: Text | undefined, isWhole: boolean) {
  if (text === undefined) return undefined;
  const version = parseVersion(text.value);
  const isShort = version !== undefined && isWhole && version.numbers.length < 3;
  if (version !== undefined && !isShort) return { text, version };
  const key = text.at.path.replace(/^.*\./, '');
  const hint = isWhole
    ? 'Write all three numbers, as in 4.17.3.'
    : 'Write a version, as in 1.2.3; the last numbers may be missing.';
  text.at.error('invalid-value', `${key}: ${text.value} is not a version`, hint);
  return { text, version: undefined };
}
