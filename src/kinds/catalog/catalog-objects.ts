import { digestOf, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, type JsonObject } from '../../core/json.ts';
import { formatReference } from '../../core/reference.ts';
import type { ClusterObject } from '../cluster-object.ts';
import { type Destinations, repositoryAt } from '../destinations.ts';
import { isObjectName, marked } from '../object-name.ts';
import type { ResourceWishes, SourceTemplate } from '../resource-file.ts';
import type { CatalogFacts } from './expand.ts';
import { refuseCache } from './source-template.ts';
import { wishFor } from './wishes.ts';

type Placed = Pick<
  CatalogFacts,
  'digest' | 'reference' | 'from' | 'path' | 'tag' | 'template' | 'isRunnable' | 'configs'
>;

/** An object that offers a catalog, and its file. */
export interface CatalogObject {
  readonly file: string;
  readonly object: ClusterObject;
}

/** The same catalog for OLM v0, and for OLM v1. */
export interface CatalogObjects {
  readonly source: CatalogObject;
  readonly catalog: CatalogObject;
  /** Whether somebody has chosen their name. */
  readonly isNamed: boolean;
}

/** @throws BundleError USAGE for a catalog that oc-mirror has no name for */
export function catalogObjects(
  facts: Placed,
  at: Destinations,
  wishes: ResourceWishes,
): CatalogObjects {
  const { asOcMirror = false, catalogs } = wishes;
  const repository = repositoryAt(at, `/${facts.path}`);
  const wished = catalogs && wishFor(catalogs.names, facts);
  const stem = wished ?? (asOcMirror ? ocMirrorStem(repository.repository, facts) : stemOf(facts));
  const [source, catalog] = [`cs-${stem}`, `cc-${stem}`];
  const folder = asOcMirror ? '' : 'operators/';
  const { digest, tag } = facts;
  // A tag would be asked for again and again: oc-mirror takes it all the same.
  const template = (catalogs && wishFor(catalogs.templates, facts)) ?? facts.template;
  if (template !== undefined && digest !== facts.from) refuseCache(template, facts.reference);
  const image = formatReference({ ...repository, ...(asOcMirror ? { tag } : { digest }) });
  return {
    source: {
      file: `${folder}${source}.yaml`,
      object: {
        apiVersion: 'operators.coreos.com/v1alpha1',
        kind: 'CatalogSource',
        metadata: {
          ...{ name: wished ?? source, namespace: 'openshift-marketplace' },
          ...filled('labels', template?.labels),
          ...filled('annotations', template?.annotations),
        },
        spec: { ...template?.spec, ...extraction(facts, template), image, sourceType: 'grpc' },
      },
    },
    catalog: {
      file: `${folder}${catalog}.yaml`,
      object: {
        apiVersion: 'olm.operatorframework.io/v1',
        kind: 'ClusterCatalog',
        metadata: { name: wished ?? catalog },
        spec: {
          ...(asOcMirror && { priority: 0 }),
          source: { type: 'Image', image: { ref: image } },
        },
      },
    },
    isNamed: wished !== undefined,
  };
}

/** Nothing in an image of documents alone serves them: the cluster has to take them out. */
function extraction(
  { isRunnable, configs }: Placed,
  template: SourceTemplate | undefined,
): JsonObject {
  if (isRunnable) return {};
  const given = template?.spec['grpcPodConfig'];
  const config = isObject(given) ? given : {};
  return { grpcPodConfig: { extractContent: { catalogDir: configs }, ...config } };
}

/** Under their key, unless there are none. */
function filled(key: 'labels' | 'annotations', texts: Readonly<Record<string, string>> = {}) {
  return Object.keys(texts).length === 0 ? {} : { [key]: texts };
}

/** Of the last part of the path and the tag: `index-v4-17`. */
function stemOf({ path, tag }: Placed): string {
  const short = `${path.slice(path.lastIndexOf('/') + 1)}-${tag.replace(/^(sha256-.{12}).*$/, '$1')}`;
  const stem = short.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
  if (isObjectName(`cs-${stem}`)) return stem;
  const mark = hexOf(digestOf(`${path}:${tag}`));
  return marked(`cs-${stem}`, mark).slice('cs-'.length);
}

/** Of the tag, oc-mirror takes so many characters. */
const OC_MIRROR_SUFFIX = 12;

/** @throws BundleError USAGE where oc-mirror would end with an error, too */
function ocMirrorStem(repository: string, { reference, path, tag }: Placed): string {
  const last = repository.slice(repository.lastIndexOf('/') + 1).replaceAll('.', '-');
  const suffix = tag
    .slice(0, OC_MIRROR_SUFFIX)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
  const stem = `${last}-${suffix}`;
  if (isObjectName(`cs-${stem}`)) return stem;
  throw new BundleError(
    'USAGE',
    `oc-mirror has no name for the catalog ${reference}: cs-${stem} is none that a cluster takes`,
    { hint: `Give it one, as in --catalog-name ${path}:${tag}=NAME.` },
  );
}
