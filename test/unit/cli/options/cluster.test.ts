import { expect, it } from 'vitest';

import { withApplyScope } from '../../../../src/cli/options/cluster.ts';

it.each([
  ['--apply at the end', ['unpack', 'x', '--apply'], ['unpack', 'x', '--apply=signatures']],
  ['--apply before a path', ['--apply', '/media/usb'], ['--apply=signatures', '/media/usb']],
  ['--apply before an option', ['--apply', '--yes'], ['--apply=signatures', '--yes']],
  ['--apply with its value', ['--apply', 'all', 'x'], ['--apply', 'all', 'x']],
  ['--apply=all', ['--apply=all'], ['--apply=all']],
])('%s', (_, argv, expected) => {
  expect(withApplyScope(argv)).toEqual(expected);
});
