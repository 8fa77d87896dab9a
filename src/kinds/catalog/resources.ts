import { formatRepository } from '../../core/reference.ts';
import { pathWord } from '../../core/text.ts';
import { type Destinations, repositoryAt } from '../destinations.ts';
import type { DeliveredPaths, Part, PartResources } from '../kind.ts';
import { mirrorRows } from '../mirror-row.ts';
import {
  EFFECTS,
  type Extras,
  NO_EXTRAS,
  resourceFile,
  type ResourceWishes,
  type ShownStep,
} from '../resource-file.ts';
import { type CatalogObject, type CatalogObjects, catalogObjects } from './catalog-objects.ts';
import type { CatalogFacts } from './expand.ts';

export function catalogResources(
  { facts, images }: Part<CatalogFacts>,
  at: Destinations,
  wishes: ResourceWishes = {},
): PartResources {
  const objects = catalogObjects(facts, at, wishes);
  const related = images.filter(({ request }) => request.role === 'operator-image');
  return {
    files: [objects.source, objects.catalog].map(({ file, object }) =>
      resourceFile(file, [object], EFFECTS.service, { audience: 'olm' }),
    ),
    mirrors: related.flatMap((image) => {
      const { source, tags } = image.request;
      const isByTag = facts.askedByTag.includes(source);
      return [
        ...(isByTag ? mirrorRows([image], at, 'operator', 'tag') : []),
        // Other names of the image than that tag have its digest.
        ...(!isByTag || tags.length > 1 ? mirrorRows([image], at, 'operator', 'digest') : []),
      ];
    }),
    named: [formatRepository(repositoryAt(at, `/${facts.path}`))],
    section: (paths) => steps(paths, facts, objects),
    shown: (paths) => shownSteps(paths, facts, objects),
  };
}

function adding({ file }: CatalogObject, paths: DeliveredPaths): string {
  return `oc apply -f ${pathWord(paths.of(file))}`;
}

function shownSteps(
  paths: DeliveredPaths,
  { reference, findings }: CatalogFacts,
  { source, catalog }: CatalogObjects,
): readonly ShownStep[] {
  if (findings.length > 0) {
    const condition =
      `OLM refuses the catalog ${reference} as it is, and all of its operators: ` +
      '"bundle inspect" says why.';
    return [{ condition, commands: [], files: [source.file, catalog.file] }];
  }
  return [
    {
      condition: 'Add the catalogs of operators that have arrived:',
      commands: [adding(source, paths)],
      files: [source.file],
    },
    {
      condition: 'Only on a cluster with OLM v1, add them there, too:',
      commands: [adding(catalog, paths)],
      files: [catalog.file],
    },
    { condition: SUBSCRIBING, commands: [], files: [source.file] },
  ];
}

const SUBSCRIBING =
  'A Subscription has to name the catalog that it takes its operator from: next-steps.txt says how.';

function steps(
  paths: DeliveredPaths,
  { reference, packages, isRunnable, findings }: CatalogFacts,
  { source, catalog, isNamed }: CatalogObjects,
): readonly string[] {
  const { name } = source.object.metadata;
  return [
    `The catalog ${reference} is in the local registry, with these operators:`,
    ...packages.map(
      ({ name: own, bundles }) => `  ${own}: ${bundles.map(({ version }) => version).join(', ')}`,
    ),
    '',
    'OFFER THE OPERATORS',
    '',
    '1. Add this catalog; do this again for every one that arrives:',
    `     ${adding(source, paths)}`,
    ...(isRunnable
      ? []
      : ['   Its image does not serve itself: this needs OpenShift 4.20 or later.']),
    ...(findings.length === 0
      ? []
      : ['   OLM REFUSES IT as it is, and all of its operators: bundle inspect says why.']),
    '2. Only on a cluster with OLM v1:',
    `     ${adding(catalog, paths)}`,
    `3. Subscriptions name this catalog as their source: ${name}. To change one of them:`,
    '     oc -n NAMESPACE patch subscriptions.operators.coreos.com NAME --type merge ' +
      `-p '{"spec":{"source":"${name}"}}'`,
    ...(isNamed
      ? []
      : [
          '   The name has the tag of the catalog in it, so the next catalog may have another one.',
          '   --catalog-name NAME of "bundle resources" gives it one that stays.',
        ]),
    '',
  ];
}

/** What has to be known once for all catalogs. */
export function catalogExtras(catalogs: readonly Part<CatalogFacts>[]): Extras {
  return catalogs.length === 0
    ? NO_EXTRAS
    : { ...NO_EXTRAS, shown: () => [TURNED_OFF], section: () => ONCE };
}

/** Those that OpenShift brings along for OLM v1. */
const DEFAULT_CATALOGS = [
  'openshift-certified-operators',
  'openshift-community-operators',
  'openshift-redhat-marketplace',
  'openshift-redhat-operators',
];

const TURN_OFF =
  'oc patch operatorhub cluster --type merge ' + `-p '{"spec":{"disableAllDefaultSources":true}}'`;

const TURNED_OFF: ShownStep = {
  condition:
    'Operators: once on each cluster, turn off the catalogs that OpenShift brings along. ' +
    'next-steps.txt says what else OLM v1 wants:',
  commands: [TURN_OFF],
  files: [],
};

const ONCE: readonly string[] = [
  'OPERATORS: ONCE ON EACH CLUSTER THAT TAKES THEM FROM THE LOCAL REGISTRY',
  '',
  '1. Turn off the catalogs that OpenShift brings along: a cluster without a connection cannot',
  '   reach them.',
  `     ${TURN_OFF}`,
  '   Do this first: while they are on, a cluster overwrites a catalog that has the name of one of',
  '   them, such as redhat-operators.',
  '2. Every version of OpenShift has OLM v0: it takes a CatalogSource. From 4.18 on a cluster may',
  '   have OLM v1 beside it: that takes a ClusterCatalog. This fails on a cluster without OLM v1:',
  '     oc get clustercatalogs.olm.operatorframework.io',
  '3. Only with OLM v1: turn off those catalogs there, as far as the list above has them.',
  ...DEFAULT_CATALOGS.map(
    (name) =>
      `     oc patch clustercatalogs.olm.operatorframework.io ${name} --type merge ` +
      `-p '{"spec":{"availabilityMode":"Unavailable"}}'`,
  ),
  '4. A Subscription names its catalog, and gets no updates while no catalog has that name. This',
  '   lists the names:',
  '     oc get subscriptions.operators.coreos.com -A -o custom-columns=' +
    'NAMESPACE:.metadata.namespace,NAME:.metadata.name,SOURCE:.spec.source',
  '',
];
