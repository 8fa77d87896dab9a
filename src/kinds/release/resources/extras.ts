import { BundleError } from '../../../core/errors.ts';
import { formatRepository } from '../../../core/reference.ts';
import { formatBytes, pathWord } from '../../../core/text.ts';
import { compareVersions } from '../../../updates/version-order.ts';
import type { Destinations } from '../../destinations.ts';
import type { Part } from '../../kind.ts';
import {
  type Extras,
  NO_EXTRAS,
  type ResourceFile,
  type ShownStep,
  type TypedPath,
  type WantedExtras,
} from '../../resource-file.ts';
import { clusterImageSetFile } from './cluster-image-set.ts';
import type { ReleaseFacts } from '../payload/release-image.ts';
import { minorOf } from './minor.ts';
import {
  type PinnedImageSets,
  pinnedImageSets,
  RESERVED_BYTES,
  STABLE_SINCE,
} from './pinned-image-sets.ts';

/**
 * What is written for releases only where somebody wants it.
 * @throws BundleError USAGE for sets of which it is not clear what they are for.
 */
export function releaseExtras(
  releases: readonly Part<ReleaseFacts>[],
  at: Destinations,
  { clusterImageSets, runningRelease }: WantedExtras,
): Extras {
  const all: Extras[] = [];
  if (runningRelease !== undefined && releases.length > 0)
    all.push(pinnedExtras(releases, runningRelease));
  if (clusterImageSets && releases.length > 0) all.push(imageSetExtras(releases, at));
  return all.length === 0
    ? NO_EXTRAS
    : {
        files: all.flatMap(({ files }) => files),
        notes: all.flatMap(({ notes }) => notes),
        shown: (typed) => all.flatMap(({ shown }) => shown(typed)),
        section: (typed) => all.flatMap(({ section }) => section(typed)),
      };
}

function imageSetExtras(releases: readonly Part<ReleaseFacts>[], at: Destinations): Extras {
  const files = releases.map(({ facts: { version, architecture, digest } }) =>
    clusterImageSetFile(version, architecture, `${formatRepository(at.entry)}@${digest}`),
  );
  return {
    ...NO_EXTRAS,
    files,
    section: (typed) => [
      'OFFER THE RELEASES FOR NEW CLUSTERS WITH ADVANCED CLUSTER MANAGEMENT',
      '',
      'On the hub cluster, which has to find the images in the registry too:',
      ...files.map(({ name }) => `     oc apply -f ${pathWord(typed(name))}`),
      '',
    ],
  };
}

function pinnedExtras(releases: readonly Part<ReleaseFacts>[], runningRelease: string): Extras {
  const running = releases.find(({ names }) => names.includes(runningRelease));
  const minor = minorOf(running?.facts.version ?? runningRelease);
  if (minor === undefined) {
    throw new BundleError('USAGE', `not a version of OpenShift 4: ${runningRelease}`, {
      expected: 'a version, as in 4.16.20, or the name of a release that is held',
      got: runningRelease,
      hint: '"oc get clusterversion" on the cluster tells which version it runs.',
    });
  }
  const target = targetOf(releases, running, runningRelease);
  const { version, architecture } = target.facts;
  const name = `ocp-${`${version}-${architecture}`.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
  const sets = pinnedImageSets(target.images, running?.images ?? [], { name, minor });
  const shown = (typed: TypedPath): ShownStep => ({
    condition:
      minor < STABLE_SINCE
        ? `Where the cluster has PinnedImageSets ("${CRD_COMMAND}" finds them), and its nodes have ` +
          'the space:'
        : 'Where the nodes have the space:',
    commands: [...sets.files.map((file) => applying(file, typed)), ...WAITING],
    files: sets.files.map(({ name: file }) => file),
  });
  return {
    files: sets.files,
    notes: notesOn(sets, version, running === undefined ? runningRelease : undefined),
    shown: (typed) => (sets.files.length > 0 ? [shown(typed)] : []),
    section: (typed) => [
      `PULL THE IMAGES OF ${version} BEFORE THE UPDATE TO IT`,
      '',
      ...notesOn(sets, version, running === undefined ? runningRelease : undefined),
      '',
      ...(sets.files.length === 0 ? [] : stepsOf(sets, minor, typed)),
    ],
  };
}

/** The highest version; of one version only one architecture, since pools do not tell them apart. */
function targetOf(
  releases: readonly Part<ReleaseFacts>[],
  running: Part<ReleaseFacts> | undefined,
  runningRelease: string,
): Part<ReleaseFacts> {
  const others = releases
    .filter((part) => part !== running)
    .filter(
      ({ facts }) => running === undefined || facts.architecture === running.facts.architecture,
    )
    .toSorted((a, b) => compareVersions(b.facts.version, a.facts.version));
  const [target, second] = others;
  const runs = running?.facts.version ?? runningRelease.replace(/^v/, '');
  if (target === undefined || compareVersions(target.facts.version, runs) <= 0) {
    throw new BundleError('USAGE', `there is no release to update to from ${runningRelease}`, {
      got: target?.label,
      hint: 'Name with --running-release the release that the clusters run now.',
    });
  }
  if (second?.facts.version === target.facts.version) {
    throw new BundleError(
      'USAGE',
      `images can be pinned for one release: ${target.label}, or ${second.label}`,
      { hint: 'Choose one with --release VERSION-ARCH.' },
    );
  }
  return target;
}

const CRD_COMMAND = 'oc get crd pinnedimagesets.machineconfiguration.openshift.io';

const WAITING: readonly string[] = [
  'oc wait machineconfignode --all --for=condition=PinnedImageSetsProgressing=False --timeout=2h',
  'oc wait machineconfignode --all --for=condition=PinnedImageSetsDegraded=False --timeout=1m',
];

function notesOn(
  { images, compressedBytes, bytesPerNode, files }: PinnedImageSets,
  version: string,
  unknown: string | undefined,
): readonly string[] {
  if (files.length === 0) return [`Nodes have all images of ${version} already.`];
  return [
    `Nodes pull ${images === 1 ? '1 image' : `${images} images`} of ${version}, ` +
      `${formatBytes(compressedBytes)} to download.`,
    `Each node needs ${formatBytes(bytesPerNode)} free for all sets together: ` +
      `twice that download, and ${formatBytes(RESERVED_BYTES)} besides.`,
    ...(unknown === undefined
      ? []
      : [`The release ${unknown} is not held here, so images that it has too are pinned as well.`]),
  ];
}

function stepsOf({ files }: PinnedImageSets, minor: number, typed: TypedPath): readonly string[] {
  return [
    '1. Look how much space a node has:',
    '     oc debug node/NODE -- chroot /host df -h /var/lib/containers',
    ...(minor < STABLE_SINCE
      ? [
          `   On 4.${minor} the API is v1alpha1, which not every cluster has. This tells whether yours has:`,
          `     ${CRD_COMMAND}`,
        ]
      : []),
    '',
    '2. Let the nodes pull. They are not drained for it:',
    ...files.map((file) => `     ${applying(file, typed)}`),
    '',
    '3. Wait until all nodes have pulled, and look that none of them failed:',
    ...WAITING.map((command) => `     ${command}`),
    '   From then on the update needs nothing that a node does not have: a node may reboot while the',
    '   registry is away.',
    '',
    '4. When the cluster is updated, let the nodes clean up again:',
    ...files.map(({ name }) => `     oc delete -f ${pathWord(typed(name))}`),
    '',
  ];
}

function applying({ name }: ResourceFile, typed: TypedPath): string {
  return `oc apply -f ${pathWord(typed(name))}`;
}
