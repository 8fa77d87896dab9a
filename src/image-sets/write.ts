import { stringify } from 'yaml';

/** What a new file shall ask for. */
export interface ImageSetDraft {
  readonly channel?: string | undefined;
  readonly minVersion?: string | undefined;
  readonly maxVersion?: string | undefined;
  readonly shortestPath: boolean;
  readonly architectures: readonly string[];
  readonly graph: boolean;
  readonly catalog?: string | undefined;
  /** Operators of the catalog; none stands for all of them. */
  readonly packages: readonly string[];
  readonly images: readonly string[];
}

/** The text of a file that oc-mirror v2 reads, too. */
export function writeImageSet(draft: ImageSetDraft): string {
  const { channel, catalog, packages, images, architectures, graph } = draft;
  const { minVersion, maxVersion, shortestPath } = draft;
  const platform = {
    ...(graph && { graph }),
    ...(architectures.length > 0 && { architectures }),
    ...(channel !== undefined && {
      channels: [
        {
          name: channel,
          ...(minVersion !== undefined && { minVersion }),
          ...(maxVersion !== undefined && { maxVersion }),
          ...(shortestPath && { shortestPath }),
        },
      ],
    }),
  };
  const operator = {
    catalog,
    ...(packages.length > 0 && { packages: packages.map((name) => ({ name })) }),
  };
  const file = {
    apiVersion: 'mirror.openshift.io/v2alpha1',
    kind: 'ImageSetConfiguration',
    mirror: {
      ...(Object.keys(platform).length > 0 && { platform }),
      ...(catalog !== undefined && { operators: [operator] }),
      ...(images.length > 0 && { additionalImages: images.map((name) => ({ name })) }),
    },
  };
  // oc-mirror reads YAML 1.1: yes, on or 1_0 without quotes is no text there.
  return stringify(file, { compat: 'yaml-1.1' });
}
