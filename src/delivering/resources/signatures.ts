import { dirname, join } from 'node:path';

import { type Digest, digestOf, hexOf } from '../../core/digest.ts';
import { MAX_SIGNATURE_BYTES } from '../../core/limits.ts';
import { formatRepository } from '../../core/reference.ts';
import { compareText, counted, pathWord } from '../../core/text.ts';
import { prepareFolder } from '../../files/folder.ts';
import { isFileThere, prepareOwnFolder, refuseNoFolders } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { yamlOf } from '../../kinds/cluster-object.ts';
import { type Destinations, repositoryAt } from '../../kinds/destinations.ts';
import type { LookasideSignature, Part } from '../../kinds/kind.ts';
import { manifestsOf } from '../../transfer/image.ts';
import { marked } from '../../kinds/object-name.ts';

/** More of one manifest than anybody has: the numbers end somewhere. */
const MAX_SIGNATURES = 1000;

/** The signatures of one manifest, in a folder of its own for a web server. */
interface SignedManifest {
  /** `team/tool@sha256=HEX`, below the folder of all. */
  readonly name: string;
  readonly signatures: readonly Uint8Array[];
}

/** The signatures that are kept beside images, for the registry that these are in now. */
export interface PlannedSignatures {
  /** What a web server serves. */
  readonly folder: string;
  readonly manifests: readonly SignedManifest[];
  /** Says to nodes where the server is; none as long as nobody has said that. */
  readonly registriesD: { readonly path: string; readonly text: string } | undefined;
}

/** What was written of them. */
export interface SignaturesReport {
  readonly folder: string;
  /** How many signatures there are, and of how many manifests. */
  readonly signatures: number;
  readonly manifests: number;
  readonly registriesD?: string | undefined;
}

/**
 * The folder for a web server, and the file by which nodes find it. Engines look for signatures
 * under the name that they pull an image by, which is the mirror: so the paths are those of this
 * registry. With a server that is named, the proofs of releases are there too.
 * @param beside the folder that both are put into.
 * @returns `undefined` where there are no signatures.
 */
export function planSignatures(
  parts: readonly Part[],
  destinations: Destinations,
  { beside, server }: { readonly beside: string; readonly server: string | undefined },
): PlannedSignatures | undefined {
  const manifests = new Map<string, Map<Digest, Uint8Array>>();
  const prefixes = new Set<string>();
  for (const { images, lookaside = [], proofs = [] } of parts) {
    const bySubject = new Map<Digest, LookasideSignature[]>();
    for (const one of [...lookaside, ...(server === undefined ? [] : proofs)])
      bySubject.set(one.subject, [...(bySubject.get(one.subject) ?? []), one]);
    if (bySubject.size === 0) continue;
    for (const { request, tree } of images) {
      if (request.attachment !== undefined) continue;
      const repository = repositoryAt(destinations, request.place);
      for (const { descriptor } of manifestsOf(tree)) {
        const signed = bySubject.get(descriptor.digest);
        if (signed === undefined) continue;
        const name = `${repository.repository}@sha256=${hexOf(descriptor.digest)}`;
        const known = manifests.get(name) ?? new Map<Digest, Uint8Array>();
        for (const { digest, message } of signed) known.set(digest, message);
        manifests.set(name, known);
        prefixes.add(prefixOf(destinations, formatRepository(repository)));
      }
    }
  }
  if (manifests.size === 0) return undefined;
  return {
    folder: join(beside, 'signatures'),
    manifests: [...manifests]
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, signed]) => ({
        name,
        signatures: [...signed].sort(([a], [b]) => compareText(a, b)).map(([, message]) => message),
      })),
    registriesD: server === undefined ? undefined : registriesD([...prefixes], server, beside),
  };
}

/**
 * What nodes find the repository under: the namespace of the target, so that the file is the same
 * for every bundle; the repository itself where it is beside that.
 */
function prefixOf({ target }: Destinations, repository: string): string {
  const { registry, namespace } = target;
  const all = namespace === undefined ? registry : `${registry}/${namespace}`;
  return repository === all || repository.startsWith(`${all}/`) ? all : repository;
}

function registriesD(
  prefixes: readonly string[],
  server: string,
  beside: string,
): PlannedSignatures['registriesD'] {
  const sorted = prefixes.toSorted(compareText);
  const lookaside = server.replace(/\/+$/, '');
  const text = yamlOf({ docker: Object.fromEntries(sorted.map((name) => [name, { lookaside }])) });
  const checksum = hexOf(digestOf(sorted.join('\n')));
  return { path: join(beside, 'registries.d', `${marked(sorted[0]!, checksum)}.yaml`), text };
}

/** Makes sure that they can be written. @throws BundleError DISK */
export async function prepareSignatures({
  folder,
  manifests,
  registriesD: file,
}: PlannedSignatures): Promise<void> {
  await prepareOwnFolder(folder);
  for (const { name } of manifests) await refuseNoFolders(foldersDownTo(folder, name));
  if (file === undefined) return;
  await prepareOwnFolder(dirname(file.path));
  await isFileThere(file.path);
}

/** The folders below one, down to `name`: each is made by this program, and its user names none. */
function foldersDownTo(folder: string, name: string): readonly string[] {
  const names = name.split('/');
  return names.map((_, index) => join(folder, ...names.slice(0, index + 1)));
}

/**
 * Adds them to what the folder has of earlier runs: signatures of one manifest may come in several
 * bundles, and the numbers have no gap.
 * @throws BundleError DISK
 */
export async function writeSignatures({
  folder,
  manifests,
  registriesD: file,
}: PlannedSignatures): Promise<SignaturesReport> {
  for (const { name, signatures } of manifests) {
    const own = join(folder, name);
    await refuseNoFolders(foldersDownTo(folder, name));
    await prepareFolder(own);
    const held = new Set<string>();
    let next = 1;
    for (; next <= MAX_SIGNATURES; next += 1) {
      const path = join(own, `signature-${next}`);
      if (!(await isFileThere(path))) break;
      held.add(digestOf(await readSmallFile(path, MAX_SIGNATURE_BYTES)));
    }
    for (const message of signatures) {
      if (held.has(digestOf(message))) continue;
      await writeWhole(join(own, `signature-${next}`), message, { isReplaceable: true });
      next += 1;
    }
  }
  if (file !== undefined) await writeWhole(file.path, file.text);
  const count = manifests.reduce((sum, { signatures }) => sum + signatures.length, 0);
  const report = { folder, signatures: count, manifests: manifests.length };
  return file === undefined ? report : { ...report, registriesD: file.path };
}

/** The section of `next-steps.txt` about them. @param typed a path as its reader types it. */
export function signaturesSection(
  { folder, manifests, registriesD: file }: PlannedSignatures,
  server: string | undefined,
  typed: (path: string) => string,
): readonly string[] {
  const what = counted(manifests.length, 'manifest');
  return [
    'SIGNATURES THAT ARE KEPT BESIDE IMAGES',
    '',
    `${typed(folder)} has the signatures of ${what}, for nodes whose policy.json asks for`,
    'signatures. Have a web server serve this folder. Add what other bundles bring to it.',
    ...(file === undefined || server === undefined
      ? [
          'Nodes have to be told where the server is. This writes the file for them:',
          '  bundle resources BUNDLE --to REGISTRY/NAMESPACE --signature-server URL',
        ]
      : [
          `This file says to nodes that they are at ${server}:`,
          `  ${pathWord(typed(file.path))}`,
          'Try first that the server answers: a node pulls nothing of these repositories while it',
          'does not. Then put the file into /etc/containers/registries.d of the nodes, with a',
          'MachineConfig; nodes are drained for that, one after the other.',
        ]),
    '',
  ];
}

/** The same in one sentence, for a report. */
export function signaturesNote(
  { folder, manifests, registriesD: file }: PlannedSignatures,
  typed: (path: string) => string,
): string {
  const what = `${typed(folder)} has signatures of ${counted(manifests.length, 'manifest')}`;
  return file === undefined
    ? `${what} for a web server; --signature-server URL writes the file for nodes, too.`
    : `${what} for a web server, and ${typed(file.path)} says to nodes where that is.`;
}
