import { formatReference } from '../../core/reference.ts';
import { shellWord } from '../../core/text.ts';
import type { ClusterObject } from '../cluster-object.ts';
import { type Destinations, repositoryAt } from '../destinations.ts';
import type { DeliveredPaths, Part, PartResources } from '../kind.ts';
import { mirrorRows } from '../mirror-row.ts';
import { EFFECTS, resourceFile } from '../resource-file.ts';
import type { CatalogFacts } from './expand.ts';

/** The name of an object, of the last part of the path and the tag: `cs-index-v4-17`. */
function nameOf({ path, tag }: CatalogFacts): string {
  const short = `${path.slice(path.lastIndexOf('/') + 1)}-${tag.replace(/^(sha256-.{12}).*$/, '$1')}`;
  return short.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
}

/** The catalog for a cluster, by digest: a tag would be asked for again and again. */
function objectsOf(facts: CatalogFacts, at: Destinations): readonly [ClusterObject, ClusterObject] {
  const image = formatReference({ ...repositoryAt(at, `/${facts.path}`), digest: facts.digest });
  const name = nameOf(facts);
  return [
    {
      apiVersion: 'operators.coreos.com/v1alpha1',
      kind: 'CatalogSource',
      metadata: { name: `cs-${name}`, namespace: 'openshift-marketplace' },
      spec: { image, sourceType: 'grpc' },
    },
    {
      apiVersion: 'olm.operatorframework.io/v1',
      kind: 'ClusterCatalog',
      metadata: { name: `cc-${name}` },
      spec: { source: { type: 'Image', image: { ref: image } } },
    },
  ];
}

export function catalogResources(
  { facts, images }: Part<CatalogFacts>,
  at: Destinations,
): PartResources {
  const [source, catalog] = objectsOf(facts, at);
  const name = nameOf(facts);
  const files = {
    source: `operators/cs-${name}.yaml`,
    catalog: `operators/cc-${name}.yaml`,
  };
  const related = images.filter(({ request }) => request.role === 'operator-image');
  return {
    files: [
      resourceFile(files.source, [source], EFFECTS.service, { audience: 'olm' }),
      resourceFile(files.catalog, [catalog], EFFECTS.service, { audience: 'olm' }),
    ],
    mirrors: related.flatMap((image) => {
      const { source, tags } = image.request;
      const isByTag = facts.askedByTag.includes(source);
      return [
        ...(isByTag ? mirrorRows([image], at, 'operator', 'tag') : []),
        // Other names of the image than that tag have its digest.
        ...(!isByTag || tags.length > 1 ? mirrorRows([image], at, 'operator', 'digest') : []),
      ];
    }),
    section: (paths) => steps(paths, { facts, name: source.metadata.name, files }),
    commands: () => [],
  };
}

function steps(
  paths: DeliveredPaths,
  {
    facts,
    name,
    files,
  }: {
    readonly facts: CatalogFacts;
    readonly name: string;
    readonly files: { readonly source: string; readonly catalog: string };
  },
): readonly string[] {
  return [
    `The catalog ${facts.reference} is in the local registry, with these operators:`,
    ...facts.packages.map(
      ({ name: own, bundles }) => `  ${own}: ${bundles.map(({ version }) => version).join(', ')}`,
    ),
    '',
    'OFFER THE OPERATORS',
    '',
    '1. Turn off the catalogs that a cluster without a connection cannot reach, once:',
    `     oc patch operatorhub cluster --type merge -p '{"spec":{"disableAllDefaultSources":true}}'`,
    '2. Add this one; do this again for every catalog that arrives:',
    `     oc apply -f ${shellWord(paths.of(files.source))}`,
    `   Subscriptions name it as their source: ${name}.`,
    '3. Only on a cluster with OLM v1:',
    `     oc apply -f ${shellWord(paths.of(files.catalog))}`,
    '',
  ];
}
