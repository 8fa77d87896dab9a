import { describe } from 'vitest';

import { TAR_BLOCK } from '../../../../src/bundle/format/tar.ts';
import type { Deviation, SectionName } from '../../../support/crafted-bundle.ts';
import { testRefusals } from '../../../support/crafted-refusals.ts';
import { type HeaderFields, paxEntry, tarEntry, withHeader } from '../../../support/crafted-tar.ts';
import { seededBytes } from '../../../support/sample-bundle.ts';

const MTIME = Date.parse('2024-10-01T12:00:00Z') / 1000;
const SECTIONS: readonly SectionName[] = ['listing', 'seal', 'metadata', 'layer 0', 'layer 2'];

const file = tarEntry('unlisted', seededBytes('unlisted', 700), MTIME);
const empty = tarEntry('empty', new Uint8Array(0), MTIME);

/** What general tar readers take in, and no list names. */
const UNLISTED: readonly (readonly [what: string, entries: readonly Uint8Array[]])[] = [
  ['a regular file', [file]],
  ['a symbolic link', [withHeader(empty, { type: '2', target: '/etc/passwd' })]],
  ['a pax header that renames', [paxEntry('x', 'path', 'renamed')]],
  ['a pax header for all that follow', [paxEntry('g', 'path', 'renamed')]],
  [
    'a GNU long name',
    [withHeader(tarEntry('././@LongLink', Buffer.from('renamed\0'), 0), { type: 'L' })],
  ],
  ['a pax size that hides an entry', [paxEntry('x', 'size', String(file.length)), empty, file]],
  ['a path that leads out', [withHeader(file, { path: '../x' })]],
  ['an empty tar block', [Buffer.alloc(TAR_BLOCK)]],
  ['the end of a tar', [Buffer.alloc(2 * TAR_BLOCK)]],
];

/** Puts tar entries before and after those of a section. */
function around(
  section: SectionName,
  before: readonly Uint8Array[],
  after: readonly Uint8Array[] = [],
): Deviation {
  return {
    tar: (name, entries) => (name === section ? [...before, ...entries, ...after] : entries),
  };
}

/** Changes the first entry of a section. */
function first(section: SectionName, change: (entry: Buffer) => Uint8Array): Deviation {
  return {
    tar: (name, [entry, ...rest]) => [
      name === section ? change(Buffer.from(entry!)) : entry!,
      ...rest,
    ],
  };
}

function header(section: SectionName, fields: HeaderFields): Deviation {
  return first(section, (entry) => withHeader(entry, fields));
}

function at(position: number, bytes: string): (entry: Buffer) => Buffer {
  return (entry) => {
    entry.write(bytes, position < 0 ? entry.length + position : position, 'latin1');
    return entry;
  };
}

describe('entries that no list names', () => {
  testRefusals([
    ...SECTIONS.flatMap((section) =>
      UNLISTED.flatMap(([what, entries]): [string, Deviation][] => [
        [`${what} before the entries of ${section}`, around(section, entries)],
        [`${what} after the entries of ${section}`, around(section, [], entries)],
      ]),
    ),
    ...UNLISTED.map(([what, entries]): [string, Deviation] => [
      `${what} between two manifests`,
      {
        tar: (name, [one, ...rest]) =>
          name === 'metadata' ? [one!, ...entries, ...rest] : [one!, ...rest],
      },
    ]),
    ['a file after the end of the tar', around('end', [], [file])],
    ['a file in place of the end of the tar', around('end', [file])],
    ['a longer end of the tar', around('end', [], [Buffer.alloc(8192)])],
    [
      'a layer twice',
      { tar: (name, entries) => (name === 'layer 2' ? [...entries, ...entries] : entries) },
    ],
    [
      'a manifest twice',
      { tar: (name, entries) => (name === 'metadata' ? [...entries, entries.at(-1)!] : entries) },
    ],
  ]);
});

describe('entries that are not where they are listed', () => {
  testRefusals([
    ['no end of the tar', { frames: (name, frames) => (name === 'end' ? [] : frames) }],
    ['a layer left out', { frames: (name, frames) => (name === 'layer 1' ? [] : frames) }],
    [
      'a manifest left out',
      { tar: (name, entries) => (name === 'metadata' ? entries.slice(0, -1) : entries) },
    ],
    [
      'manifests in another order',
      {
        tar: (name, entries) =>
          name === 'metadata' ? [entries[0]!, ...entries.slice(1).toReversed()] : entries,
      },
    ],
    [
      'the key before the signature',
      { tar: (name, entries) => (name === 'seal' ? entries.toReversed() : entries) },
    ],
    ['no key', { tar: (name, entries) => (name === 'seal' ? entries.slice(0, 1) : entries) }],
  ]);
});

describe('headers and padding', () => {
  testRefusals([
    ...SECTIONS.flatMap((section): [string, Deviation][] => [
      [`another mode in ${section}`, header(section, { mode: '0000755' })],
      [`another user in ${section}`, header(section, { uid: '0001750' })],
      [`a user name in ${section}`, header(section, { user: 'root' })],
      [`another path in ${section}`, header(section, { path: 'renamed' })],
      [
        `a path with bytes behind its end in ${section}`,
        first(section, (entry) => withHeader(at(98, 'x')(entry), {})),
      ],
      [`a hard link in ${section}`, header(section, { type: '1', target: 'oci-layout' })],
      [`a link target in ${section}`, header(section, { target: 'oci-layout' })],
      [`an old kind of regular file in ${section}`, header(section, { type: '\0' })],
      [`another time in ${section}`, header(section, { mtime: MTIME + 1 })],
      [`a wrong checksum in ${section}`, first(section, at(148, '7'))],
      [`another way to write a checksum in ${section}`, first(section, at(154, ' \0'))],
      [
        `bytes after the header's last field in ${section}`,
        first(section, (entry) => withHeader(at(511, 'x')(entry), {})),
      ],
      [`padding that is not zero in ${section}`, first(section, at(-1, 'x'))],
    ]),
    [
      'the same other time in every entry',
      {
        tar: (name, entries) =>
          name === 'end'
            ? entries
            : entries.map((entry) => withHeader(entry, { mtime: MTIME + 1 })),
      },
    ],
    ['an end of the tar that is not zero', first('end', at(-1, 'x'))],
  ]);
});
