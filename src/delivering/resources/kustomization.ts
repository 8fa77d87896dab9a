import { compareText } from '../../core/text.ts';
import { yamlOf } from '../../kinds/cluster-object.ts';
import type { ResourceFile } from '../../kinds/resource-file.ts';

/** Its name; `oc apply -k` looks for it. */
export const KUSTOMIZATION = 'kustomization.yaml';

/** Lists what lies beside it: what any cluster can take. Folders hold what needs a thought first. */
export function kustomizationOf(files: readonly ResourceFile[]): string {
  const names = files.map(({ name }) => name).filter((name) => !name.includes('/'));
  return yamlOf({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: names.toSorted(compareText),
  });
}
