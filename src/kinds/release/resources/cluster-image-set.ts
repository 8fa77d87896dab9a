import type { ClusterObject } from '../../cluster-object.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../resource-file.ts';

/**
 * The object by which Advanced Cluster Management offers a release for new clusters, under the name
 * that it has where ACM fetches it itself.
 * @param pinned the release image at the local registry, by digest.
 */
export function clusterImageSetFile(
  version: string,
  architecture: string,
  pinned: string,
): ResourceFile {
  const name = `img${`${version}-${architecture}`.toLowerCase().replace(/[^a-z0-9.]+/g, '-')}-appsub`;
  const object: ClusterObject = {
    apiVersion: 'hive.openshift.io/v1',
    kind: 'ClusterImageSet',
    metadata: { name, labels: { visible: 'true' } },
    spec: { releaseImage: pinned },
  };
  return resourceFile(`for-acm/${name}.yaml`, [object], EFFECTS.service, { audience: 'hub' });
}
