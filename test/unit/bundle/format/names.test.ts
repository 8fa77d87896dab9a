import { describe, expect, it } from 'vitest';

import {
  bundleOfName,
  isBundleName,
  patchName,
  stemOf,
  volumeNames,
} from '../../../../src/bundle/format/names.ts';
import { digestFromHex } from '../../../../src/core/digest.ts';

describe('isBundleName', () => {
  it.each([
    'ocp-4.17.3-x86_64',
    'ocp-4.16.20..4.17.3-x86_64-aarch64',
    '4.17.3',
    '_',
    'a+b=c',
    'ocp-4.17.3-x86_64.0123abcd.patch',
    'n'.repeat(128),
  ])('takes %j', (name) => {
    expect(isBundleName(name)).toBe(true);
  });

  it.each([
    '',
    'n'.repeat(129),
    '-o',
    '.',
    '..',
    '.hidden',
    '+a',
    'a/b',
    'a\\b',
    '../a',
    'a b',
    'a\n',
    'a\0',
    'a:b',
    'a*',
    "a'b",
    'ä',
    'a~1',
  ])('takes no %j', (name) => {
    expect(isBundleName(name)).toBe(false);
  });
});

it('a bundle and its volumes are called by one stem', () => {
  const path = '/media/usb/ocp-4.17.3-x86_64.tar.zst';
  expect(stemOf(path)).toBe('ocp-4.17.3-x86_64');
  expect(volumeNames(path, 1)).toEqual([path]);
  expect(volumeNames(path, 2)).toEqual([`${path}.001`, `${path}.002`]);
});

it('a patch is called by the bundle that it is for, and by 8 digits of its own digest', () => {
  const digest = digestFromHex('0123456789abcdef'.repeat(4));
  expect(patchName('ocp-4.17.3-x86_64', digest)).toBe('ocp-4.17.3-x86_64.01234567.patch');
});

it.each([
  ['a.tar.zst', { bundle: 'a.tar.zst', number: undefined }],
  ['a.tar.zst.001', { bundle: 'a.tar.zst', number: 1 }],
  ['a.tar.zst.012', { bundle: 'a.tar.zst', number: 12 }],
  ['a.tar.zst.1', undefined],
  ['a.tar.zst.0001', undefined],
  ['a.tar.zst.partial', undefined],
  ['.tar.zst', undefined],
  ['a.tar', undefined],
])('%s is understood', (name, expected) => {
  expect(bundleOfName(name)).toEqual(expected);
});
