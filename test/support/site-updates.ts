import { gunzipSync } from 'node:zlib';

import { extract } from 'tar-stream';
import { parse } from 'yaml';

/** Where an update service of a site finds what it answers with. */
export interface Site {
  /** Gives the body of an answer of the site's registry. @throws Error unless the status is 200 */
  get(path: string, accept?: string): Promise<Buffer>;
  /** The repository of release images. */
  readonly releases: string;
  /** The repository of graph images, and the digest of the one that is served. */
  readonly graph: { readonly repository: string; readonly digest: string };
}

interface Update {
  readonly from: string;
  readonly to: string;
  readonly risks: readonly string[];
  readonly standing: string;
}

interface Manifest {
  readonly mediaType: string;
  readonly manifests?: readonly {
    readonly digest: string;
    readonly platform: { readonly architecture: string };
  }[];
  readonly layers: readonly { readonly digest: string }[];
}

interface Blocked {
  readonly to: string;
  readonly from: string;
  readonly name?: string;
  readonly matchingRules?: readonly { readonly type: string }[];
}

/** All that an update service understands: no media types of OCI. */
const DOCKER = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/**
 * What clusters of one channel on amd64 are offered, by the registry of a site and nothing else:
 * a second reading of the rules of update services and of the cluster version operator, which has
 * no line of the program.
 */
export async function offeredBySite(site: Site, channel: string): Promise<readonly Update[]> {
  const data = await graphData(site);
  const named = <Content>(folder: string): Content[] =>
    [...data].flatMap(([path, text]) =>
      path.startsWith(`${folder}/`) ? [parse(text) as Content] : [],
    );
  const channels = named<{ name: string; versions: string[] }>('channels');
  const members = new Set(channels.find(({ name }) => name === channel)?.versions);
  const blocks = named<Blocked>('blocked-edges');

  const tags = JSON.parse((await site.get(`/v2/${site.releases}/tags/list`)).toString()) as {
    tags: string[];
  };
  const previousOf = new Map<string, readonly string[]>();
  for (const tag of tags.tags) {
    const { version, previous } = await releaseMetadata(site, tag);
    if (members.has(version)) previousOf.set(version, previous);
  }

  const updates = [...previousOf].flatMap(([to, previous]) =>
    previous
      .filter((from) => previousOf.has(from))
      .flatMap((from): Update[] => {
        const matching = blocks.filter(
          (block) => block.to === to && new RegExp(block.from).test(`${from}+amd64`),
        );
        const risks = matching.filter(({ matchingRules }) => matchingRules !== undefined);
        if (risks.length === 0 && matching.length > 0) return [];
        // A query cannot be answered without telemetry; what holds always, holds there too.
        const holds = risks.some((one) => one.matchingRules!.some(({ type }) => type === 'Always'));
        const conditional = holds ? 'not recommended' : 'unknown';
        return [
          {
            ...{ from, to, risks: risks.map(({ name }) => name!) },
            standing: risks.length === 0 ? 'recommended' : conditional,
          },
        ];
      }),
  );
  return updates.toSorted((a, b) => `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`));
}

/** The service looks through the layers from the top down. */
async function releaseMetadata(
  site: Site,
  tag: string,
): Promise<{ readonly version: string; readonly previous: readonly string[] }> {
  const { layers } = await manifestOf(site, site.releases, tag);
  for (const { digest } of layers.toReversed()) {
    const files = await filesOf(await site.get(`/v2/${site.releases}/blobs/${digest}`));
    const found = files.get('release-manifests/release-metadata');
    if (found === undefined) continue;
    return JSON.parse(found) as { version: string; previous: string[] };
  }
  throw new Error(`${tag} is no release image`);
}

/** What the container of the graph image copies: it runs on one architecture. */
async function graphData(site: Site): Promise<ReadonlyMap<string, string>> {
  const { repository, digest } = site.graph;
  const { layers } = await manifestOf(site, repository, digest);
  const files = await filesOf(await site.get(`/v2/${repository}/blobs/${layers.at(-1)!.digest}`));
  const root = 'var/lib/cincinnati-graph-data/';
  return new Map(
    [...files].flatMap(([path, text]) =>
      path.startsWith(root) ? [[path.slice(root.length), text] as const] : [],
    ),
  );
}

async function manifestOf(site: Site, repository: string, reference: string): Promise<Manifest> {
  const path = `/v2/${repository}/manifests/${reference}`;
  const found = JSON.parse((await site.get(path, DOCKER.join(', '))).toString()) as Manifest;
  if (!DOCKER.includes(found.mediaType)) throw new Error(`${reference} is ${found.mediaType}`);
  const child = found.manifests?.find(({ platform }) => platform.architecture === 'amd64');
  return child === undefined ? found : manifestOf(site, repository, child.digest);
}

async function filesOf(layer: Buffer): Promise<ReadonlyMap<string, string>> {
  const reading = extract();
  reading.end(gunzipSync(layer));
  const files = new Map<string, string>();
  for await (const entry of reading) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.type === 'file')
      files.set(entry.header.name.replace(/^\.\//, ''), Buffer.concat(chunks).toString());
  }
  return files;
}
