import { formatRepository } from '../../core/reference.ts';
import { pathWord } from '../../core/text.ts';
import type { ClusterObject } from '../cluster-object.ts';
import type { Destinations } from '../destinations.ts';
import type { DeliveredPaths, Part, PartResources } from '../kind.ts';
import { EFFECTS, resourceFile } from '../resource-file.ts';
import type { GraphFacts } from './expand.ts';

/**
 * The operator makes a route of the name and the namespace: `NAME-route-NAMESPACE` is the first
 * label of its host, and `NAME-policy-engine-route-NAMESPACE` was. A label has 63 characters.
 */
const NAME = 'update-service';
const NAMESPACE = 'openshift-update-service';

/** A folder of its own: only a cluster with the operator can take it. */
const FILE = `update-service/${NAME}.yaml`;

/** The object that lets the operator of update services serve a graph from its new place. */
export function updateService(
  { image }: GraphFacts,
  { entry, graph }: Destinations,
): ClusterObject {
  return {
    apiVersion: 'updateservice.operator.openshift.io/v1',
    kind: 'UpdateService',
    metadata: { name: NAME, namespace: NAMESPACE },
    spec: {
      // By digest: of a tag the operator asks the registry every five minutes.
      graphDataImage: `${formatRepository(graph)}@${image}`,
      releases: formatRepository(entry),
      replicas: 2,
    },
  };
}

export function graphResources({ facts }: Part<GraphFacts>, at: Destinations): PartResources {
  const object = updateService(facts, at);
  return {
    files: [resourceFile(FILE, [object], EFFECTS.service, { audience: 'update-service' })],
    mirrors: [],
    section: (paths) => steps(paths, facts, at),
    shown: (paths) => [
      {
        condition:
          'On the cluster with the operator "OpenShift Update Service", which next-steps.txt says ' +
          'how to install:',
        commands: [serving(paths)],
        files: [FILE],
      },
    ],
  };
}

function serving(paths: DeliveredPaths): string {
  return `oc apply -f ${pathWord(paths.of(FILE))}`;
}

function steps(
  paths: DeliveredPaths,
  { image }: GraphFacts,
  { entry, graph }: Destinations,
): readonly string[] {
  return [
    'The update graph, in the local registry:',
    `  ${formatRepository(graph)}@${image}`,
    'The pull secret of the cluster with the update service has to be able to read it, too.',
    '',
    'OFFER UPDATES TO CLUSTERS',
    '',
    'The update service runs in one cluster, and answers all of them. Without it, update by digest,',
    'as described for each release.',
    '',
    `1. Install the operator "OpenShift Update Service" into the namespace ${NAMESPACE}, once. The`,
    '   CA of the registry has to be in the ConfigMap that image.config names, under the key',
    '   updateservice-registry.',
    '2. Let it serve this graph; do this for every graph that arrives:',
    `     ${serving(paths)}`,
    '3. Point each cluster at it, once:',
    `     URL=$(oc -n ${NAMESPACE} get updateservice -o jsonpath='{.items[0].status.policyEngineURI}')`,
    `     oc patch clusterversion version --type merge -p '{"spec":{"upstream":"'$URL/api/upgrades_info/v1/graph'"}}'`,
    '     oc adm upgrade channel CHANNEL',
    '',
    'A cluster is offered updates only if the release that it runs has a tag in',
    `${formatRepository(entry)} too.`,
    '',
  ];
}
