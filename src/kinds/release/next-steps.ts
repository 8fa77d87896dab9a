import { shellWord } from '../../core/text.ts';

/**
 * The paths and references that the commands have to name. Paths are as the reader of the file
 * would type them, from the folder it lies in.
 */
export interface DeliveredRelease {
  readonly version: string;
  readonly architecture: string;
  /** The release image at the local registry, by digest. */
  readonly pinned: string;
  /** Signature config map; `undefined` for a release that was not proven. */
  readonly signatureFile: string | undefined;
  readonly mirrorSetFile: string;
  readonly installFile: string;
}

/** The exact commands for a release that has arrived in a local registry. */
export function nextSteps(release: DeliveredRelease): readonly string[] {
  const { version, architecture, pinned, installFile } = release;
  const mirrorSetFile = shellWord(release.mirrorSetFile);
  return [
    `OpenShift ${version} (${architecture}) is in the local registry:`,
    `  ${pinned}`,
    '',
    'UPGRADE A CLUSTER',
    '',
    ...signatureStep(release),
    '2. Tell the cluster where its images are now. Look first at what would change:',
    `     oc diff -f ${mirrorSetFile}`,
    `     oc apply -f ${mirrorSetFile}`,
    '   The Machine Config Operator writes registries.conf on every node. ' +
      'Adding mirrors for digests, as here, does not',
    '   drain nodes; changing or removing entries does, one node after the other. ' +
      'Wait until all pools are up to date:',
    '     oc get mcp',
    '',
    '3. Upgrade, by digest:',
    `     ${upgradeCommand(release)}`,
    '     oc get clusterversion',
    '',
    'INSTALL A NEW CLUSTER',
    '',
    '1. Take the installer out of the release image itself, ' +
      'so that it installs exactly this release:',
    `     oc adm release extract -a PULL_SECRET.json --idms-file=${mirrorSetFile} ` +
      `--command=openshift-install ${pinned}`,
    `2. Put the contents of ${installFile} into install-config.yaml, ` +
      'the CA certificate of the registry under',
    '   additionalTrustBundle, and the pull secret of the local registry under pullSecret.',
    '     ./openshift-install create cluster',
    '',
  ];
}

/**
 * The command that lets a cluster check the release, which comes first; none without a signature.
 */
export function signatureCommand({ signatureFile }: DeliveredRelease): readonly string[] {
  return signatureFile === undefined ? [] : [`oc apply -f ${shellWord(signatureFile)}`];
}

/** The command that upgrades a cluster. */
export function upgradeCommand(release: DeliveredRelease): string {
  const { pinned } = release;
  return `oc adm upgrade --allow-explicit-upgrade --to-image ${pinned}${forceFlag(release)}`;
}

function signatureStep({ signatureFile }: DeliveredRelease): string[] {
  if (signatureFile === undefined) {
    return [
      '1. THIS RELEASE HAS NO SIGNATURE: nothing proves where it comes from. ' +
        'The cluster will refuse it unless it is forced,',
      '   and force skips other safety checks too. Get a signed release if you can.',
      '',
    ];
  }
  return [
    '1. Let the cluster check the release signature:',
    `     oc apply -f ${shellWord(signatureFile)}`,
    '',
  ];
}

function forceFlag({ signatureFile }: DeliveredRelease): string {
  return signatureFile === undefined ? ' --force' : '';
}
