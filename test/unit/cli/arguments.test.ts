import { expect, it } from 'vitest';

import { byteCount, count, flag, requiredText, volumeSize } from '../../../src/cli/arguments.ts';
import { asksForUpdate } from '../../../src/cli/options/update-path.ts';
import { BundleError } from '../../../src/core/errors.ts';

const MEDIA = 'The media are fat32, cd, dvd, dvd-dl, bd25, bd50.';

it.each<[string, () => unknown, string]>([
  ['a medium', () => volumeSize({ 'volume-size': 'dvdd' }, 'volume-size'), '--volume-size dvd? '],
  ['a medium', () => volumeSize({ 'volume-size': 'floppy' }, 'volume-size'), MEDIA],
  ['bytes of a volume', () => volumeSize({ 'volume-size': '7X' }, 'volume-size'), '500k, 50M'],
  ['bytes', () => byteCount({ 'limit-rate': 'fast' }, 'limit-rate'), '500k, 50M or 1.5G'],
  [
    'a number',
    () => count({ signatures: 'two' }, 'signatures'),
    'digits alone, as in --signatures 2',
  ],
  ['a flag', () => flag({ restart: [true, true] }, 'restart'), 'Give it once'],
  ['an option', () => requiredText({}, 'out'), '--out VALUE'],
  ['both ends', () => asksForUpdate({ 'from-version': '4.17.3' }), 'Give both'],
])('a value that is none of %s is refused with what is one', (_, read, says) => {
  let hint: string | undefined;
  try {
    read();
  } catch (error) {
    if (error instanceof BundleError && error.code === 'USAGE') hint = error.hint;
  }
  expect(hint).toContain(says);
});
