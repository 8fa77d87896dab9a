import type { ChartSeed } from './claim.ts';

/** Where a chart is fetched from. */
export type ChartSource =
  /** A classic repository with an `index.yaml`. */
  | {
      readonly type: 'repository';
      readonly url: string;
      readonly name: string;
      /** The newest release without one. */
      readonly version?: string | undefined;
    }
  /** A registry: `registry.example.com/charts/web:1.2.3`. */
  | { readonly type: 'registry'; readonly reference: string }
  /** A folder or an archive of this machine. */
  | { readonly type: 'local'; readonly path: string }
  /** Every version of every chart of a classic repository but libraries: it stands for many. */
  | { readonly type: 'all'; readonly url: string };

/** A chart that somebody asks for, and how its images are found. */
export interface ChartRequest {
  readonly source: ChartSource;
  /** Paths in its manifests that lead to images, beside those of pods. */
  readonly imagePaths: readonly string[];
  /** Paths of values files, the later ones over the earlier. */
  readonly values: readonly string[];
  /** Images that the user lists for it. */
  readonly images: readonly string[];
  readonly rendering: Rendering;
  /** Path of a keyring: then its provenance file is fetched and has to be good. */
  readonly keyring?: string | undefined;
  /** The chart that it has to be, with images that an earlier run has found: none is looked for. */
  readonly locked?: ChartSeed | undefined;
}

/** In place of a program: charts are not rendered. */
export const NO_HELM = 'none';

/** What all charts of a run are rendered with and for. */
export interface Rendering {
  /**
   * The helm program, by its path or its name on PATH, and {@link NO_HELM} for none; that on PATH, if
   * there is one, where nobody names any.
   */
  readonly helm?: string | undefined;
  readonly kubeVersion: string;
  readonly apiVersions: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How messages call a chart before anybody has seen it. */
export function nameOfSource(source: ChartSource): string {
  if (source.type === 'local') return source.path;
  if (source.type === 'all') return source.url;
  if (source.type === 'registry') return source.reference;
  return source.version === undefined ? source.name : `${source.name} ${source.version}`;
}
