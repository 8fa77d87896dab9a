import { paddingLength, tarHeader } from '../../src/bundle/format/tar.ts';

/**
 * A file in a tar, with the header that belongs before it and the zero bytes that belong behind.
 */
export function tarEntry(path: string, bytes: Uint8Array, mtime: number): Uint8Array {
  return Buffer.concat([
    tarHeader(path, bytes.length, mtime),
    bytes,
    Buffer.alloc(paddingLength(bytes.length)),
  ]);
}

export interface HeaderFields {
  /** Any bytes, as a general tar reader would take them. */
  readonly path?: string;
  /** One character: `2` is a symbolic link, `x` and `g` pax headers, `L` a GNU long name. */
  readonly type?: string;
  readonly target?: string;
  readonly mode?: string;
  readonly uid?: string;
  readonly user?: string;
  readonly mtime?: number;
}

/** An entry with some header fields set to something else, and a checksum that is right again. */
export function withHeader(entry: Uint8Array, fields: HeaderFields): Uint8Array {
  const changed = Buffer.from(entry);
  const put = (text: string | undefined, at: number, length: number): void => {
    if (text === undefined) return;
    changed.fill(0, at, at + length);
    changed.write(text, at, length, 'latin1');
  };
  put(fields.path, 0, 100);
  put(fields.mode, 100, 8);
  put(fields.uid, 108, 8);
  put(fields.mtime?.toString(8).padStart(11, '0'), 136, 12);
  put(fields.type, 156, 1);
  put(fields.target, 157, 100);
  put(fields.user, 265, 32);
  changed.write('        ', 148, 'latin1');
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return changed;
}

/** A pax header (POSIX.1-2017, pax): `x` speaks of the next entry, `g` of all that follow. */
export function paxEntry(type: 'x' | 'g', key: string, value: string): Uint8Array {
  const rest = ` ${key}=${value}\n`;
  const digits = String(rest.length + 2).length;
  return withHeader(tarEntry('pax', Buffer.from(`${rest.length + digits}${rest}`), 0), { type });
}
