import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

import { BundleError, systemCode } from '../core/errors.ts';

/** What an error of the system means, and what to do about it. */
interface Meaning {
  /** Continues `cannot write PATH: `. */
  readonly words: string;
  readonly hint?: string;
}

const PERMISSIONS = 'Check the permissions of the folder and the user you run as.';
const OPEN_FILES = 'Raise the limit of open files (ulimit -n), or lower --concurrency.';
const MOUNT = 'Check that the medium is mounted, and mount it again if it is not.';

/** For errors whose own words would help nobody. The system's words stand in for the others. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  EACCES: { words: 'this user has no permission', hint: PERMISSIONS },
  EBADF: {
    words: 'it is closed, or is not open in this direction',
    hint: 'Look at the redirections of the command: < reads, > writes.',
  },
  EBUSY: {
    words: 'something else is using it',
    hint: 'It may be mounted by itself, or in use by another program: name another place.',
  },
  EDQUOT: {
    words: 'the disk quota of this user is used up',
    hint: 'Free some space, or choose another folder.',
  },
  EEXIST: {
    words: 'something with that name is there already',
    hint: 'Move it away, or choose another name.',
  },
  EFBIG: {
    words: 'the file would be larger than is allowed there',
    hint:
      'The file system, or the limit of this user (ulimit -f), holds no file of this size: ' +
      'use another file system, or raise the limit.',
  },
  EIO: {
    words: 'the medium reports an error',
    hint: 'The medium could not be read or written: try another one.',
  },
  EISDIR: {
    words: 'it is a folder; a file is needed',
    hint: 'Name a file in that folder, or another file.',
  },
  ELOOP: {
    words: 'symbolic links lead in a circle, or to where no link may be',
    hint: 'Look at each symbolic link on the path (namei -l PATH).',
  },
  EMFILE: { words: 'this process has too many files open', hint: OPEN_FILES },
  ENAMETOOLONG: { words: 'the name is too long', hint: 'Choose a shorter name or path.' },
  ENFILE: { words: 'too many files are open on this host', hint: OPEN_FILES },
  ENODEV: { words: 'there is no such device', hint: MOUNT },
  ENOENT: {
    words: 'no such file or folder',
    hint: 'Check the path, and that the medium is mounted.',
  },
  ENOSPC: {
    words: 'no space is left on the device',
    hint: 'Free some space, or choose another folder.',
  },
  ENOTDIR: {
    words: 'a part of the path is a file; a folder is needed',
    hint: 'Check the path: a folder is needed before each slash.',
  },
  ENOTEMPTY: { words: 'the folder is not empty', hint: 'Empty it, or choose another folder.' },
  ENXIO: { words: 'there is no such device, or nobody at its other end', hint: MOUNT },
  EPERM: { words: 'the system does not allow it', hint: PERMISSIONS },
  EPIPE: {
    words: 'nobody reads the pipe any more',
    hint: 'The program that reads the pipe has ended: see what it says.',
  },
  EROFS: {
    words: 'the file system is mounted read-only',
    hint: 'Choose another folder, or mount the file system for writing.',
  },
  ESTALE: {
    words: 'the file server does not know it any more',
    hint: 'Mount the file system again, and run the same command again.',
  },
  ETIMEDOUT: {
    words: 'the file server does not answer',
    hint: 'Check the connection to the file server, and run the same command again.',
  },
  ETXTBSY: {
    words: 'it is a program that is running',
    hint: 'End that program, or choose another name.',
  },
};

/** What the host has not given, for failures that no single file or place is to blame for. */
const OPEN_FILE_CODES = ['EMFILE', 'ENFILE'];
const MEMORY_CODES = ['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED', 'Z_MEM_ERROR'];

/**
 * A limit of the host in the program's own words, wherever it was met, as while a part of the
 * program is loaded; `undefined` for any other failure.
 */
export function hostLimit(error: unknown): BundleError | undefined {
  if (error instanceof BundleError || !(error instanceof Error)) return undefined;
  const code = systemCode(error) ?? '';
  if (OPEN_FILE_CODES.includes(code)) {
    return new BundleError('DISK', `the program cannot go on: ${systemWords(error)}`, {
      hint: OPEN_FILES,
      cause: error,
    });
  }
  // The words of V8 for a buffer: other ranges are exceeded by mistakes of the program.
  const isBuffer = error instanceof RangeError && /allocation failed/i.test(error.message);
  if (!isBuffer && !MEMORY_CODES.includes(code)) return undefined;
  return new BundleError('DISK', 'the program cannot go on: this host gives it no more memory', {
    hint: 'Raise the limit of memory (ulimit -v, or that of the container), or end other programs.',
    cause: error,
  });
}

/** How Node calls an error of the system that it has no name for: ESTALE and EDQUOT are such. */
const UNNAMED = /^Unknown system error -([0-9]+)$/;

/** Its name, as open(2) and others know it. */
function nameOf(error: unknown): string | undefined {
  const code = systemCode(error);
  const number = UNNAMED.exec(code ?? '')?.[1];
  if (number === undefined) return code;
  const found = Object.entries(constants.errno).find(([, value]) => value === Number(number));
  return found?.[0] ?? code;
}

/** An error of the system in words, with its code for those who look it up. */
export function systemWords(error: unknown): string {
  const code = nameOf(error);
  if (code === undefined)
    return error instanceof Error && error.message !== '' ? error.message : 'unknown error';
  const words = MEANINGS[code]?.words ?? wordsOfSystem(code);
  return words === undefined ? code : `${words} (${code})`;
}

/** The words of libuv for a code of the system; `undefined` for one that is none of them. */
export function wordsOfSystem(code: string): string | undefined {
  for (const [name, words] of getSystemErrorMap().values()) if (name === code) return words;
  return undefined;
}

/**
 * A failure to read in the program's own words: 23 where the path does not exist, 26 for the rest
 * (no permission, read error).
 */
export function diskError(action: string, path: string, cause: unknown): BundleError {
  if (systemCode(cause) !== 'ENOENT') return writeError(action, path, cause);
  return new BundleError('NOT_FOUND', `cannot ${action} ${path}: no such file or folder`, {
    hint: 'Check the path.',
    cause,
  });
}

/**
 * The failure to read a file whose path nobody typed: a variable names it.
 * @param how it could be made; left out where nobody makes such a file for this.
 */
export function ofVariable(error: unknown, variable: string, how?: string): unknown {
  if (!(error instanceof BundleError)) return error;
  const told = error.retold(`${error.message}; $${variable} names this file`);
  if (error.code !== 'NOT_FOUND') return told;
  const orMake = how === undefined ? '' : `, or make the file with ${how}`;
  return told.withHint(`Correct $${variable} or unset it${orMake}.`);
}

/**
 * A failure to write in the program's own words: always 26 (no space, no permission, no such
 * folder).
 */
export function writeError(action: string, path: string, cause: unknown): BundleError {
  return new BundleError('DISK', `cannot ${action} ${path}: ${systemWords(cause)}`, {
    hint: MEANINGS[nameOf(cause) ?? '']?.hint,
    cause,
  });
}
