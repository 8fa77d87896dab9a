import { createHash } from 'node:crypto';

import { CREATED_SECONDS } from './created.ts';
import { type Layer, textLayer } from './layer.ts';
import type { TarEntry } from './tar.ts';

/** What real programs have in place of the facts that are written into them. */
const IMAGE_MARKER = Buffer.from(`\0_RELEASE_IMAGE_LOCATION_\0${'X'.repeat(300)}\0`);
const VERSION_MARKER = Buffer.from(`\0_RELEASE_VERSION_LOCATION_\0${'X'.repeat(64)}\0`);
const ARCHITECTURE_MARKER = Buffer.from(`\0_RELEASE_ARCHITECTURE_LOCATION_\0${'X'.repeat(64)}\0`);

const PAGE = 4096;
const FOLDER = 'usr/share/openshift';
const LINUX = ['amd64', 'arm64', 'ppc64le', 's390x'];

/** Components whose images have client programs. */
const PROGRAM_COMPONENTS = [
  'baremetal-installer',
  'cli',
  'cli-artifacts',
  'cloud-credential-operator',
  'installer',
  'installer-artifacts',
] as const;

/** Those that are asked for. */
export function programComponents(
  asked: boolean | readonly string[] | undefined,
): readonly string[] {
  if (asked === true) return PROGRAM_COMPONENTS;
  return asked === false || asked === undefined ? [] : asked;
}

/** What is wrong with the programs of a component. */
export type ProgramFlaw = 'empty' | 'without-image-marker';

/** A layer with the programs of a component, or none. */
export function programLayer(
  component: string,
  platform: string,
  flaw?: ProgramFlaw,
): Layer | undefined {
  const files = filesOf(component, platform).map(
    ([path, bytes]) => [path, flawed(bytes, flaw)] as const,
  );
  return files.length === 0
    ? undefined
    : textLayer(files.map(([path, bytes]) => file(path, bytes)));
}

function flawed(bytes: Buffer, flaw: ProgramFlaw | undefined): Buffer {
  if (flaw === 'empty') return Buffer.alloc(0);
  if (flaw === undefined) return bytes;
  return Buffer.from(bytes.toString('latin1').replaceAll('_IMAGE_LOCATION_', '_'), 'latin1');
}

function filesOf(component: string, platform: string): readonly (readonly [string, Buffer])[] {
  switch (component) {
    case 'cli':
      return [['usr/bin/oc', script(`oc for linux/${platform}`)]];
    case 'installer':
      return [['usr/bin/openshift-install', script(`openshift-install for linux/${platform}`)]];
    case 'baremetal-installer':
      return [
        ['usr/bin/openshift-install', script(`openshift-install-fips for linux/${platform}`)],
      ];
    case 'cloud-credential-operator':
      return ['', '.rhel8', '.rhel9'].map((build) => [
        `usr/bin/ccoctl${build}`,
        script(`ccoctl${build} for linux/${platform}`),
      ]);
    case 'cli-artifacts':
      return [
        ...LINUX.flatMap((name) =>
          ['', '.rhel8', '.rhel9'].map(
            (build) =>
              [
                `${FOLDER}/linux_${name}/oc${build}`,
                script(`oc${build} for linux/${name}`),
              ] as const,
          ),
        ),
        [`${FOLDER}/mac/oc`, script('oc for mac')],
        [`${FOLDER}/mac_arm64/oc`, machO(markers('oc for mac'))],
        [`${FOLDER}/windows/oc.exe`, Buffer.concat([Buffer.from('MZ'), markers('oc for windows')])],
      ];
    case 'installer-artifacts':
      return [
        [`${FOLDER}/mac/openshift-install`, script('openshift-install for mac')],
        [`${FOLDER}/mac_arm64/openshift-install`, machO(markers('openshift-install for mac'))],
        ...(['amd64', 'arm64'] as const).map(
          (name) =>
            [
              `${FOLDER}/linux_${name}/openshift-install`,
              script(`openshift-install for linux/${name}`),
            ] as const,
        ),
      ];
    default:
      return [];
  }
}

/** A program that says what was written into it. */
function script(name: string): Buffer {
  const textOf = (start: number): string =>
    [
      '#!/bin/sh',
      `value() { tail -c "+$1" "$0" | head -c "$2" | tr '\\000' '\\n' | head -n 1; }`,
      `echo "${name}"`,
      `echo "version $(value ${start} ${VERSION_MARKER.length})"`,
      `echo "release image $(value ${start + VERSION_MARKER.length} ${IMAGE_MARKER.length})"`,
      'exit 0',
      '',
    ].join('\n');
  let start = 0;
  while (textOf(start).length + 1 !== start) start = textOf(start).length + 1;
  return Buffer.concat([Buffer.from(textOf(start)), VERSION_MARKER, IMAGE_MARKER]);
}

/** A name and markers, the last of which lies across the boundary of a page. */
function markers(name: string): Buffer {
  const start = Buffer.concat([Buffer.from(`${name}\n`), VERSION_MARKER, ARCHITECTURE_MARKER]);
  return Buffer.concat([start, Buffer.alloc(PAGE - start.length - 100, 0x90), IMAGE_MARKER]);
}

/** The smallest Mach-O file with a code signature as Go's linker makes them: nothing can run it. */
export function machO(code: Uint8Array): Buffer {
  const start = 32 + 16;
  const limit = start + code.length;
  const pages = Math.ceil(limit / PAGE);
  const identifier = Buffer.from('a.out\0');
  const hashes = 88 + identifier.length;
  const directory = hashes + 32 * pages;
  const signature = 20 + directory;

  const head = Buffer.alloc(start);
  head.writeUInt32LE(0xfeedfacf, 0);
  head.writeUInt32LE(0x0100000c, 4); // arm64
  head.writeUInt32LE(2, 12); // a program
  head.writeUInt32LE(1, 16); // load commands,
  head.writeUInt32LE(16, 20); // and their bytes
  head.writeUInt32LE(0x1d, 32); // where the code signature is
  head.writeUInt32LE(16, 36);
  head.writeUInt32LE(limit, 40);
  head.writeUInt32LE(signature, 44);
  const signed = Buffer.concat([head, code]);

  const blob = Buffer.alloc(signature);
  blob.writeUInt32BE(0xfade0cc0, 0);
  blob.writeUInt32BE(signature, 4);
  blob.writeUInt32BE(1, 8); // of its blobs,
  blob.writeUInt32BE(0, 12); // the directory
  blob.writeUInt32BE(20, 16); // is here
  blob.writeUInt32BE(0xfade0c02, 20);
  blob.writeUInt32BE(directory, 24);
  blob.writeUInt32BE(0x20400, 28);
  blob.writeUInt32BE(0x20002, 32); // adhoc, linker-signed
  blob.writeUInt32BE(hashes, 36);
  blob.writeUInt32BE(88, 40); // the identifier
  blob.writeUInt32BE(pages, 48);
  blob.writeUInt32BE(limit, 52);
  blob.writeUInt8(32, 56);
  blob.writeUInt8(2, 57); // SHA-256
  blob.writeUInt8(12, 59); // of pages of 2^12 bytes
  identifier.copy(blob, 20 + 88);
  for (let page = 0; page < pages; page += 1) {
    const content = signed.subarray(page * PAGE, Math.min((page + 1) * PAGE, limit));
    createHash('sha256')
      .update(content)
      .digest()
      .copy(blob, 20 + hashes + 32 * page);
  }
  return Buffer.concat([signed, blob]);
}

function file(name: string, bytes: Uint8Array): TarEntry {
  const size = bytes.length;
  return { name, type: 'file', size, mode: 0o755, mtime: CREATED_SECONDS, content: [bytes] };
}
