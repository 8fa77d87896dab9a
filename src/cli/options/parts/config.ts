import type { CatalogRequest, VersionBounds } from '../../../catalogs/filter/request.ts';
import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import type { JsonObject } from '../../../core/json.ts';
import { blocker } from '../../../image-sets/blocked.ts';
import { namesOf } from '../../../image-sets/images.ts';
import type { Blocker, ImageSet, PlatformSet } from '../../../image-sets/image-set.ts';
import { type PartRequest, partRequest } from '../../../kinds/kind.ts';
import {
  type Architecture,
  ARCHITECTURES,
  parseArchitecture,
} from '../../../kinds/release/architecture.ts';
import { releaseKind } from '../../../kinds/release/release.ts';
import { askedBy } from '../../../packing/lock/asked.ts';
import { channelReleases } from '../../../workflows/image-set/channel-releases.ts';
import { usableImageSet } from '../../../workflows/image-set/file.ts';
import { texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { graphSource } from '../graph.ts';
import { networkRequest } from '../network.ts';
import { proofRequest } from '../release.ts';
import { digestIn } from '../update-path.ts';
import type { WantedChart } from './charts.ts';
import type { WantedImage } from './images.ts';

const GiB = 1024 ** 3;

/** What a file asks for. */
export interface ConfiguredParts {
  readonly releases: readonly PartRequest[];
  readonly images: readonly WantedImage[];
  readonly catalogs: readonly CatalogRequest[];
  readonly charts: readonly WantedChart[];
  readonly wantsGraph: boolean;
  /** What leaves images out; `undefined` where the file blocks none. */
  readonly blocker: Blocker | undefined;
  /** All of it, as locks keep it. */
  readonly asked: JsonObject;
  /** The channel whose updates the closed side has to offer. */
  readonly channel: string | undefined;
  /** Bytes of a volume at most. */
  readonly volumeSize: number | undefined;
  /** How a bundle is called that has no other name: as the file, without its ending. */
  readonly name: string;
}

/** Options that say the same as the file, or something else. */
const IN_THE_FILE = ['from', 'from-version', 'to-version', 'arch', 'channel', 'kubevirt'];

/**
 * What a file asks for.
 * @throws BundleError CONFIGURATION naming the line; USAGE for what the file says as well; NOT_FOUND
 * for releases that a channel does not have; as graphs are read
 */
export async function configuredParts(
  file: string,
  args: Arguments,
  context: Context,
): Promise<ConfiguredParts> {
  const twice = IN_THE_FILE.find((name) => args[name] !== undefined);
  if (twice !== undefined || texts(args, 'VERSION').length > 0) {
    const what = twice === undefined ? 'a version' : `--${twice}`;
    throw new BundleError('USAGE', `${what} beside --config: the file says which releases`, {
      hint: 'Leave one of the two out.',
    });
  }
  const set = await usableImageSet(file, context);
  refuseUncarried(set, file);
  const images = imagesOf(set);
  const catalogs = catalogsOf(set, context);
  const charts = chartsOf(set, file, context);
  const releases = set.platform === undefined ? [] : await releasesOf(set.platform, args, context);
  const wantsGraph = set.platform?.graph === true;
  const count = releases.length + images.length + catalogs.length + charts.length;
  if (count === 0 && !wantsGraph) {
    throw new BundleError('CONFIGURATION', `${file} asks for nothing that can be carried`, {
      hint: `bundle imageset check ${file} shows how it is read.`,
    });
  }
  return {
    ...{ releases, images, catalogs, charts, wantsGraph, asked: askedBy(set) },
    blocker: set.blocked.length === 0 ? undefined : { file, blocks: blocker(set.blocked) },
    channel: wantsGraph ? set.platform.channels.at(-1)?.name : undefined,
    volumeSize: set.archiveSize === undefined ? undefined : set.archiveSize * GiB,
    name: file.replace(/^.*[/\\]/s, '').replace(/\.(ya?ml|json)$/i, ''),
  };
}

/** What no kind of part carries yet. */
function refuseUncarried({ kind }: ImageSet, file: string): void {
  if (kind !== 'ImageSetConfiguration') {
    const what = 'a DeleteImageSetConfiguration lists what is to be removed, and not carried';
    throw refusal(file, 1, what, 'Name an ImageSetConfiguration.');
  }
}

function refusal(file: string, line: number, what: string, hint: string): BundleError {
  const message = `${file}, line ${line}: ${what}`;
  return new BundleError('CONFIGURATION', message, { subject: file, hint });
}

/** The catalogs of a file, without the lines that they are from: these are no part of what is asked. */
function catalogsOf({ operators }: ImageSet, { observe }: Context): readonly CatalogRequest[] {
  return operators.map((set) => {
    const { catalog, full, targetCatalog, targetTag, platforms } = set;
    const { targetCatalogSourceTemplate: sourceTemplate } = set;
    if (platforms.length > 0)
      observe({ type: 'noticed', code: 'platforms-not-cut', what: catalog });
    return {
      catalog: catalog.replace(/^oci:\/\//, 'oci:'),
      full,
      packages: set.packages.map(({ name, defaultChannel, channels, ...bounds }) => ({
        name,
        ...(defaultChannel !== undefined && { defaultChannel }),
        ...boundsIn(bounds),
        channels: channels.map((channel) => ({ name: channel.name, ...boundsIn(channel) })),
      })),
      ...(targetCatalog !== undefined && { targetCatalog }),
      ...(targetTag !== undefined && { targetTag }),
      ...(sourceTemplate !== undefined && { sourceTemplate }),
    };
  });
}

function boundsIn({ minVersion, maxVersion }: VersionBounds): VersionBounds {
  return {
    ...(minVersion !== undefined && { minVersion }),
    ...(maxVersion !== undefined && { maxVersion }),
  };
}

/** @throws BundleError CONFIGURATION for a repository of which all charts are wanted */
function chartsOf({ charts }: ImageSet, file: string, context: Context): readonly WantedChart[] {
  const told = (name: string, platforms: readonly unknown[]): void => {
    if (platforms.length === 0) return;
    context.observe({ type: 'noticed', code: 'platforms-not-cut', what: `the chart ${name}` });
  };
  const ofRepositories = charts.repositories.flatMap(({ url, line, charts: named }) => {
    if (named.length === 0) {
      if (!/^oci:/i.test(url))
        return [{ name: url, source: { type: 'all', url }, imagePaths: [] } satisfies WantedChart];
      const what = 'a repository of charts in a registry needs a list of those that are wanted';
      throw refusal(file, line, what, 'Write charts, and the name and version of each.');
    }
    return named.map(({ name, version, imagePaths, platforms, line: at }): WantedChart => {
      told(name, platforms);
      if (!/^oci:/i.test(url))
        return { name, source: { type: 'repository', url, name, version }, imagePaths };
      if (version === undefined) {
        const what = `the chart ${name} of a registry needs its version`;
        throw refusal(file, at, what, 'Write version, as the registry has it.');
      }
      const reference = `${url.slice('oci://'.length).replace(/\/+$/, '')}/${name}:${version}`;
      return { name, source: { type: 'registry', reference }, imagePaths };
    });
  });
  const local = charts.local.map(({ name, path, imagePaths, platforms }): WantedChart => {
    told(name, platforms);
    return { name, source: { type: 'local', path }, imagePaths };
  });
  return [...ofRepositories, ...local];
}

function imagesOf(set: ImageSet): readonly WantedImage[] {
  const blockedBy = blocker(set.blocked);
  // The reader has said which of them are blocked.
  const wanted = set.images.filter((image) => blockedBy(namesOf(image)) === undefined);
  return wanted.map(({ name, targetRepo, targetTag, platforms }) => ({
    ...{ name, path: targetRepo, tag: targetTag },
    platforms: platforms.map(({ os, architecture }) => `${os}/${architecture}`),
  }));
}

async function releasesOf(
  platform: PlatformSet,
  args: Arguments,
  context: Context,
): Promise<readonly PartRequest[]> {
  const { release, channels, platforms } = platform;
  const shared = { ...proofRequest(args), kubeVirt: platform.kubeVirtContainer };
  if (platforms.length > 0 && (release !== undefined || channels.length > 0))
    context.observe({ type: 'noticed', code: 'platforms-not-cut', what: 'the releases' });
  const architectures = architecturesOf(platform);
  if (release !== undefined) {
    const architecture = architectureIn(release) ?? architectures[0]!;
    return [
      partRequest(releaseKind, { version: undefined, architecture, from: release, ...shared }),
    ];
  }
  if (channels.length === 0) return [];
  const parts: PartRequest[] = [];
  for (const architecture of architectures) {
    for (const type of ['ocp', 'okd'] as const) {
      const own = channels.filter((channel) => channel.type === type);
      if (own.length === 0) continue;
      const chosen = await channelReleases(
        {
          ranges: own.map(({ name, ...range }) => ({ channel: name, ...range })),
          acceptedRisks: texts(args, 'accept-risk'),
          ...{ architecture, images: undefined, network: networkRequest(args) },
          ...sourceFor(type, args),
        },
        context,
      );
      for (const { version, payload } of chosen) {
        const expected = digestIn({ version, payload });
        const from = type === 'okd' ? payload : undefined;
        const request = { version, architecture, from, expected, ...shared };
        parts.push(partRequest(releaseKind, request));
      }
    }
  }
  return parts;
}

/** The update service of OKD, which oc-mirror asks for channels of that type. */
const OKD_UPDATE_SERVICE = 'https://origin-release.ci.openshift.org/graph';

function sourceFor(type: 'ocp' | 'okd', args: Arguments): ReturnType<typeof graphSource> {
  const source = graphSource(args);
  const isNamed = args['graph'] !== undefined || args['graph-url'] !== undefined;
  return type === 'okd' && !isNamed ? { ...source, serviceUrl: OKD_UPDATE_SERVICE } : source;
}

/** oc-mirror takes amd64 where none is named, and releases of all for platforms. */
function architecturesOf({ architectures, platforms }: PlatformSet): readonly Architecture[] {
  if (platforms.length > 0) return ['multi'];
  const named = architectures.map(parseArchitecture);
  return named.length > 0 ? named : ['x86_64'];
}

/** The architecture that the tag of a release ends with. */
function architectureIn(reference: string): Architecture | undefined {
  const tag = /:([^/:@]+)(?:@|$)/.exec(reference)?.[1] ?? '';
  return ARCHITECTURES.find((architecture) => tag.endsWith(`-${architecture}`));
}
