import { basename } from 'node:path';

import { completionName } from '../bundle/format/names.ts';
import type { BundleManifest } from '../bundle/format/manifest.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { optionWords, pathWord } from '../core/text.ts';
import type { Kind } from '../kinds/kind.ts';

/** What a command line said of a bundle: a command that is printed for the bundle says it too. */
export interface Asked {
  readonly paths: readonly string[];
  readonly kinds: readonly Kind[];
  readonly trustedKeyFiles: readonly string[];
  readonly signatures?: number | undefined;
  readonly releaseKeyFiles: readonly string[];
  readonly expected?: readonly string[] | undefined;
  readonly expectedDigest?: Digest | undefined;
}

/** A command on the same bundle, which works as it is printed. */
export function commandOn(verb: string, asked: Asked, ...more: readonly string[]): string {
  const paths = asked.paths.map(pathWord);
  return ['bundle', verb, ...paths, ...more, ...trustWords(asked)].join(' ');
}

/** Who is believed about a bundle, and which one it is: as words of a command line. */
function trustWords(asked: Asked): readonly string[] {
  const { trustedKeyFiles, signatures, releaseKeyFiles, expected, expectedDigest } = asked;
  return [
    ...optionWords('trusted-key', trustedKeyFiles),
    ...optionWords('signatures', signatures === undefined ? [] : [String(signatures)]),
    ...optionWords('release-key', releaseKeyFiles),
    ...optionWords('expect', expected ?? []),
    ...optionWords('bundle-digest', expectedDigest === undefined ? [] : [hexOf(expectedDigest)]),
  ];
}

/**
 * The command that packs what a damage map lists, on the connected side. Of an increment it names
 * the bundles that have what is left out: with other baselines, another bundle would be made. A
 * bundle that completes others is known by the usual name of one.
 */
export function packCommand(
  { name, parts, requires = [] }: Pick<BundleManifest, 'name' | 'parts' | 'requires'>,
  kinds: readonly Kind[],
  damageFile: string,
): string {
  const words = kinds.flatMap((kind) => {
    const claims = parts.filter((part) => part.kind === kind.name).map(({ claim }) => claim);
    return claims.length === 0 ? [] : kind.packWords(claims);
  });
  const baselines = requires.flatMap(({ bundle, assumed }) => [
    ...[assumed === true ? '--assume-delivered' : '--baseline', hexOf(bundle)],
  ]);
  const before = requires.at(-1);
  const isCompletion = before !== undefined && completionName(before.name) === name;
  const asked = isCompletion
    ? requires.flatMap((one) => ['--complete', pathWord(`${one.name}.tar.zst`)]).join(' ')
    : [...words, ...baselines].join(' ');
  return `bundle pack ${asked} --repair ${pathWord(basename(damageFile))} -o FOLDER`;
}
