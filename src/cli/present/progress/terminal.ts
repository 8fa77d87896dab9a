import { accessSync, closeSync, constants, fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

import { columnsOf } from '../screen.ts';

/** Members of Node's terminal stream that its types do not declare. */
interface Inner {
  readonly _handle?: { readonly setBlocking?: (isBlocking: boolean) => unknown } | null;
}

/**
 * Lets a terminal count as wide as usual while it says that it has no columns, as one
 * does that nobody has given a size: ora divides by them, and would clear lines without end.
 */
export function withColumns(terminal: NodeJS.WriteStream): void {
  let said = terminal.columns;
  Object.defineProperty(terminal, 'columns', {
    configurable: true,
    enumerable: true,
    get: () => columnsOf(said),
    set: (columns: number) => (said = columns), // Node writes the new size there
  });
}

/**
 * Lets the program go on while a terminal takes nothing, as one that Ctrl-S has stopped: by itself
 * Node waits for it inside each write, and hears no signal meanwhile.
 */
export function neverWaitFor(terminal: NodeJS.WriteStream & { readonly fd: number }): void {
  if (!terminal.isTTY || !isReopened(terminal.fd)) return;
  (terminal as Inner)._handle?.setBlocking?.(false);
}

/**
 * Node opens a terminal once more for itself if it may. If it may not, as behind `su`, the terminal
 * is set up for the shell too, which must not find it changed.
 */
function isReopened(fd: number): boolean {
  try {
    accessSync(`/dev/fd/${fd}`, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Closes what was a terminal once. Node gives terminals their settings back while it ends, and
 * before May 2025 it aborts if one has gone, as when ssh breaks off. What is closed it leaves alone.
 */
export function closeLostTerminals(): void {
  for (const fd of [0, 1, 2]) {
    try {
      if (fstatSync(fd).isCharacterDevice() && !isatty(fd)) closeSync(fd);
    } catch {
      // closed already
    }
  }
}
