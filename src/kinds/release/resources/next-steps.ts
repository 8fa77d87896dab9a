import { shellWord } from '../../../core/text.ts';
import { acknowledgementsOf } from './acknowledgements.ts';
import type { SignedImages } from './sigstore.ts';

/** The paths and references that the commands have to name. */
export interface DeliveredRelease {
  readonly version: string;
  /** Of OpenShift 4; `undefined` for what is no such version. */
  readonly minor: number | undefined;
  readonly architecture: string;
  /** The release image at the local registry, by digest. */
  readonly pinned: string;
  /** Whether a release signature proves it. */
  readonly isSigned: boolean;
  /** The sigstore signatures that were carried. */
  readonly sigstore: { readonly release: SignedImages; readonly components: SignedImages };
  readonly mirrorSetFile: string;
  /** The blocks for `install-config.yaml`. */
  readonly installFiles: readonly string[];
}

/** The first minor version that wants sigstore signatures of release images. */
const SIGSTORE_SINCE = 21;

/** The exact commands for a release that has arrived in a local registry. */
export function nextSteps(release: DeliveredRelease): readonly string[] {
  const { version, architecture, pinned } = release;
  return [
    `OpenShift ${version} (${architecture}), in the local registry:`,
    `  ${pinned}`,
    '',
    'UPGRADE A CLUSTER',
    '',
    ...(release.isSigned ? upgradeSteps(release) : UNSIGNED),
    'INSTALL A NEW CLUSTER',
    '',
    ...installSteps(release),
  ];
}

/** The command that upgrades a cluster; none to a release that a cluster refuses. */
export function upgradeCommands({
  isSigned,
  pinned,
}: Pick<DeliveredRelease, 'isSigned' | 'pinned'>): readonly string[] {
  return isSigned ? [`oc adm upgrade --allow-explicit-upgrade --to-image ${pinned}`] : [];
}

const UNSIGNED: readonly string[] = [
  'THIS RELEASE HAS NO SIGNATURE: nothing proves where it comes from, and a cluster refuses to',
  'upgrade to it. So there is no command for it here. Get a signed release.',
  '',
];

function upgradeSteps(release: DeliveredRelease): readonly string[] {
  const { version, minor } = release;
  return [
    '1. Ask the cluster whether it can be upgraded, and what it wants to be acknowledged:',
    '     oc adm upgrade',
    '     oc get configmap admin-gates -n openshift-config-managed -o yaml',
    ...(minor === undefined ? [] : acknowledgements(minor)),
    ...(minor === undefined || minor < SIGSTORE_SINCE ? [] : sigstoreLines(release)),
    '',
    '2. Upgrade. Without an update service, by digest:',
    ...upgradeCommands(release).map((command) => `     ${command}`),
    '   With an update service of your own, in a channel that has the release:',
    `     oc adm upgrade channel ${minor === undefined ? 'CHANNEL' : `stable-4.${minor}`}`,
    `     oc adm upgrade --to=${version}`,
    '   Then watch it:',
    '     oc get clusterversion',
    '     oc get mcp',
    '',
  ];
}

function acknowledgements(minor: number): readonly string[] {
  const keys = acknowledgementsOf(minor);
  if (keys.length === 0) return [];
  return [
    `   From 4.${minor - 1} to 4.${minor} a cluster is known to want this. Read first what it is ` +
      'about; then:',
    ...keys.map(
      (key) =>
        '     oc -n openshift-config patch configmap admin-acks --type=merge ' +
        `--patch='{"data":{"${key}":"true"}}'`,
    ),
  ];
}

function sigstoreLines({ sigstore: { release, components } }: DeliveredRelease): readonly string[] {
  const lacks = release.signed < release.images;
  return [
    '   From 4.21 on a cluster starts a release image only with its sigstore signature, which its',
    '   mirror has to hold. Signatures that were carried: ' +
      `${release.signed} of ${release.images} release image, ` +
      `${components.signed} of ${components.images} other images.`,
    ...(lacks
      ? ['   THE SIGNATURE OF THE RELEASE IMAGE IS MISSING: nodes will not pull it. Pack it again.']
      : []),
  ];
}

/** The first minor version whose installer knows the sources by their newer name. */
const DIGEST_SOURCES_SINCE = 14;

function installSteps({
  minor,
  pinned,
  mirrorSetFile,
  installFiles: all,
}: DeliveredRelease): readonly string[] {
  const other =
    minor !== undefined && minor < DIGEST_SOURCES_SINCE ? /digest-sources/ : /content-sources/;
  const installFiles = all.filter((file) => !other.test(file));
  return [
    '1. Take the installer out of the release image itself, so that it installs exactly this release:',
    `     oc adm release extract -a PULL_SECRET.json --idms-file=${shellWord(mirrorSetFile)} ` +
      `--command=openshift-install ${pinned}`,
    '2. Make a folder with your install-config.yaml, and add to that file:',
    ...installFiles.map((file) => `   - the contents of ${shellWord(file)}`),
    ...(installFiles.some((file) => file.endsWith('additional-trust-bundle.yaml'))
      ? []
      : ['   - the CA certificate of the registry, under additionalTrustBundle']),
    '   - the pull secret for the local registry, under pullSecret',
    '3. Install:',
    '     ./openshift-install create cluster --dir=FOLDER',
    '   Or with the agent-based installer: put your agent-config.yaml into the folder too, start each',
    '   host from the image that this makes, and wait:',
    '     ./openshift-install agent create image --dir=FOLDER',
    '     ./openshift-install agent wait-for install-complete --dir=FOLDER',
    '',
  ];
}
