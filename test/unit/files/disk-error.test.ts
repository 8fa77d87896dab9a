import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { describe, expect, it } from 'vitest';

import { systemCode } from '../../../src/core/errors.ts';
import { diskError, systemWords, writeError } from '../../../src/files/disk-error.ts';

/** As Node makes it: it has no name for some errors of Linux. */
function systemError(code: string): Error {
  const number = (constants.errno as Readonly<Record<string, number>>)[code]!;
  return Object.assign(new Error(`${code}: of Node, open '/a'`), {
    code: getSystemErrorName(-number),
    errno: -number,
  });
}

/** What calls on files answer (open(2), write(2), rename(2), mkdir(2) and their like). */
const OF_FILES = [
  'EACCES',
  'EBADF',
  'EBUSY',
  'EDQUOT',
  'EEXIST',
  'EFBIG',
  'EIO',
  'EISDIR',
  'ELOOP',
  'EMFILE',
  'ENAMETOOLONG',
  'ENFILE',
  'ENODEV',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
  'ENOTEMPTY',
  'ENXIO',
  'EPERM',
  'EPIPE',
  'EROFS',
  'ESTALE',
  'ETIMEDOUT',
  'ETXTBSY',
];

describe('an error of a file', () => {
  it.each(OF_FILES)('is told in words, with a way out, and with its code: %s', (code) => {
    const error = writeError('write', '/a', systemError(code));
    expect(error).toMatchObject({ code: 'DISK', exitStatus: 26 });
    expect(error.message).toMatch(
      new RegExp(String.raw`^cannot write /a: [a-z][a-z ,;-]+ \(${code}\)$`),
    );
    expect(error.hint).toMatch(/^[A-Z].*\.$/);
  });

  it.each(Object.keys(constants.errno))('has a code that is known: %s', (code) => {
    const told = systemWords(systemError(code));
    expect(told).not.toContain('Unknown system error');
    expect(told).toMatch(/\bE[A-Z0-9]+\b/);
  });

  it('that nobody has named is told as it is', () => {
    expect(systemWords(new Error('it broke'))).toBe('it broke');
    expect(systemWords('no error at all')).toBe('unknown error');
  });
});

describe('a failure to read', () => {
  it('tells absence from all others', async () => {
    const absent: unknown = await writeFile('/proc/no/such/folder/file', '').catch(
      (error: unknown) => error,
    );
    expect(systemCode(absent)).toBe('ENOENT');
    expect(diskError('read', '/a', absent)).toMatchObject({
      code: 'NOT_FOUND',
      message: 'cannot read /a: no such file or folder',
      cause: absent,
    });
    for (const code of OF_FILES.filter((one) => one !== 'ENOENT')) {
      const cause = systemError(code);
      expect(diskError('read', '/a', cause)).toMatchObject({ code: 'DISK', cause, exitStatus: 26 });
    }
  });
});
