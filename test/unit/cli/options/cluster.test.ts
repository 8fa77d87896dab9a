import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { refuseLoopback, withApplyScope } from '../../../../src/cli/options/cluster.ts';
import type { ApplyRequest, ApplyScope } from '../../../../src/delivering/applying/request.ts';

it.each([
  ['--apply at the end', ['unpack', 'x', '--apply'], ['unpack', 'x', '--apply=signatures']],
  ['--apply before a path', ['--apply', '/media/usb'], ['--apply=signatures', '/media/usb']],
  ['--apply before an option', ['--apply', '--yes'], ['--apply=signatures', '--yes']],
  ['--apply with its value', ['--apply', 'all', 'x'], ['--apply', 'all', 'x']],
  ['a scope in capitals', ['--apply', 'ALL', 'x'], ['--apply', 'ALL', 'x']],
  ['the beginning of a scope', ['--apply', 'sig'], ['--apply', 'sig']],
  ['--apply=all', ['--apply=all'], ['--apply=all']],
])('%s', async (_, argv, expected) => {
  expect(await withApplyScope(argv)).toEqual(expected);
});

it('takes a file for a path, also one that is called like the beginning of a scope', async () => {
  const before = process.cwd();
  const folder = await mkdtemp(join(tmpdir(), 'scope-'));
  try {
    await writeFile(join(folder, 'al'), '');
    process.chdir(folder);
    expect(await withApplyScope(['--apply', 'al'])).toEqual(['--apply=signatures', 'al']);
  } finally {
    process.chdir(before);
    await rm(folder, { recursive: true });
  }
});

const request = (scope: ApplyScope): ApplyRequest => ({
  ...{ scope, kubeconfig: undefined, context: undefined, canAsk: false },
  confirm: async () => true,
});

it.each(['localhost', '127.0.0.1:5000', 'registry.localhost:5000'])(
  'sends no mirrors to a cluster that name %s',
  (registry) => {
    expect(() => {
      refuseLoopback(request('all'), registry);
    }).toThrow(/address of this machine/);
    expect(() => {
      refuseLoopback(request('signatures'), registry);
    }).not.toThrow();
  },
);

it('sends mirrors that name another host', () => {
  expect(() => {
    refuseLoopback(request('all'), 'registry.example.com:5000');
  }).not.toThrow();
});
