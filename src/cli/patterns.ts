import { dirname, extname } from 'node:path';

import { BundleError } from '../core/errors.ts';
import { pathWord } from '../core/text.ts';

/** Options that take one file each, and may be given several times. */
const FILE_OPTIONS: readonly string[] = [
  ...['ca-file', 'idms-file', 'icsp-file', 'itms-file'],
  ...['release-key', 'trusted-key', 'signature-store'],
];

/**
 * Refuses a pattern that the shell has made several files of: the option would take the first, and
 * the others would count as arguments of the command. Words that follow a file, in the same folder
 * and with the same ending, come from a pattern.
 * @throws BundleError USAGE
 */
export function refusePatterns(argv: readonly string[]): void {
  for (const [index, word] of argv.entries()) {
    const option = FILE_OPTIONS.find((name) => word === `--${name}`);
    const first = argv[index + 1];
    if (option === undefined || first === undefined || extname(first) === '') continue;
    const rest = argv.slice(index + 1);
    const isAlike = (other: string): boolean =>
      dirname(other) === dirname(first) && extname(other) === extname(first);
    const end = rest.findIndex((other) => other.startsWith('-') || !isAlike(other));
    const files = end === -1 ? rest : rest.slice(0, end);
    if (files.length < 2) continue;
    throw new BundleError(
      'USAGE',
      `--${option} takes one file, and ${files.length} follow it: a pattern of the shell gives several`,
      {
        expected: 'one file',
        got: files.join(' '),
        hint:
          `Write --${option} before each: ` +
          files.map((file) => `--${option} ${pathWord(file)}`).join(' '),
      },
    );
  }
}
