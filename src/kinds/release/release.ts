import type { Json, JsonObject } from '../../core/json.ts';
import { formatRepository } from '../../core/reference.ts';
import { compareText, optionWords, pathWord } from '../../core/text.ts';
import type { Destinations } from '../destinations.ts';
import type { DeliveredPaths, Kind, Part, PartResources } from '../kind.ts';
import { mirrorRows } from '../mirror-row.ts';
import { EFFECTS, resourceFile } from '../resource-file.ts';
import { ARCHITECTURES } from './architecture.ts';
import { type ReleaseSeed, readReleaseSeed } from './claim.ts';
import { releaseAtCluster } from './cluster/standing.ts';
import { signatureConfigMap } from './config-map.ts';
import { COMPONENT, expandRelease, RELEASE } from './expand.ts';
import { releaseExtras } from './resources/extras.ts';
import { findRelease } from './find.ts';
import { minorOf } from './resources/minor.ts';
import { type DeliveredRelease, nextSteps, upgradeCommands } from './resources/next-steps.ts';
import { RELEASE_IMAGE, type ReleaseFacts } from './payload/release-image.ts';
import type { ReleaseRequest } from './request.ts';
import { signedImages } from './resources/sigstore.ts';
import { releaseLabel } from './tags.ts';
import { compareVersions } from '../../updates/version-order.ts';

/** OpenShift and OKD releases: a release image, the components that it names, its signatures. */
export const releaseKind: Kind<ReleaseRequest, ReleaseSeed, ReleaseFacts> = {
  name: RELEASE,
  find: findRelease,
  read: readReleaseSeed,
  labelOf: ({ version, architecture }) => releaseLabel(shown(version), shown(architecture)),
  namesOf: ({ version, architecture, digest }) => [
    ...[shown(version), `${shown(version)}-${shown(architecture)}`, shown(digest)],
  ],
  packWords,
  digestOf: ({ digest }) => digest,
  expand: expandRelease,
  compare: compareReleases,
  bundleName,
  newerThan,
  resources,
  extras: releaseExtras,
  atCluster: ({ facts }, cluster, at) => {
    const isSigned = facts.signatures.length > 0;
    const commands = upgradeCommands({ isSigned, pinned: pinnedAt(facts, at) });
    const found = releaseAtCluster(facts, cluster, commands);
    // No command for what the cluster refuses.
    return isSigned ? found : { ...found, commands: [], isUnsigned: true };
  },
};

/**
 * `pack` makes each version for each architecture: where not all of these were asked for, digests
 * name those that were.
 */
function packWords(claims: readonly JsonObject[]): readonly string[] {
  const distinct = (name: string): readonly string[] => [
    ...new Set(claims.map((claim) => shown(claim[name]))),
  ];
  const [versions, architectures] = [distinct('version'), distinct('architecture')];
  const wanted =
    versions.length * architectures.length === claims.length
      ? [...versions.map(pathWord), ...optionWords('arch', [architectures.join(',')])]
      : distinct('digest').map(pathWord);
  const isKubeVirt = claims.some(({ kubeVirt }) => kubeVirt === true);
  return isKubeVirt ? [...wanted, '--kubevirt'] : wanted;
}

/** A value of a row that nobody has checked. */
function shown(value: Json | undefined): string {
  return typeof value === 'string' ? value : '?';
}

/** The lowest version first, and of one version the architectures in the order of names. */
function compareReleases(a: ReleaseFacts, b: ReleaseFacts): number {
  const place = (facts: ReleaseFacts): number => ARCHITECTURES.indexOf(facts.architecture);
  return (
    compareVersions(a.version, b.version) ||
    compareText(a.version, b.version) || // build metadata, which does not count otherwise
    place(a) - place(b)
  );
}

/**
 * `ocp-<version>-<arch>`; for several, from the lowest version to the highest, and all
 * architectures.
 */
function bundleName(releases: readonly (ReleaseRequest | ReleaseFacts)[]): string | undefined {
  const versions = releases.flatMap(({ version }) => version ?? []).toSorted(compareVersions);
  const [lowest] = versions;
  const highest = versions.at(-1);
  if (versions.length < releases.length || lowest === undefined || highest === undefined) {
    return undefined;
  }
  const asked = new Set(releases.map(({ architecture }) => architecture));
  const architectures = ARCHITECTURES.filter((architecture) => asked.has(architecture)).join('-');
  return `ocp-${lowest === highest ? lowest : `${lowest}..${highest}`}-${architectures}`;
}

/** A version in a tag, as {@link tagOf} writes it. */
const VERSION = /^\d+\.\d+\.\d+(?:[-_][0-9A-Za-z.-]+)?$/;

function newerThan(
  releases: readonly Part<ReleaseFacts>[],
  tags: readonly string[],
): readonly string[] {
  const newest = new Map<string, string>();
  for (const { facts } of releases) {
    const known = newest.get(facts.architecture);
    if (known === undefined || compareVersions(facts.version, known) > 0) {
      newest.set(facts.architecture, facts.version);
    }
  }
  const newer = [...newest].flatMap(([architecture, version]) => {
    const suffix = `-${architecture}`;
    return tags
      .filter((tag) => tag.endsWith(suffix))
      .map((tag) => tag.slice(0, -suffix.length))
      .filter((other) => VERSION.test(other) && compareVersions(other, version) > 0);
  });
  return [...new Set(newer)].sort(compareVersions);
}

/** The release image at its target. */
function pinnedAt({ digest }: ReleaseFacts, at: Destinations): string {
  return `${formatRepository(at.entry)}@${digest}`;
}

function resources({ facts, images }: Part<ReleaseFacts>, at: Destinations): PartResources {
  const messages = facts.signatures.map(({ message }) => message);
  const signed = messages.length > 0 ? signatureConfigMap(facts.digest, messages) : undefined;
  const minor = minorOf(facts.version);
  const delivered = (paths: DeliveredPaths): DeliveredRelease => ({
    ...{ version: facts.version, minor, architecture: facts.architecture },
    pinned: pinnedAt(facts, at),
    isSigned: signed !== undefined,
    sigstore: {
      release: signedImages(images, RELEASE_IMAGE),
      components: signedImages(images, COMPONENT),
    },
    mirrorSetFile: paths.mirrorSet,
    installFiles: paths.install,
  });
  return {
    files: signed
      ? [
          resourceFile(signed.name, [signed.object], EFFECTS.releaseSignature, {
            text: signed.text,
          }),
        ]
      : [],
    mirrors: mirrorRows(images, at, 'release'),
    minor,
    section: (paths) => nextSteps(delivered(paths)),
    update: (paths) => upgradeCommands(delivered(paths)),
  };
}
