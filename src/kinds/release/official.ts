import type { RepositoryName } from '../../core/reference.ts';

/** The repository that official releases are published in and signed for. */
export const OFFICIAL_RELEASES: RepositoryName = {
  registry: 'quay.io',
  repository: 'openshift-release-dev/ocp-release',
};

/**
 * The repository that the components of official releases are published in; unlike the other, it
 * asks for credentials.
 */
export const OFFICIAL_COMPONENTS: RepositoryName = {
  registry: 'quay.io',
  repository: 'openshift-release-dev/ocp-v4.0-art-dev',
};

/** Where Red Hat publishes the signatures of OpenShift releases. */
export const DEFAULT_SIGNATURE_STORES: readonly string[] = [
  'https://storage.googleapis.com/openshift-release/official/signatures/openshift/release',
  'https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release',
];

/** The update service of Red Hat; clusters with a connection ask it too. */
export const OFFICIAL_UPDATE_SERVICE = 'https://api.openshift.com/api/upgrades_info/v1/graph';
