import { formatJson } from '../../core/json.ts';
import { type ClusterObject, yamlOf } from '../../kinds/cluster-object.ts';
import type { KnownBy, MirrorGroup, MirrorRow } from '../../kinds/mirror-row.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../kinds/resource-file.ts';
import type { MirrorSetKind } from '../../mirrors/mirror-sets.ts';
import { mirroredRepositories, mirrorSet } from './mirror-sets.ts';
import type { MirrorScope, SourcePolicy } from './request.ts';

/** In the order in which objects come in a file. */
const GROUPS: readonly MirrorGroup[] = ['generic', 'operator', 'release'];

const SIGNATURES = 'mirrored-release-signatures';
const SIGNATURE_LABEL = 'release.openshift.io/verification-signatures';

/** The mirror sets under the names of oc-mirror: one file of a sort, an object for each group. */
export function ocMirrorSets(
  rows: readonly MirrorRow[],
  scope: MirrorScope,
  sourcePolicy: SourcePolicy | undefined,
): readonly ResourceFile[] {
  const scoped = scope === 'repository' ? rows : rows.map(widened);
  const sets = (
    prefix: string,
    knownBy: readonly KnownBy[],
    kind: MirrorSetKind,
  ): readonly ClusterObject[] =>
    GROUPS.flatMap((group) => {
      const ofGroup = scoped.filter((row) => row.group === group);
      const repositories = mirroredRepositories(ofGroup, knownBy);
      if (repositories.length === 0) return [];
      return [mirrorSet(kind, `${prefix}-${group}-0`, repositories, sourcePolicy)];
    });
  const digests = sets('idms', ['digest', 'both'], 'ImageDigestMirrorSet');
  const tags = sets('itms', ['tag', 'both'], 'ImageTagMirrorSet');
  return [
    ...(digests.length > 0
      ? [ocMirrorFile('idms-oc-mirror.yaml', digests, EFFECTS.digestMirrors)]
      : []),
    ...(tags.length > 0 ? [ocMirrorFile('itms-oc-mirror.yaml', tags, EFFECTS.tagMirrors)] : []),
  ];
}

/** A mirror that keeps the path of its source stands for the whole namespace, or host. */
export function widened(row: MirrorRow): MirrorRow {
  const path = row.source.slice(row.source.indexOf('/'));
  if (!row.mirror.endsWith(path)) return row;
  const parent = (repository: string): string => repository.slice(0, repository.lastIndexOf('/'));
  return { ...row, source: parent(row.source), mirror: parent(row.mirror) };
}

function ocMirrorFile(
  name: string,
  objects: readonly ClusterObject[],
  effect: ResourceFile['effect'],
): ResourceFile {
  const text = objects.map((object) => `---\n${yamlOf(object)}`).join('');
  return resourceFile(name, objects, effect, { text });
}

/**
 * Files of parts under the names of oc-mirror. It has one config map for the signatures of all
 * releases, which it writes as JSON too; their numbers run on from release to release.
 */
export function withOcMirrorNames(files: readonly ResourceFile[]): readonly ResourceFile[] {
  const isSigning = ({ effect }: ResourceFile): boolean => effect === EFFECTS.releaseSignature;
  const signing = files.filter(isSigning).flatMap(({ objects }) => objects);
  const others = files.filter((file) => !isSigning(file)).map(renamed);
  if (signing.length === 0) return others;
  const messages = signing.flatMap(({ binaryData }) =>
    Object.entries(binaryData as Readonly<Record<string, string>>),
  );
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...{ name: SIGNATURES, namespace: 'openshift-config-managed' },
      labels: { [SIGNATURE_LABEL]: '' },
    },
    binaryData: Object.fromEntries(
      messages.map(([key, message], index) => [key.replace(/\d+$/, String(index + 1)), message]),
    ),
  };
  return [
    resourceFile('signature-configmap.yaml', [object], EFFECTS.releaseSignature),
    // The same again: a cluster is given the object once.
    resourceFile('signature-configmap.json', [], EFFECTS.releaseSignature, {
      text: formatJson(object),
    }),
    ...others,
  ];
}

/** A file of a part under its name there; the signatures of all releases are in one. */
export function renamed(file: ResourceFile): ResourceFile {
  const [object] = file.objects;
  if (object?.kind !== 'UpdateService') return file;
  const { effect, audience } = file;
  const metadata = { ...object.metadata, name: 'update-service-oc-mirror' };
  return resourceFile('updateService.yaml', [{ ...object, metadata }], effect, { audience });
}
