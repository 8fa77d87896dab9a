import { stringify } from 'yaml';

import type { Json } from '../core/json.ts';

/** An object for the API of a cluster. */
export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: Json;
}

/**
 * YAML of some objects, or of parts of one: the same bytes for the same values, laid out as `oc get
 * -o yaml` does it. Keys are sorted, a list that is used twice is written twice, and text that an
 * older parser would read as something else (`no`, `4.20`) is in quotes: clusters read YAML 1.1.
 */
export function yamlOf(...documents: readonly object[]): string {
  return documents
    .map((document) =>
      stringify(document, {
        ...{ sortMapEntries: true, lineWidth: 0, indentSeq: false },
        ...{ aliasDuplicateObjects: false, compat: 'yaml-1.1' },
      }),
    )
    .join('---\n');
}
