import { open } from 'node:fs/promises';

/** What a program or an addon asks of the machine that it runs on. */
export interface LinkNeeds {
  /** Names of shared libraries, as in `libc.so.6`. */
  readonly libraries: readonly string[];
  /** The highest version of each family of symbols: `GLIBC` → `2.28`. */
  readonly versions: ReadonlyMap<string, string>;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const VERSION_NAME = /^(GLIBC|GLIBCXX|CXXABI|GCC)_([0-9]+(?:\.[0-9]+)*)$/;

/**
 * Reads what the dynamic linker would read, and runs nothing.
 * @throws Error for anything but a 64-bit little-endian ELF file that is linked dynamically.
 */
export async function linkNeeds(path: string): Promise<LinkNeeds> {
  const file = await open(path);
  try {
    const read = async (offset: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead !== length) throw new Error(`${path} is cut off`);
      return buffer;
    };
    const header = await read(0, 64);
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1)
      throw new Error(`${path} is no 64-bit ELF file`);
    const segments = await programHeaders(header, read);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    if (dynamic === undefined) throw new Error(`${path} is not linked dynamically`);
    const entries = dynamicEntries(await read(dynamic.offset, dynamic.size));
    const one = (wanted: number): number => entries.find(({ tag }) => tag === wanted)?.value ?? 0;
    const home = segments.find(
      ({ type, address, size }) =>
        type === PT_LOAD && one(DT_STRTAB) - address < size && one(DT_STRTAB) >= address,
    );
    if (home === undefined) throw new Error(`${path} has no names`);
    const names = (await read(home.offset + one(DT_STRTAB) - home.address, one(DT_STRSZ))).toString(
      'latin1',
    );
    return {
      libraries: entries
        .filter(({ tag }) => tag === DT_NEEDED)
        .map(({ value }) => names.slice(value, names.indexOf('\0', value))),
      versions: highestVersions(names.split('\0')),
    };
  } finally {
    await file.close();
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

async function programHeaders(
  header: Buffer,
  read: (offset: number, length: number) => Promise<Buffer>,
): Promise<readonly Segment[]> {
  const [start, entrySize, count] = [
    Number(header.readBigUInt64LE(0x20)),
    header.readUInt16LE(0x36),
    header.readUInt16LE(0x38),
  ];
  const table = await read(start, entrySize * count);
  return Array.from({ length: count }, (_, index) => {
    const entry = table.subarray(index * entrySize);
    const number = (at: number): number => Number(entry.readBigUInt64LE(at));
    return {
      type: entry.readUInt32LE(0),
      offset: number(8),
      address: number(16),
      size: number(32),
    };
  });
}

function dynamicEntries(
  table: Buffer,
): readonly { readonly tag: number; readonly value: number }[] {
  return Array.from({ length: table.length / 16 }, (_, index) => ({
    tag: Number(table.readBigInt64LE(index * 16)),
    value: Number(table.readBigUInt64LE(index * 16 + 8)),
  }));
}

function highestVersions(names: readonly string[]): ReadonlyMap<string, string> {
  const highest = new Map<string, string>();
  for (const name of names) {
    const [, family, version] = VERSION_NAME.exec(name) ?? [];
    if (family !== undefined && version !== undefined)
      highest.set(family, laterVersion(highest.get(family) ?? '0', version));
  }
  return highest;
}

/** The later of two versions of dotted numbers. */
export function laterVersion(one: string, other: string): string {
  return one.localeCompare(other, 'en', { numeric: true }) < 0 ? other : one;
}
