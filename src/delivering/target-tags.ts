import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { few } from '../core/text.ts';
import type { PlannedImage } from '../transfer/image.ts';
import { surveyTags, type TagState } from '../transfer/tags.ts';
import { namesOfPlaces, type Places, probesOf } from './places.ts';
import { namingAll } from './target-refusal.ts';

/** Full names of the tags that named something else before. */
export interface SettledTags {
  /** They name what was delivered now. */
  readonly replacedTags: readonly string[];
  /** They still name something else, since what they are for was left out. */
  readonly unreplacedTags: readonly string[];
}

interface TagOptions {
  /** Lets tags that name something else be overwritten. */
  readonly replaceTags: boolean;
  /** Nothing is made at the target, so what may be pushed is not tried. */
  readonly dryRun: boolean;
}

/**
 * Asks the target what the tags of all images name there. Some registries refuse to be read where a
 * repository does not exist yet, and make it when somebody may push there. So where tags were
 * refused, the push is tried, and they are asked for again.
 * @throws BundleError NOT_ALLOWED where nobody can tell what would be overwritten; REGISTRY, NETWORK.
 */
export async function tagsAt(
  places: Places,
  images: readonly PlannedImage[],
  { replaceTags, dryRun }: TagOptions,
  context: Context,
): Promise<readonly TagState[]> {
  const { lookups: concurrency, signal, observe } = context;
  const ask = async (): Promise<readonly TagState[]> =>
    surveyTags(images, ({ place }) => places.storeAt(place), {
      ...{ concurrency, signal, observe },
    }).catch((error: unknown) => {
      throw namingAll(error, namesOfPlaces(places));
    });
  const tags = await ask();
  if (tags.every(({ refusal }) => refusal === undefined)) return tags;
  if (dryRun) {
    // Nothing may be made there: that the credentials are good is all that can be found out.
    for (const probe of probesOf(places)) await probe.login(signal);
    return tags;
  }
  await checkWritable(places, context);
  const again = await ask();
  const refused = again.filter(({ refusal }) => refusal !== undefined);
  const [first] = refused;
  if (first?.refusal === undefined) return again;
  const targets = [...new Set(refused.map(({ target }) => target.name))];
  if (!replaceTags) throw unreadable(targets, refused.length, first.refusal);
  observe({ type: 'noticed', code: 'tags-not-known', targets, cause: first.refusal.message });
  return again;
}

/** Nobody could tell what a push would overwrite. */
function unreadable(targets: readonly string[], tags: number, cause: BundleError): BundleError {
  const where = targets.join(' and ');
  return new BundleError(
    'NOT_ALLOWED',
    `${where} can be written to, but not read with these credentials: ` +
      `nobody can tell whether ${tags === 1 ? 'a tag' : `one of ${tags} tags`} names something else`,
    {
      cause,
      expected: 'credentials that may pull and push',
      got: cause.message,
      hint:
        'Nothing was written. Use credentials that may pull, too. If the repository is new, ' +
        'or its tags may be overwritten, repeat the command with --replace-tags.',
    },
  );
}

/**
 * Asks all repositories before the first upload, so that no other is found closed when the first is
 * full.
 */
export async function checkWritable(places: Places, { signal }: Context): Promise<void> {
  const probes = probesOf(places);
  const names = probes.map(({ name }) => name);
  for (const probe of probes) {
    await probe.push(signal).catch((error: unknown) => {
      throw namingAll(error, names);
    });
  }
}

/**
 * The tags that name another digest at the target.
 * @throws BundleError TAG_CONFLICT for any of them, unless they may be replaced.
 */
export function conflictsIn(tags: readonly TagState[], replaceTags: boolean): readonly TagState[] {
  const conflicts = tags.filter(
    ({ image, current }) => current !== undefined && current !== image.descriptor.digest,
  );
  const [first] = conflicts;
  if (first === undefined || replaceTags) return conflicts;
  const hint = wayOf(conflicts);
  const details = { expected: first.image.descriptor.digest, got: first.current, hint };
  if (conflicts.length === 1) {
    const message = `${nameOfTag(first)} exists already, and names ${first.current ?? ''}`;
    throw new BundleError('TAG_CONFLICT', message, details);
  }
  const message = `${conflicts.length} tags exist already, and name something else`;
  const items = conflicts.map(
    (tag) =>
      `${nameOfTag(tag)}: ${tag.current ?? ''}, in the bundle ${tag.image.descriptor.digest}`,
  );
  throw new BundleError('TAG_CONFLICT', message, {
    hint,
    details: [{ label: 'tags', items }],
  });
}

/** What to do about tags that name something else: those of releases should never do so. */
function wayOf(conflicts: readonly TagState[]): string {
  const ofReleases = conflicts.filter(isOfRelease);
  if (ofReleases.length === 0)
    return `${NOTHING} ${MOVE}: --replace-tags lets them name what is in the bundle. ${STAYS} ${BOTH}`;
  const isOne = conflicts.length === 1;
  const areAll = ofReleases.length === conflicts.length;
  const names = few(ofReleases.map(nameOfTag)).join(', ');
  const which = isOne ? 'this one' : areAll ? 'these' : names;
  return (
    `${NOTHING} The tag of a release never moves: find out who set ${which}. ` +
    `${areAll ? '' : `${MOVE}. `}--replace-tags overwrites ${isOne ? 'it' : 'all of them'}. ${BOTH}`
  );
}

const NOTHING = 'Nothing was written.';

const MOVE = 'Tags of catalogs and of other images move from month to month';

const STAYS =
  'What they named before stays at the target, by digest alone: a garbage collection that deletes ' +
  'what no tag names removes it.';

const BOTH = 'With another namespace or repository you keep both.';

/** A signature that is attached to an image of a release gets others in the course of time. */
function isOfRelease({ image: { place, attachment } }: TagState): boolean {
  return (place === 'entry' || place === 'content') && attachment === undefined;
}

/** Which of the tags that may be replaced are, and which are not. */
export function settledTags(
  tags: readonly TagState[],
  isSet: (tag: TagState) => boolean,
): SettledTags {
  return {
    replacedTags: tags.filter(isSet).map(nameOfTag),
    unreplacedTags: tags.filter((tag) => !isSet(tag)).map(nameOfTag),
  };
}

function nameOfTag({ target, tag }: TagState): string {
  return `${target.name}:${tag}`;
}
