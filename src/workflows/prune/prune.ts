import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

import { mapLimited } from '../../core/concurrency.ts';
import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { RemovableRepository } from '../../core/store.ts';
import type { DeliveryTarget } from '../../delivering/delivery-target.ts';
import { publishReceipt, type WrittenReceipt } from '../../history/publish.ts';
import { siteOfReceipt } from '../../history/site.ts';
import type { Kind } from '../../kinds/kind.ts';
import { Network, type NetworkOptions } from '../../network/network.ts';
import {
  lockLeft,
  type PruneOwner,
  pruneOwner,
  requireRemoval,
  takePruneLock,
  withLockGivenBack,
} from '../../network/prune-lock.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import { believedKeys } from '../../opening/signers.ts';
import { firstKey, type KeySource, loadSigningKey } from '../../packing/signing-key.ts';
import { type Freed, freedBy } from '../../pruning/freed.ts';
import { listedParts } from '../../pruning/image-set.ts';
import { type Keeping, staying } from '../../pruning/keeping.ts';
import { type Pushed, type PushedBundle, pushedBy, type PushedPart } from '../../pruning/pushed.ts';
import { type RemovedFrom, removePlanned } from '../../pruning/remove.ts';
import { type RepositoryPlan, surveyRepository } from '../../pruning/survey.ts';
import { prepareReceiptFolder } from '../../receipts/file.ts';
import { receiptTarget } from '../../receipts/issue.ts';
import { type ReceiptBundle, receiptTime } from '../../receipts/receipt.ts';
import type { SiteStanding } from '../../receipts/standing.ts';
import type { SigningKey } from '../../trust/keys.ts';
import { usableImageSet } from '../image-set/file.ts';
import { pushedBundles } from './pushed.ts';

/** A registry that is asked for so much is not given up after the first refusal. */
const ATTEMPTS = 4;

export interface PruneRequest {
  readonly to: DeliveryTarget;
  readonly network: NetworkOptions;
  readonly paths: readonly string[];
  readonly open: Omit<OpenRequest, 'paths'>;
  readonly kinds: readonly Kind[];
  readonly history: string;
  /** What stays; or the file that lists what goes. */
  readonly keeping: Keeping;
  readonly config?: string | undefined;
  /** Removes; else it is only said what would be. */
  readonly yes: boolean;
  readonly takesOver: boolean;
  readonly receipt?:
    | {
        readonly folder: string;
        readonly key: KeySource;
        readonly site?: string | undefined;
        readonly isNewSite: boolean;
        /** Keeps it in the history, too. */
        readonly history?: string | undefined;
        /** Whether it is written for paper, too. */
        readonly paper: boolean;
      }
    | undefined;
}

export interface PruneReport {
  readonly target: string;
  /** What the registry is, where its answers give that away. */
  readonly product: string | undefined;
  /** A part that stays, stays for a reason. */
  readonly parts: readonly (PushedPart & {
    readonly stays: boolean;
    readonly why: string | undefined;
  })[];
  readonly repositories: readonly RepositoryPlan[];
  readonly freed: Freed;
  /** What was done; `undefined` on a dry run. */
  readonly removed: readonly RemovedFrom[] | undefined;
  /** Who removes something now. */
  readonly lockedBy: PruneOwner | undefined;
  readonly receipt: WrittenReceipt | undefined;
  /** Sites whose receipts name what was removed, and that have got no new one. */
  readonly outdated: readonly string[];
}

/**
 * Removes from a registry what this program has pushed there, and nothing that stays needs. Without
 * `yes`, it is only said what would go.
 * @throws BundleError REGISTRY where the registry removes nothing; TAG_CONFLICT where somebody else
 * removes something; as reading bundles, receipts and the registry does
 */
export async function prune(request: PruneRequest, context: Context): Promise<PruneReport> {
  const { to, kinds, yes } = request;
  if (to.kind !== 'registry') {
    throw new BundleError('USAGE', 'only a registry is pruned, no image layout', {
      hint: 'Give --to REGISTRY[/NAMESPACE]. A layout is a folder: unpack into a new one instead.',
    });
  }
  const loaded =
    request.receipt && (await loadSigningKey(request.receipt.key, context.configFolder));
  const keys = await believedKeys(request.open.trustedKeyFiles, context);
  const believed = loaded === undefined ? keys : [...keys, loaded.public];
  const found = await pushedBundles({ ...request, to }, believed, context);
  const pushed = pushedBy(found.bundles, to.destinations, kinds);
  const signing = yes ? await preparedReceipt(request, loaded, context) : undefined;
  // Each question and removal ends with the run. What gives the lock back is sent all the same.
  const toTheEnd = { ...context, signal: new AbortController().signal };
  const network = await Network.open({ ...request.network, attempts: ATTEMPTS }, toTheEnd);
  try {
    const { registry } = to.destinations.target;
    const open = (repository: string): RemovableRepository =>
      network.removal({ registry, repository });
    const locks = open(to.destinations.content.repository);
    await requireRemoval(locks, context.signal);
    const [entry, content] = [to.destinations.entry.repository, to.destinations.content.repository];
    const run: Run = { request, entry, content, pushed, open, context };
    if (!yes) {
      const lockedBy = await pruneOwner(locks, context.signal);
      return { ...(await planned(run)), removed: undefined, lockedBy, ...NO_RECEIPT };
    }
    await stayingParts(run); // what is refused leaves no trace: not even the lock is taken
    const report = await removedUnderLock(run, locks);
    const receipt = await signing?.(goneFrom(report.parts, found.bundles));
    const outdated = receipt === undefined ? outdatedSites(report.parts, found.receipts) : [];
    return { ...report, lockedBy: undefined, receipt, outdated };
  } finally {
    await network.close();
  }
}

const NO_RECEIPT = { receipt: undefined, outdated: [] } as const;

interface Run {
  readonly request: PruneRequest;
  /** The repository that release images are in. */
  readonly entry: string;
  /** The repository that components are in. */
  readonly content: string;
  readonly pushed: Pushed;
  readonly open: (repository: string) => RemovableRepository;
  readonly context: Context;
}

type PlannedPrune = Pick<PruneReport, 'target' | 'product' | 'parts' | 'repositories' | 'freed'>;

async function planned(run: Run): Promise<PlannedPrune> {
  const { request, pushed, context } = run;
  const reasons = await stayingParts(run);
  const stays = new Set(reasons.keys());
  const repositories: RepositoryPlan[] = [];
  for (const repository of [...pushed.images.keys()].sort())
    repositories.push(await surveyed(run, repository, stays));
  return {
    target: request.to.name,
    product: await run.open(run.content).product(),
    parts: pushed.parts.map((part) => ({
      ...part,
      stays: stays.has(part.key),
      why: reasons.get(part.key),
    })),
    repositories,
    freed: freedBy(repositories),
  };

  async function surveyed(
    { open }: Run,
    repository: string,
    staying: ReadonlySet<string>,
  ): Promise<RepositoryPlan> {
    const place = open(repository);
    const { lookups, signal, observe } = context;
    observe({ type: 'phase', what: `asking ${place.name} for what it has` });
    return surveyRepository(place, repository, pushed, { staying, lookups, signal });
  }
}

/** Keys of the parts that stay, and why each does. */
async function stayingParts({
  request: { config, keeping },
  entry,
  pushed: { parts, images },
  open,
  context,
}: Run): Promise<ReadonlyMap<string, string>> {
  if (config !== undefined) {
    const going = listedParts(parts, await usableImageSet(config, context), config);
    const kept = parts.filter(({ key }) => !going.has(key));
    return new Map(kept.map(({ key }) => [key, 'not in --config']));
  }
  const { lookups, signal } = context;
  const place = open(entry);
  const tops = (images.get(entry) ?? []).filter(({ subject }) => subject === undefined);
  const there = await mapLimited(
    tops,
    lookups,
    async ({ descriptor, parts: of }) =>
      (await place.manifest(descriptor.digest, signal)) === undefined ? [] : of,
    signal,
  );
  const keys = new Set(there.flat());
  return staying(parts, keeping, ({ key }) => keys.has(key));
}

async function removedUnderLock(
  run: Run,
  locks: RemovableRepository,
): Promise<PlannedPrune & { readonly removed: readonly RemovedFrom[] }> {
  const { request, pushed, context } = run;
  const { lookups, signal, observe } = context;
  const { takesOver } = request;
  const owner = { who: ownerName(context), time: receiptTime(context.now) };
  const id = randomBytes(6).toString('hex');
  const lock = await takePruneLock(locks, owner, { takesOver, id, signal });
  let done: PlannedPrune & { readonly removed: readonly RemovedFrom[] };
  try {
    const plan = await planned(run);
    const stays = new Set(plan.parts.filter((part) => part.stays).map(({ key }) => key));
    const removed: RemovedFrom[] = [];
    for (const one of plan.repositories) {
      // Others may have pushed meanwhile: what they have named stays, too.
      const isSame = sameTags(one.tags, await one.place.tags(signal));
      const options = { staying: stays, lookups, signal };
      const current = isSame
        ? one
        : await surveyRepository(one.place, one.repository, pushed, options);
      observe({ type: 'phase', what: `removing from ${one.place.name}` });
      const { canRemoveTags } = lock;
      removed.push(await removePlanned(current, { canRemoveTags, lookups, signal, observe }));
    }
    done = { ...plan, removed };
  } catch (error) {
    const told = error instanceof BundleError ? withWayOn(error) : error;
    throw await withLockGivenBack(told, lock.release);
  }
  await lock.release().catch((error: unknown): never => {
    throw error instanceof BundleError ? lockLeft(error) : error;
  });
  return done;
}

function sameTags(before: readonly string[], now: readonly string[]): boolean {
  return [...before].sort().join() === [...now].sort().join();
}

function withWayOn(error: BundleError): BundleError {
  return error.withHint(
    `${error.hint ?? ''} What was removed by then is removed, and everything that stays is ` +
      'whole. The same command goes on with the rest.',
  );
}

function ownerName({ environment: { env } }: Context): string {
  return `${env['USER'] ?? env['LOGNAME'] ?? 'somebody'} at ${hostname()}`;
}

/** What a new receipt has to say: what stays of bundles of which something has gone. */
interface Gone {
  readonly bundles: readonly ReceiptBundle[];
  readonly gone: readonly Digest[];
}

function goneFrom(parts: PruneReport['parts'], pushed: readonly PushedBundle[]): Gone {
  const rows = pushed.map(({ kept, parts: arrived }) => {
    const { digest } = kept;
    const { name } = kept.manifest;
    const own = parts.flatMap(({ rows: all, label, stays }) =>
      all
        .filter(({ bundle, number }) => bundle === digest && arrived?.has(number) !== false)
        .map(({ number }) => ({ number, label, stays })),
    );
    return { name, digest, own: own.toSorted((a, b) => a.number - b.number) };
  });
  const broken = rows.filter(({ own }) => own.some(({ stays }) => !stays));
  return {
    gone: broken.map(({ digest }) => digest),
    bundles: broken.flatMap(({ name, digest, own }): ReceiptBundle[] => {
      const left = own.filter(({ stays }) => stays);
      const labelled = left.map(({ number, label }) => ({ number, label }));
      if (left.length === 0) return [];
      return [{ name, digest, whole: false, known: 'earlier', parts: labelled }];
    }),
  };
}

/** Sites that are said to have what has gone. */
function outdatedSites(
  parts: PruneReport['parts'],
  receipts: readonly SiteStanding[],
): readonly string[] {
  const gone = new Set(
    parts
      .filter(({ stays }) => !stays)
      .flatMap(({ rows }) => rows.map(({ bundle, number }) => `${bundle} ${number}`)),
  );
  return receipts
    .filter(({ bundles }) =>
      bundles.some(({ digest, parts: there }) =>
        [...there.keys()].some((number) => gone.has(`${digest} ${number}`)),
      ),
    )
    .map(({ site }) => site);
}

/**
 * Finds out before the first removal whether a receipt can be signed and written in the end.
 * @throws BundleError USAGE, CONFIGURATION, NOT_FOUND, DISK
 */
async function preparedReceipt(
  { receipt: wanted, to }: PruneRequest,
  loaded: SigningKey | undefined,
  context: Context,
): Promise<((gone: Gone) => Promise<WrittenReceipt>) | undefined> {
  if (wanted === undefined || to.kind !== 'registry') return undefined;
  const target = receiptTarget(to.destinations);
  const site = await siteOfReceipt({ ...wanted, key: loaded, target });
  const key = loaded ?? (await firstKey(wanted.key, false, context)).key;
  await prepareReceiptFolder(wanted.folder);
  return (gone) => publishReceipt({ site, target, ...gone }, { ...wanted, key }, context);
}
