import { VOLUME_SIZES, type VolumeSizeName } from '../bundle/format/volume-sizes.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { nearest, optionWords } from '../core/text.ts';
import type { Arguments } from './command.ts';

/**
 * An option that may be given once. yargs makes a list of one that is given twice: that is refused.
 */
export function text(args: Arguments, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value !== '') return value;
  if (!Array.isArray(value)) throw needsValue(name);
  throw new BundleError('USAGE', `--${name} was given more than once`, {
    hint: 'Give it once.',
  });
}

export function requiredText(args: Arguments, name: string): string {
  const value = text(args, name);
  if (value === undefined) {
    throw new BundleError('USAGE', `--${name} is missing`, { hint: `Give it: --${name} VALUE.` });
  }
  return value;
}

export function texts(args: Arguments, name: string): readonly string[] {
  const value = args[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item === 'string' && item !== '') return item;
    throw needsValue(name);
  });
}

/** Options as they are typed on a command line, with their values: words for a shell. */
export function asTyped(args: Arguments, names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const value = args[name];
    if (typeof value === 'boolean') return value ? [`--${name}`] : [];
    return optionWords(name, texts(args, name));
  });
}

function needsValue(name: string): BundleError {
  return new BundleError('USAGE', `${shown(name)} needs a value`, {
    hint: 'It is empty. If it comes from a variable of the shell, check that this is set.',
  });
}

/** A positional argument has a name in capitals, such as PATH; everything else is an option. */
function shown(name: string): string {
  return name === name.toUpperCase() ? name : `--${name}`;
}

/** As reports show it. */
const IN_GROUPS = /^[0-9a-f]{8}(?: [0-9a-f]{8}){7}$/i;

/**
 * A SHA-256 digest, with `sha256:` in front or without. A mistyped one must not read like one that
 * did not match.
 */
export function digest(args: Arguments, name: string): Digest | undefined {
  const value = text(args, name);
  if (value === undefined) return undefined;
  const canonical = asDigest(IN_GROUPS.test(value) ? value.replaceAll(' ', '') : value);
  if (canonical !== undefined) return canonical;
  throw notADigest(name, value);
}

/** The same for an option that may be given several times. */
export function digests(args: Arguments, name: string): readonly Digest[] {
  return texts(args, name).map((value) => digest({ [name]: value }, name)!);
}

function notADigest(name: string, value: string): BundleError {
  return new BundleError('USAGE', `--${name}: ${value} is not a SHA-256 digest`, {
    hint:
      'Give its 64 hex digits, with sha256: in front or without; or its eight groups, as pack ' +
      'prints them, in quotes.',
  });
}

/** The names of parts: a digest may be given as its 64 hex digits alone. */
export function partNames(args: Arguments, name: string): readonly string[] {
  return texts(args, name).map((value) => {
    const canonical = asDigest(value);
    if (canonical === undefined && value.includes(':')) throw notADigest(name, value);
    return canonical ?? value;
  });
}

function asDigest(text: string): Digest | undefined {
  const canonical = `sha256:${text.toLowerCase().replace(/^sha256:/, '')}`;
  return isDigest(canonical) ? canonical : undefined;
}

export function flag(args: Arguments, name: string): boolean {
  const value = args[name];
  if (value === undefined || value === false) return false;
  if (value === true) return true;
  throw new BundleError('USAGE', `--${name} was given more than once`, { hint: 'Give it once.' });
}

/**
 * A positive integer. yargs makes NaN of everything else, so such options are declared as strings
 * and read here.
 */
export function count(args: Arguments, name: string): number | undefined {
  const value = text(args, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^[0-9]{1,6}$/.test(value) && number >= 1) return number;
  throw new BundleError('USAGE', `--${name} needs a whole number from 1 to 999999, not ${value}`, {
    hint: `Write it in digits alone, as in --${name} 2.`,
  });
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/**
 * A number of bytes: `500k`, `50M`, `1.5G`, decimal as media and links are sold; `4Gi` is binary.
 */
export function byteCount(args: Arguments, name: string): number | undefined {
  const value = text(args, name);
  if (value === undefined) return undefined;
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)((?:[kmg]i?)?)b?$/i.exec(value) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[(unit ?? '').toLowerCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new BundleError('USAGE', `--${name} needs a number of bytes, not ${value}`, {
    hint: NUMBER_OF_BYTES,
  });
}

const NUMBER_OF_BYTES =
  'A number of bytes is written as 500k, 50M or 1.5G; 500Ki, 50Mi or 1.5Gi count in powers of 1,024.';

/** Bytes of a volume: a number of bytes, or the name of a medium. */
export function volumeSize(args: Arguments, name: string): number | undefined {
  const value = text(args, name);
  if (value !== undefined && Object.hasOwn(VOLUME_SIZES, value))
    return VOLUME_SIZES[value as VolumeSizeName];
  if (value === undefined || /^[0-9]/.test(value)) return byteCount(args, name);
  const media = Object.keys(VOLUME_SIZES);
  const meant = nearest(value, media);
  throw new BundleError('USAGE', `--${name} needs a medium or a number of bytes, not ${value}`, {
    hint:
      (meant === undefined ? '' : `Did you mean --${name} ${meant}? `) +
      `The media are ${media.join(', ')}. ${NUMBER_OF_BYTES}`,
  });
}
