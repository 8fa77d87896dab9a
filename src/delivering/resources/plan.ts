import { isLoopback } from '../../core/reference.ts';
import { dirname, join, normalize, relative, resolve } from 'node:path';

import { formatRepository } from '../../core/reference.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { Destinations } from '../../kinds/destinations.ts';
import type { DeliveredPaths, Kind, Part, PartResources } from '../../kinds/kind.ts';
import type { MirrorRow } from '../../kinds/mirror-row.ts';
import {
  type CatalogWishes,
  type Extras,
  type ResourceFile,
  type ShownStep,
  STAGES,
  type WantedExtras,
} from '../../kinds/resource-file.ts';
import { type InstallBlock, installBlocks } from './install-config.ts';
import { KUSTOMIZATION, kustomizationOf } from './kustomization.ts';
import { mirroredRepositories, mirrorSets } from './mirror-sets.ts';
import { type NewerNames, nextSteps, type Step, stepsFor } from './next-steps.ts';
import { ocMirrorSets, renamed, widened, withOcMirrorNames } from './oc-mirror-names.ts';
import type { ResourceRequest } from './request.ts';
import { refuseSharedNames } from './shared-names.ts';
import {
  type PlannedSignatures,
  planSignatures,
  signaturesNote,
  signaturesSection,
} from './signatures.ts';
import { trustFiles } from './trust.ts';

/** A file that is about to be written. */
export interface PlannedFile {
  readonly path: string;
  readonly text: string | Uint8Array;
}

/** Files for a cluster and an installer that are about to be written. */
export interface PlannedResources {
  /** The files of objects, in the order in which a cluster takes them. */
  readonly objects: readonly (ResourceFile & PlannedFile)[];
  /** All files but the steps. */
  readonly files: readonly PlannedFile[];
  /** Says what to do with them. */
  readonly steps: PlannedFile;
  /** The folders that this program makes for them; not one that the user has named. */
  readonly folders: readonly string[];
  /** The commands that are printed in the end, with what has to be true for them. */
  readonly firstSteps: readonly ShownStep[];
  /** Signatures that are kept beside images; none where no image has any. */
  readonly signatures: PlannedSignatures | undefined;
  /** Facts that are printed before the commands. */
  readonly notes: readonly string[];
  /** Whether the files name the registry by an address of one machine. */
  readonly isLoopback: boolean;
}

/** A path as it is typed in the folder where somebody reads it. */
type Typed = (path: string) => string;

/** What is known beside the parts. */
export interface PlanOptions extends Omit<ResourceRequest, 'catalogs'> {
  readonly catalogs?: CatalogWishes | undefined;
  /** What the target holds already, which the steps warn of; `undefined` where nobody has looked. */
  readonly newer: readonly NewerNames[] | undefined;
  /** Of the CA that clusters shall trust for the target, in PEM. */
  readonly certificates: readonly string[];
  /** With which `oc` asks the cluster that the user has chosen; none for its usual one. */
  readonly ocOptions?: readonly string[] | undefined;
}

const UPDATE_WHEN =
  'When "oc get mcp" says that all pools are updated, and "oc get clusterversion" that the cluster ' +
  'runs an older version:';

const WHICH_UPDATE =
  'Several releases have arrived: next-steps.txt has what updates a cluster to each of them.';

/**
 * Plans what a cluster and an installer need to use parts from their new place: a pure function, so
 * the same parts and options give the same bytes.
 * @param kinds of the parts.
 */
export function planResources(
  { parts }: Pick<Closure, 'parts'>,
  kinds: readonly Kind[],
  destinations: Destinations,
  options: PlanOptions,
): PlannedResources {
  const wishes = { asOcMirror: options.names === 'oc-mirror', catalogs: options.catalogs };
  const ofParts = parts.map((part): PartResources => {
    const kind = kinds.find(({ name }) => name === part.kind)!;
    return kind.resources(part, destinations, wishes);
  });
  refuseSharedNames(parts, ofParts);
  const rows = ofParts.flatMap(({ mirrors }) => mirrors);
  const { folder: named, certificates, sourcePolicy } = options;
  // As they were typed: so reports and commands name them, which are typed in the same folder.
  const folder = normalize(named ?? 'cluster-resources');
  const beside = normalize(named ?? '');
  const pathOf = (name: string): string => join(folder, name);

  const extras = extrasFor(parts, kinds, destinations, options.extras);
  const extraFiles = extras.flatMap(({ files: some }) => some);
  const files = objectFiles([...ofParts, { files: extraFiles }], rows, destinations, options);
  const objects = files.map((file) => ({ ...file, path: pathOf(file.name) }));
  const versions = ofParts.flatMap(({ minor }) => minor ?? []);
  const repositories = mirroredRepositories(scopedRows(rows, options), ['digest', 'both']);
  const install = installBlocks(repositories, certificates, { versions, sourcePolicy }).map(
    ({ name, text }): PlannedFile & InstallBlock => {
      return { name, text, path: join(beside, 'install', name) };
    },
  );
  const kustomization =
    options.names === 'oc-mirror'
      ? []
      : [{ path: pathOf(KUSTOMIZATION), text: kustomizationOf(files) }];
  const stepsAs = (typed: Typed): readonly Step[] =>
    stepsFor(
      objects.map((file) => ({ ...file, typed: typed(file.path) })),
      { versions, sourcePolicy },
    );
  // What a part calls a file, and how it is called that is written.
  const writtenAs = new Map(
    options.names === 'oc-mirror'
      ? ofParts.flatMap((part) =>
          part.files.map((file) => [file.name, renamed(file).name] as const),
        )
      : [],
  );
  const pathsAs = (typed: Typed): DeliveredPaths => ({
    mirrorSet: typed(pathOf(mirrorSetOf(files))),
    install: install.map(({ path }) => typed(path)),
    of: (name) => typed(pathOf(writtenAs.get(name) ?? name)),
  });
  const inSteps: Typed = (path) => relative(beside, path);
  const inReport: Typed = (path) => path;
  const { signatureServer: server } = options;
  const signatures = planSignatures(parts, destinations, { beside, server });
  const text = nextSteps(ofParts, {
    extras: [
      ...extras.map(({ section }) => section((name) => inSteps(pathOf(name)))),
      ...(signatures === undefined ? [] : [signaturesSection(signatures, server, inSteps)]),
    ],
    ...{
      folder: resolve(beside),
      destinations,
      newer: options.newer,
      ocOptions: options.ocOptions,
    },
    repositories: repositoriesOf(
      [...rows.map(({ mirror }) => mirror), ...ofParts.flatMap(({ named = [] }) => named)],
      versions.length > 0,
      destinations,
    ),
    ...{ steps: stepsAs(inSteps), paths: pathsAs(inSteps) },
    trustsCertificate: certificates.length > 0,
  });
  const all = [...objects, ...kustomization, ...install];
  const shown = ofParts.flatMap((part) => part.shown?.(pathsAs(inReport)) ?? []);
  const updates = ofParts
    .map((part) => part.update?.(pathsAs(inReport)) ?? [])
    .filter((commands) => commands.length > 0);
  return {
    objects,
    files: all.map(({ path, text: content }) => ({ path, text: content })),
    steps: { path: join(beside, 'next-steps.txt'), text },
    folders: [...new Set(all.map(({ path }) => dirname(path)))].filter(
      (made) => named === undefined || made !== folder,
    ),
    signatures,
    notes: [
      ...extras.flatMap(({ notes }) => notes),
      ...(signatures === undefined ? [] : [signaturesNote(signatures, inReport)]),
    ],
    isLoopback: isLoopback(destinations.target.registry),
    firstSteps: [
      ...stepsAs(inReport).flatMap(({ shown }) => shown),
      ...extras.flatMap((extra) => extra.shown(pathOf)),
      ...together(shown).map((step) => ({
        ...step,
        files: step.files.map((name) => writtenAs.get(name) ?? name),
      })),
      ...updateStep(updates),
    ],
  };
}

/** Steps of several parts with one condition as one step. */
function together(steps: readonly ShownStep[]): readonly ShownStep[] {
  const byCondition = new Map<string | undefined, ShownStep>();
  for (const step of steps) {
    const { condition, commands, files } = step;
    const known = byCondition.get(condition);
    byCondition.set(condition, {
      ...step,
      commands: [...(known?.commands ?? []), ...commands],
      files: [...(known?.files ?? []), ...files],
    });
  }
  return [...byCondition.values()];
}

/** Of several parts only one is wanted next. */
function updateStep(updates: readonly (readonly string[])[]): readonly ShownStep[] {
  if (updates.length === 0) return [];
  if (updates.length === 1) return [{ condition: UPDATE_WHEN, commands: updates[0]!, files: [] }];
  return [{ condition: WHICH_UPDATE, commands: [], files: [] }];
}

/**
 * Mirrors for namespaces, where they are wanted. One for a whole host would take all that it has,
 * though the target has next to nothing of it: that is never made.
 */
function scopedRows(rows: readonly MirrorRow[], { scope }: PlanOptions): readonly MirrorRow[] {
  if (scope !== 'namespace') return rows;
  return rows.map((row) => {
    const wide = widened(row);
    return wide.source.includes('/') ? wide : row;
  });
}

/** Those that clusters have to be able to read. */
function repositoriesOf(
  ofParts: readonly string[],
  hasReleases: boolean,
  { entry, content }: Destinations,
): readonly string[] {
  const ofReleases =
    hasReleases || ofParts.length === 0 ? [formatRepository(entry), formatRepository(content)] : [];
  return [...new Set([...ofReleases, ...ofParts])];
}

function extrasFor(
  parts: readonly Part[],
  kinds: readonly Kind[],
  destinations: Destinations,
  wanted: WantedExtras | undefined,
): readonly Extras[] {
  if (wanted === undefined) return [];
  return kinds.flatMap((kind) => {
    const ofKind = parts.filter((part) => part.kind === kind.name);
    return kind.extras?.(ofKind, destinations, wanted) ?? [];
  });
}

/** In the order of stages. */
function objectFiles(
  parts: readonly Pick<PartResources, 'files'>[],
  rows: readonly MirrorRow[],
  { target, maxNestedPaths }: Destinations,
  options: PlanOptions,
): readonly ResourceFile[] {
  const { names, sourcePolicy, certificates } = options;
  const ofParts = parts.flatMap(({ files }) => files);
  const trusted = certificates.length > 0 ? trustFiles(target.registry, certificates) : undefined;
  const trust = trusted === undefined ? [] : [trusted.configMap, trusted.patch];
  if (names === 'oc-mirror') {
    const scope = options.scope ?? (maxNestedPaths === undefined ? 'namespace' : 'repository');
    const sets = ocMirrorSets(rows, scope, sourcePolicy);
    return inStages([...withOcMirrorNames(ofParts), ...trust, ...sets]);
  }
  const { digests, tags, policy } = mirrorSets(scopedRows(rows, options), target, sourcePolicy);
  const hasDigests = rows.every(({ knownBy }) => knownBy === 'tag') ? rows.length === 0 : true;
  const sets = [
    ...(hasDigests ? [digests] : []),
    ...(tags === undefined ? [] : [tags]),
    ...(hasDigests ? [policy] : []),
  ];
  return inStages([...ofParts, ...trust, ...sets]);
}

function inStages(files: readonly ResourceFile[]): readonly ResourceFile[] {
  return files.toSorted((a, b) => STAGES.indexOf(a.effect.stage) - STAGES.indexOf(b.effect.stage));
}

/** The file that `oc` is told of mirrors by. */
function mirrorSetOf(files: readonly ResourceFile[]): string {
  const sets = files.filter(
    ({ effect, audience }) => effect.stage === 'mirrors' && audience === 'every-cluster',
  );
  return sets[0]?.name ?? '';
}
