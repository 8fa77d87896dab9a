import { applyObjects, type ObjectChange, planApply, withProgress } from '../../cluster/apply.ts';
import type { ClusterClient } from '../../cluster/client.ts';
import { type ClusterFacts, readFacts, readState } from '../../cluster/facts.ts';
import type { Context } from '../../core/context.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { Destinations } from '../../kinds/destinations.ts';
import type { Kind } from '../../kinds/kind.ts';
import type { Audience, ResourceFile } from '../../kinds/resource-file.ts';
import { openCluster } from '../../network/cluster.ts';
import { mirroredAlready } from './mirrored.ts';
import { mostOf } from './node-work.ts';
import { hintedFor, ocOptions, withOcOptions } from './oc-options.ts';
import type { ApplyPlan, ApplyReport, ApplyRequest, PlannedChange } from './request.ts';

/** What is applied: the objects of some parts that go to a target. */
export interface Appliable {
  readonly closure: Pick<Closure, 'parts'>;
  /** Of the parts. */
  readonly kinds: readonly Kind[];
  readonly destinations: Destinations;
  /** The files with the objects, in the order in which a cluster takes them. */
  readonly files: readonly ResourceFile[];
  /** What is done before anything is applied: parts go to a target, or only files are written. */
  readonly by: 'delivery' | 'writing';
}

const NOTHING = {
  delivery: 'Nothing was pushed or applied',
  writing: 'Nothing was written or applied',
} as const;

/** What has been done already where applying fails, and need not be done again. */
const DONE = {
  delivery: 'Everything is at the target: the same command, run again, only applies.',
  writing: 'The files are written, and nothing was pushed: run the same command again.',
} as const;

/**
 * One application to one cluster. It begins before anything is sent anywhere: a user who is not
 * known to the cluster any more, or who may not do it, should hear so before hours of copying.
 */
export class Applying {
  readonly #request: ApplyRequest;
  readonly #client: ClusterClient;
  readonly #plan: ApplyPlan;
  /** The names of the files that this cluster takes. */
  readonly #taken: ReadonlySet<string>;
  readonly #by: Appliable['by'];
  readonly #observe: Context['observe'];

  private constructor(
    request: ApplyRequest,
    client: ClusterClient,
    {
      plan,
      taken,
      by,
    }: {
      readonly plan: ApplyPlan;
      readonly taken: ReadonlySet<string>;
      readonly by: Appliable['by'];
    },
    { observe }: Context,
  ) {
    this.#request = request;
    this.#client = client;
    this.#plan = plan;
    this.#taken = taken;
    this.#by = by;
    this.#observe = observe;
  }

  /**
   * Reads what matters of the cluster, and lets its API server compute what applying would change.
   * Nothing is changed.
   * @throws BundleError NOT_ALLOWED, NOT_FOUND, CLUSTER, NETWORK, CONFIGURATION
   */
  static async plan(request: ApplyRequest, what: Appliable, context: Context): Promise<Applying> {
    try {
      return await Applying.#planned(request, what, context);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      throw hintedFor(error.retold(`${error.message}. ${NOTHING[what.by]}`), request);
    }
  }

  static async #planned(
    request: ApplyRequest,
    what: Appliable,
    context: Context,
  ): Promise<Applying> {
    const client = await openCluster(request, context);
    context.observe({ type: 'phase', what: `asking the cluster at ${client.host}` });
    const cluster = await readFacts(client);
    const known = await knownKinds(client, what.files);
    const { taken, left } = chosen(what.files, request, { ...cluster, known });
    const changes = await planApply(
      client,
      taken.flatMap(({ objects }) => objects),
    );
    const plan = {
      scope: request.scope,
      ocOptions: ocOptions(request),
      cluster,
      parts: partsAt(cluster, what, ocOptions(request)),
      mirrored: mirroredAlready(what.files, cluster.mirrors),
      changes: withFiles(changes, taken),
      left: left.map(({ name }) => name),
    };
    const names = new Set(taken.map(({ name }) => name));
    return new Applying(request, client, { plan, taken: names, by: what.by }, context);
  }

  /** The report of a dry run. */
  get planned(): ApplyReport {
    return { ...this.#plan, applied: undefined, after: undefined };
  }

  /** Asks, where nodes would do something. @throws BundleError INTERRUPTED for a no */
  async confirm(): Promise<void> {
    if (mostOf(this.#plan.changes) === 'nothing') return;
    this.#observe({ type: 'asking' });
    if (await this.#request.confirm(this.#plan)) return;
    throw new BundleError('INTERRUPTED', 'the answer was no: nothing was changed', {
      hint: 'Without --apply, the files for the cluster are written, and nothing is applied.',
    });
  }

  /**
   * Applies the objects of what has arrived.
   * @param files as planned, or fewer of them.
   * @throws BundleError saying what was applied and what not
   */
  async apply(files: readonly ResourceFile[]): Promise<ApplyReport> {
    const client = this.#client;
    this.#observe({ type: 'phase', what: `applying to the cluster at ${client.host}` });
    const taken = files.filter(({ name }) => this.#taken.has(name));
    const applied = await applyObjects(
      client,
      taken.flatMap(({ objects }) => objects),
    ).catch((error: unknown) => {
      throw error instanceof BundleError ? this.#afterDoing(error) : error;
    });
    const after = await this.#after(files).catch((error: unknown) => {
      if (!hasCode(error, 'INTERRUPTED')) throw error;
      throw this.#afterDoing(withProgress(error, { done: applied, left: [] }));
    });
    return { ...this.#plan, ...after, applied: withFiles(applied, taken) };
  }

  /** What comes before is done, and its report will not be shown. */
  #afterDoing(error: BundleError): BundleError {
    const done = DONE[this.#by];
    if (error.code === 'INTERRUPTED') return error.withHint(done);
    const { hint } = hintedFor(error, this.#request);
    return error.withHint(hint === undefined ? done : `${hint} ${done}`);
  }

  /** What is there now. That it cannot be read takes nothing back: then it is told. */
  async #after(files: readonly ResourceFile[]): Promise<Omit<ApplyReport, 'applied'>> {
    try {
      const { version, mirrors } = await readState(this.#client);
      return { ...this.#plan, mirrored: mirroredAlready(files, mirrors), after: version };
    } catch (error) {
      if (!(error instanceof BundleError) || error.code === 'INTERRUPTED') throw error;
      const { cluster } = this.#plan;
      const unread = [...cluster.unread, error.message];
      return { ...this.#plan, cluster: { ...cluster, unread }, after: undefined };
    }
  }
}

/** The files that are asked for, and that this cluster can take. */
function chosen(
  files: readonly ResourceFile[],
  { scope }: ApplyRequest,
  {
    knowsDigestMirrors,
    known,
  }: Pick<ClusterFacts, 'knowsDigestMirrors'> & {
    readonly known: ReadonlySet<string>;
  },
): { readonly taken: readonly ResourceFile[]; readonly left: readonly ResourceFile[] } {
  const others = files.some(({ audience }) => audience === 'before-4.13');
  const isTaken = ({ effect, audience, objects }: ResourceFile): boolean => {
    if (scope === 'signatures') return effect.stage === 'signatures';
    if (isForOperators(audience)) return objects.every(({ kind }) => known.has(kind));
    if (audience === 'before-4.13') return !knowsDigestMirrors;
    // Where there is a form for older clusters, such a cluster takes that.
    const isNewer = objects.some(({ kind }) => /^Image(?:Digest|Tag)MirrorSet$/.test(kind));
    return knowsDigestMirrors || !isNewer || !others;
  };
  return { taken: files.filter(isTaken), left: files.filter((file) => !isTaken(file)) };
}

/** Whether a file is for clusters with a certain operator: they know what others do not. */
function isForOperators(audience: Audience): boolean {
  return audience === 'update-service' || audience === 'olm' || audience === 'hub';
}

/** The kinds of such files that the cluster knows, as far as the user may look. */
async function knownKinds(
  client: ClusterClient,
  files: readonly ResourceFile[],
): Promise<ReadonlySet<string>> {
  const objects = files
    .filter(({ audience }) => isForOperators(audience))
    .flatMap((file) => file.objects);
  const kinds = new Map(objects.map(({ kind, apiVersion }) => [kind, apiVersion]));
  const known = new Set<string>();
  for (const [kind, apiVersion] of kinds) {
    const listed = await client.list(apiVersion, kind).catch((error: unknown) => {
      if (hasCode(error, 'NOT_ALLOWED')) return undefined;
      throw error;
    });
    if (listed !== undefined) known.add(kind);
  }
  return known;
}

function withFiles(
  changes: readonly ObjectChange[],
  files: readonly ResourceFile[],
): readonly PlannedChange[] {
  const owners = files.flatMap((file) => file.objects.map(() => file));
  return changes.map((change, index) => {
    const { name, effect } = owners[index]!;
    const nodes = { new: effect.whenNew, changed: effect.whenChanged, same: 'nothing' } as const;
    return { ...change, file: name, nodes: nodes[change.change] };
  });
}

function partsAt(
  cluster: ClusterFacts,
  { closure, kinds, destinations }: Appliable,
  options: readonly string[],
): ApplyPlan['parts'] {
  return closure.parts.flatMap((part) => {
    const kind = kinds.find(({ name }) => name === part.kind);
    const at = kind?.atCluster?.(part, cluster, destinations);
    if (at === undefined) return [];
    const commands = at.commands.map((command) => withOcOptions(command, options));
    return [{ kind: part.kind, label: part.label, ...at, commands }];
  });
}
