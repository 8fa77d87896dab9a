import { yamlOf } from '../../kinds/cluster-object.ts';
import type { MirroredRepository } from './mirror-sets.ts';
import type { SourcePolicy } from './request.ts';

/** A block for `install-config.yaml`. */
export interface InstallBlock {
  readonly name: string;
  readonly text: string;
}

/** The first minor version whose installer knows `imageDigestSources` (openshift/installer#6235). */
const DIGEST_SOURCES_SINCE = 14;
/**
 * The first minor version whose installer knows `sourcePolicy` of them (openshift/installer#10050,
 * of November 2025). `imageContentSources` never had it.
 */
export const SOURCE_POLICY_SINCE = 21;

/**
 * The blocks for `install-config.yaml`, by which a new cluster is told what a running one is told by
 * objects.
 * @param versions minor versions of OpenShift that may be installed.
 */
export function installBlocks(
  repositories: readonly MirroredRepository[],
  certificates: readonly string[],
  {
    versions,
    sourcePolicy,
  }: { readonly versions: readonly number[]; readonly sourcePolicy: SourcePolicy | undefined },
): readonly InstallBlock[] {
  const withPolicy = versions.every((minor) => minor >= SOURCE_POLICY_SINCE);
  const sources = repositories.map(({ source, mirrors }) => ({ source, mirrors }));
  const digestSources =
    sourcePolicy === undefined || !withPolicy
      ? sources
      : sources.map((entry) => ({ ...entry, sourcePolicy }));
  const isOld = versions.some((minor) => minor < DIGEST_SOURCES_SINCE);
  return [
    block('image-digest-sources.yaml', { imageDigestSources: digestSources }),
    ...(isOld ? [block('image-content-sources.yaml', { imageContentSources: sources })] : []),
    ...(certificates.length > 0
      ? [block('additional-trust-bundle.yaml', { additionalTrustBundle: certificates.join('') })]
      : []),
  ];
}

function block(name: string, content: object): InstallBlock {
  return { name, text: yamlOf(content) };
}
