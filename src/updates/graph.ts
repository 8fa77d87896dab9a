import { BundleError } from '../core/errors.ts';
import {
  asArray,
  asObject,
  asString,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../core/json.ts';
import { compareText, oneLine } from '../core/text.ts';
import { compareVersions } from './version-order.ts';

/** A release as the update service knows it. */
export interface GraphRelease {
  readonly version: string;
  /** A reference by digest. */
  readonly payload: string;
  /** The channels that have it. */
  readonly channels: readonly string[];
  /** The page of its errata. */
  readonly url: string | undefined;
  /** A pattern of the releases from which no update leads to it. */
  readonly blockedFrom: string | undefined;
}

/** Why an update may be wrong for some clusters. Each text is one line, for a terminal. */
export interface Risk {
  readonly name: string;
  readonly message: string;
  readonly url: string;
  /**
   * Whether a cluster without telemetry can find out if the risk concerns it. It can where the
   * risk concerns all clusters; else a query decides, and the result is `Unknown`.
   */
  readonly evaluable: boolean;
}

/** A possible update. Without risks it is recommended to every cluster. */
export interface UpdateEdge {
  readonly from: string;
  readonly to: string;
  /** Sorted by name. */
  readonly risks: readonly Risk[];
}

/**
 * An update that clusters are never offered, since they know no rule by which they could find out
 * whether its risks concern them.
 */
export interface WithheldUpdate {
  readonly from: string;
  readonly to: string;
  /** The risk, and the types of its rules; one line. */
  readonly why: string;
}

/**
 * What an update service answers for one channel and architecture. Everything is sorted, since the
 * service sends it in the order of a hash table: two graphs with the same content are equal.
 */
export class UpdateGraph {
  /** By version, the oldest first. */
  readonly releases: readonly GraphRelease[];
  /** By the version that they lead from, then by the one that they lead to. */
  readonly edges: readonly UpdateEdge[];
  /** Those that lead to an older release, in the same order: no cluster may make them. */
  readonly downward: readonly UpdateEdge[];
  readonly withheld: readonly WithheldUpdate[];
  readonly #byVersion: ReadonlyMap<string, GraphRelease>;
  readonly #leadingFrom = new Map<string, UpdateEdge[]>();
  readonly #leadingTo = new Map<string, UpdateEdge[]>();

  /** @param edges those that lead down among them. */
  constructor(
    releases: readonly GraphRelease[],
    edges: readonly UpdateEdge[],
    withheld: readonly WithheldUpdate[] = [],
  ) {
    this.withheld = withheld.filter((update) => !leadsDown(update));
    this.releases = releases.toSorted((a, b) => compareReleases(a.version, b.version));
    const sorted = edges.toSorted(
      (a, b) => compareReleases(a.from, b.from) || compareReleases(a.to, b.to),
    );
    this.edges = sorted.filter((edge) => !leadsDown(edge));
    this.downward = sorted.filter(leadsDown);
    this.#byVersion = new Map(this.releases.map((release) => [release.version, release]));
    for (const edge of this.edges) {
      append(this.#leadingFrom, edge.from, edge);
      append(this.#leadingTo, edge.to, edge);
    }
  }

  release(version: string): GraphRelease | undefined {
    return this.#byVersion.get(version);
  }

  /** The updates that a cluster of that version may make, by the version that they lead to. */
  updatesFrom(version: string): readonly UpdateEdge[] {
    return this.#leadingFrom.get(version) ?? [];
  }

  /** All releases that updates lead to from this one, and itself. */
  reachableFrom(version: string): ReadonlySet<string> {
    return reached(version, (at) => this.updatesFrom(at).map(({ to }) => to));
  }

  /** All releases from which updates lead to this one, and itself. */
  leadingTo(version: string): ReadonlySet<string> {
    return reached(version, (at) => this.updatesTo(at).map(({ from }) => from));
  }

  /**
   * The first update to an older release on a way from one release to another, if there is a way
   * with such updates.
   */
  downwardBetween(from: string, to: string): UpdateEdge | undefined {
    const before = this.reachableFrom(from);
    const behind = reached(to, (at) =>
      [...this.updatesTo(at), ...this.downward.filter((edge) => edge.to === at)].map(
        (edge) => edge.from,
      ),
    );
    return this.downward.find((edge) => before.has(edge.from) && behind.has(edge.to));
  }

  /** The updates that lead to a version, by the version that they lead from. */
  updatesTo(version: string): readonly UpdateEdge[] {
    return this.#leadingTo.get(version) ?? [];
  }
}

/**
 * Reads the answer of an update service (Cincinnati, version 1 of its graph). Of an update that is
 * both recommended and conditional the conditions count, as for a cluster. A risk without a rule
 * that is known makes an update impossible, as for a cluster.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no graph; CONTENT_MISMATCH for one that
 * contradicts itself.
 */
export function parseGraph(bytes: Uint8Array, what: string): UpdateGraph {
  return graphOf(asObject(parseStrictJson(bytes, what), what), what);
}

/** The same of the document itself. */
export function graphOf(document: JsonObject, what: string): UpdateGraph {
  const releases = asArray(document['nodes'], `the releases of ${what}`).map((node, index) =>
    parseRelease(node, `release ${index} of ${what}`),
  );
  const versions = new Set<string>();
  for (const { version } of releases) {
    if (versions.has(version)) throw contradiction(what, `release ${version} is in it twice`);
    versions.add(version);
  }
  const edges = new Map<string, UpdateEdge>();
  const add = (edge: UpdateEdge): void => void edges.set(`${edge.from} ${edge.to}`, edge);
  for (const pair of asArray(document['edges'], `the updates of ${what}`)) {
    const [from, to] = asArray(pair, `an update of ${what}`).map(
      (index) => typeof index === 'number' && releases[index],
    );
    if (!from || !to)
      throw contradiction(what, `an update leads from or to a release that is not in it`);
    add({ from: from.version, to: to.version, risks: [] });
  }
  const conditional = document['conditionalEdges'] ?? [];
  const merged = new Map<string, Risk[]>();
  const withheld = new Map<string, WithheldUpdate>();
  for (const entry of asArray(conditional, `the conditional updates of ${what}`)) {
    const group = asObject(entry, `a conditional update of ${what}`);
    const given = asArray(group['risks'], `the risks of a conditional update of ${what}`);
    const risks = given.map((risk) => parseRisk(risk, `a risk of ${what}`));
    const unknown = given.find((_, index) => risks[index] === undefined);
    for (const pair of asArray(group['edges'], `a conditional update of ${what}`)) {
      const edge = asObject(pair, `a conditional update of ${what}`);
      const [from, to] = ['from', 'to'].map((end) =>
        asVersion(edge[end], `an end of a conditional update of ${what}`),
      ) as [string, string];
      if (!versions.has(to))
        throw contradiction(what, `a conditional update leads to ${to}, which is not in it`);
      const key = `${from} ${to}`;
      if (unknown !== undefined)
        withheld.set(key, { from, to, why: unknownRules(unknown, `a risk of ${what}`) });
      const known = risks.filter((risk) => risk !== undefined);
      merged.set(key, [...(merged.get(key) ?? []), ...known]);
    }
  }
  for (const [key, risks] of merged) {
    const [from = '', to = ''] = key.split(' ');
    if (withheld.has(key)) edges.delete(key);
    else add({ from, to, risks: sortedOnce(risks) });
  }
  return new UpdateGraph(releases, [...edges.values()], [...withheld.values()]);
}

function parseRelease(value: Json, what: string): GraphRelease {
  const node = asObject(value, what);
  const metadata = isObject(node['metadata']) ? node['metadata'] : {};
  const known = (key: string): string | undefined => {
    const text = metadata[key];
    return typeof text === 'string' && text !== '' ? text : undefined;
  };
  const url = known('url');
  const blocked = known('io.openshift.upgrades.graph.previous.remove_regex');
  return {
    version: asVersion(node['version'], `the version of ${what}`),
    payload: asString(node['payload'], `the payload of ${what}`),
    channels: (known('io.openshift.upgrades.graph.release.channels') ?? '')
      .split(',')
      .filter((channel) => channel !== '')
      .toSorted(compareText),
    url: url === undefined ? undefined : oneLine(url),
    blockedFrom: blocked === undefined ? undefined : oneLine(blocked),
  };
}

/** @throws BundleError UNSUPPORTED_CONTENT for words that a command line could not have. */
function asVersion(value: Json | undefined, what: string): string {
  const version = asString(value, what);
  if (/^[0-9][0-9A-Za-z.+_-]*$/.test(version)) return version;
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is none: ${oneLine(version, 60)}`);
}

/** `undefined` for a risk whose rules are all of types that clusters do not know. */
export function parseRisk(value: Json, what: string): Risk | undefined {
  const risk = asObject(value, what);
  const words = (key: string): string =>
    oneLine(asString(risk[key], `the ${key} of ${what}`), 1000);
  const name = words('name');
  const types = rulesOf(risk, name).filter((type) => type === 'Always' || type === 'PromQL');
  if (types.length === 0) return undefined;
  return {
    name,
    message: words('message'),
    url: words('url'),
    // The first rule that can be evaluated decides.
    evaluable: types.includes('Always'),
  };
}

/** The types of its rules, in their order. */
function rulesOf(risk: JsonObject, name: string): readonly (Json | undefined)[] {
  return asArray(risk['matchingRules'], `the rules of ${name}`).map(
    (rule) => asObject(rule, `a rule of ${name}`)['type'],
  );
}

/** Why {@link parseRisk} makes nothing of a risk. */
function unknownRules(value: Json, what: string): string {
  const risk = asObject(value, what);
  const name = oneLine(asString(risk['name'], `the name of ${what}`), 100);
  const types = rulesOf(risk, name).map((type) => (typeof type === 'string' ? type : 'none'));
  return types.length === 0
    ? `its risk ${name} has no rule`
    : `the rules of its risk ${name} are of types that are not known: ` +
        oneLine(types.join(', '), 100);
}

function sortedOnce(risks: readonly Risk[]): readonly Risk[] {
  const byName = new Map(risks.map((risk) => [risk.name, risk]));
  return [...byName.values()].toSorted((a, b) => compareText(a.name, b.name));
}

/** Versions that count as equal differ in their text: `4.17.3` and `4.17.3+amd64`. */
function compareReleases(a: string, b: string): number {
  return compareVersions(a, b) || compareText(a, b);
}

function leadsDown({ from, to }: { readonly from: string; readonly to: string }): boolean {
  return compareVersions(from, to) > 0;
}

function reached(start: string, next: (version: string) => readonly string[]): ReadonlySet<string> {
  const found = new Set([start]);
  for (const version of found) for (const other of next(version)) found.add(other);
  return found;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function contradiction(what: string, why: string): BundleError {
  return new BundleError('CONTENT_MISMATCH', `${what} contradicts itself: ${why}`, {
    hint: 'Fetch the graph again; if it stays so, tell whoever runs the update service.',
  });
}
