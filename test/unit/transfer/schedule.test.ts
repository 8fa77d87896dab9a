import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesItsPart } from '../../../src/transfer/image.ts';
import { type BlobUse, Schedule, type ScheduledImage } from '../../../src/transfer/schedule.ts';

interface Row extends ScheduledImage {
  readonly name: string;
  readonly at: string;
}

interface Given {
  /** Digests of blobs, with spaces between them. */
  readonly blobs?: string;
  readonly parts?: readonly number[];
  readonly last?: boolean;
  /** The name of the image that it is attached to. */
  readonly on?: string;
  readonly at?: string;
  /** Digests of manifests below its own. */
  readonly lists?: string;
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
const own = (name: string): string => `manifest-of-${name}`;

/** The image `a` has the manifest `manifest-of-a`, one part, and stands at the target T. */
function row(
  name: string,
  { blobs = '', parts = [0], last, on, at = 'T', lists }: Given = {},
): Row {
  return {
    name,
    at,
    parts,
    order: last === true ? 'last' : 'first',
    ...(on !== undefined && { attachment: 'referrer', subject: own(on) }),
    manifests: [...words(lists ?? ''), own(name)].map((digest) => ({ digest })),
    blobs: words(blobs).map((digest) => ({ digest })),
  };
}

interface Play {
  /** Digests of blobs that cannot be had, or `digest at T` for one target. */
  readonly lost?: readonly string[];
  readonly incomplete?: readonly number[];
  readonly order?: string;
  readonly allOrNothing?: boolean;
}

interface Played {
  /** What was done, in this order: blobs with their targets, and images. */
  readonly done: string;
  readonly whole: readonly number[];
  readonly naming: string;
  readonly left: string;
}

const namesOf = (rows: readonly Row[]): string => rows.map(({ name }) => name).join(' ');

/** Does everything in the order of the schedule, an image as soon as it is ready. */
function play(rows: readonly Row[], { lost = [], incomplete, order, allOrNothing }: Play): Played {
  const schedule = new Schedule(rows, ({ at }) => at, {
    ...(incomplete && { incompleteParts: new Set(incomplete) }),
    ...(order !== undefined && { blobOrder: words(order) }),
  });
  const done: string[] = [];
  const finish = (ready: readonly Row[]): void => {
    for (const image of ready) {
      if (schedule.isHopeless(image)) continue;
      done.push(image.name);
      finish(schedule.finished(image));
    }
  };
  finish(schedule.ready);
  for (const { blob, uses } of schedule.jobs) {
    for (const use of uses) {
      const key = `${blob.digest}@${use.target}`;
      if (!schedule.isNeeded(use)) continue;
      if (lost.includes(blob.digest) || lost.includes(key)) schedule.lost(use);
      else {
        done.push(key);
        finish(schedule.arrived(use));
      }
    }
  }
  const outcome = schedule.outcome({ allOrNothing: allOrNothing ?? false });
  expect(schedule.finishedCount).toBe(done.filter((step) => !step.includes('@')).length);
  expect(schedule.imageCount).toBe(rows.length);
  return {
    done: done.join(' '),
    whole: outcome.wholeParts,
    naming: namesOf(outcome.naming),
    left: namesOf(outcome.left),
  };
}

describe('schedule', () => {
  const all = { naming: '', left: '', whole: [0] };
  const order: [string, Row[], Played][] = [
    [
      'an image follows its last blob',
      [row('a', { blobs: 'x y' }), row('b', { blobs: 'z' })],
      { ...all, done: 'x@T y@T a z@T b' },
    ],
    [
      'a blob that several images share is copied once',
      [row('a', { blobs: 'x y' }), row('b', { blobs: 'x' })],
      { ...all, done: 'x@T b y@T a' },
    ],
    [
      'a blob goes to each target, and an image waits for its own',
      [row('a', { blobs: 'x', at: 'T' }), row('b', { blobs: 'x y', at: 'U' })],
      { ...all, done: 'x@T a x@U y@U b' },
    ],
    ['an image without blobs is ready at once', [row('a'), row('b')], { ...all, done: 'a b' }],
    [
      'blobs and images that are last come after the others, wherever they stand',
      [row('a', { blobs: 'x', last: true }), row('b', { blobs: 'y' })],
      { ...all, done: 'y@T b x@T a', naming: 'a' },
    ],
    [
      'a blob of a last image comes early if another image needs it',
      [row('a', { blobs: 'x', last: true }), row('b', { blobs: 'y x' })],
      { ...all, done: 'y@T x@T b a', naming: 'a' },
    ],
    [
      'an attached image follows its subject, though its blobs are there before',
      [row('a', { blobs: 'y' }), row('s', { blobs: 'x', on: 'a' }), row('t', { on: 's' })],
      { ...all, done: 'y@T a x@T s t' },
    ],
    [
      'what is attached to a last image is last, and names nothing',
      [row('a', { last: true }), row('s', { on: 'a' }), row('b', { blobs: 'x' })],
      { ...all, done: 'x@T b a s', naming: 'a' },
    ],
    [
      'the subject may be a manifest that an image lists',
      [row('a', { blobs: 'x', lists: 'child' }), { ...row('s', { on: '' }), subject: 'child' }],
      { ...all, done: 'x@T a s' },
    ],
    [
      'the image whose own manifest it is is the subject, before one that lists it',
      [
        row('index', { blobs: 'x', lists: own('a') }),
        row('a', { blobs: 'y' }),
        row('other', { blobs: 'z', lists: own('a') }),
        row('s', { on: 'a' }),
      ],
      { ...all, done: 'x@T index y@T a s z@T other' },
    ],
    [
      'the subject at the same target is the one that is waited for',
      [
        row('a', { blobs: 'x', at: 'T', lists: 'child' }),
        row('b', { blobs: 'y', at: 'U', lists: 'child' }),
        { ...row('s', { on: '', at: 'U' }), subject: 'child' },
      ],
      { ...all, done: 'x@T a y@U b s' },
    ],
    [
      'a subject elsewhere is waited for too',
      [row('a', { blobs: 'x', at: 'T' }), row('s', { on: 'a', at: 'U' })],
      { ...all, done: 'x@T a s' },
    ],
    [
      'a subject that is nowhere, itself, or behind, is not waited for',
      [row('s', { on: 'nobody' }), row('t', { on: 't' }), row('u', { on: 'v' }), row('v')],
      { ...all, done: 's t u v' },
    ],
    [
      'a last image waits for the first ones of its own parts only',
      [
        row('a', { blobs: 'x', parts: [0] }),
        row('A', { last: true, parts: [0] }),
        row('b', { blobs: 'y', parts: [1] }),
        row('B', { last: true, parts: [1] }),
        row('C', { last: true, parts: [2] }),
      ],
      { done: 'C x@T a A y@T b B', naming: 'A B C', left: '', whole: [0, 1, 2] },
    ],
    [
      'an image of two parts lets the last ones of both wait',
      [
        row('A', { last: true, parts: [0] }),
        row('B', { last: true, parts: [1] }),
        row('a', { blobs: 'x', parts: [0, 1] }),
        row('b', { blobs: 'y', parts: [1] }),
      ],
      { done: 'x@T a A y@T b B', naming: 'A B', left: '', whole: [0, 1] },
    ],
    [
      'a last image of two parts waits for both',
      [
        row('A', { last: true, parts: [0, 1] }),
        row('a', { blobs: 'x', parts: [0] }),
        row('b', { blobs: 'y', parts: [1] }),
      ],
      { done: 'x@T a y@T b A', naming: 'A', left: '', whole: [0, 1] },
    ],
    ['nothing is whole at once', [], { ...all, done: '', whole: [] }],
  ];
  it.each(order)('order: %s', (_, rows, expected) => {
    expect(play(rows, {})).toEqual(expected);
    expect(play(rows, { allOrNothing: true })).toEqual(expected);
  });

  it('takes the blobs in an order that is given, those that it does not name before', () => {
    const rows = [row('a', { blobs: 'w x y' }), row('b', { blobs: 'z w', last: true })];
    const { done } = play(rows, { order: 'z nobody y x' });
    expect(done).toBe('w@T z@T y@T x@T a b');
  });

  const twoParts = [
    row('A', { blobs: 'A', last: true, parts: [0] }),
    row('sA', { blobs: 's', on: 'A', parts: [0] }),
    row('a', { blobs: 'x', parts: [0] }),
    row('sa', { blobs: 's', on: 'a', parts: [0] }),
    row('B', { blobs: 'B', last: true, parts: [1] }),
    row('b', { blobs: 'y', parts: [1] }),
    row('both', { blobs: 'z', parts: [0, 1] }),
  ];
  const losses: [string, Row[], Play, Played][] = [
    [
      'a lost blob of a first image takes the last ones of its part with it',
      twoParts,
      { lost: ['x'] },
      { done: 's@T y@T b z@T both B@T B', whole: [1], naming: 'B', left: 'A sA a sa' },
    ],
    [
      'all or nothing: nothing is named, and the other part is not whole either',
      twoParts,
      { lost: ['x'], allOrNothing: true },
      { done: 's@T y@T b z@T both B@T B', whole: [], naming: '', left: 'A sA a sa B' },
    ],
    [
      'a lost blob of an image of both parts leaves no part whole',
      twoParts,
      { lost: ['z'] },
      { done: 'x@T a s@T sa y@T b', whole: [], naming: '', left: 'A sA B both' },
    ],
    [
      'a lost blob of a last image takes what is attached to it along',
      twoParts,
      { lost: ['A'] },
      { done: 'x@T a s@T sa y@T b z@T both B@T B', whole: [1], naming: 'B', left: 'A sA' },
    ],
    [
      'a lost blob of an attached image leaves its subject, and not its part',
      twoParts,
      { lost: ['s'] },
      { done: 'x@T a y@T b z@T both B@T B', whole: [1], naming: 'B', left: 'A sA sa' },
    ],
    [
      'no blob goes up for a last image of a part that is known to be incomplete',
      twoParts,
      { incomplete: [0] },
      { done: 'x@T a s@T sa y@T b z@T both B@T B', whole: [1], naming: 'B', left: 'A sA' },
    ],
    [
      'a part is whole only where it has a blob at all its targets',
      [row('a', { blobs: 'x', at: 'T' }), row('b', { blobs: 'x', at: 'U', parts: [1] })],
      { lost: ['x@U'] },
      { done: 'x@T a', whole: [0], naming: '', left: 'b' },
    ],
    [
      'a last image that is there is not named if another one of its part is lost',
      [row('A', { last: true }), row('B', { blobs: 'x', last: true })],
      { lost: ['x'] },
      { done: 'A', whole: [], naming: '', left: 'A B' },
    ],
    [
      'a last image is not begun any more when another one of its part is lost',
      [row('A', { blobs: 'x', last: true }), row('B', { blobs: 'y', last: true })],
      { lost: ['x'] },
      { done: '', whole: [], naming: '', left: 'A B' },
    ],
    [
      'a last image of two parts names neither if one of them is not whole',
      [
        row('A', { last: true, parts: [0, 1] }),
        row('a', { blobs: 'x', parts: [0] }),
        row('b', { blobs: 'y', parts: [1] }),
      ],
      { lost: ['y'] },
      { done: 'x@T a', whole: [], naming: '', left: 'A b' },
    ],
    [
      'a part that is known to be incomplete and has no first image has no last ones either',
      [row('A', { last: true }), row('B', { last: true, parts: [1] })],
      { incomplete: [0] },
      { done: 'B', whole: [1], naming: 'B', left: 'A' },
    ],
    [
      'all or nothing heeds a part without an image that is known to be incomplete',
      [row('A', { last: true })],
      { incomplete: [7], allOrNothing: true },
      { done: 'A', whole: [], naming: '', left: 'A' },
    ],
  ];
  it.each(losses)('loss: %s', (_, rows, played, expected) => {
    expect(play(rows, played)).toEqual(expected);
  });

  it('says of an image that it is hopeless as soon as that is certain', () => {
    const schedule = new Schedule(twoParts, ({ at }) => at);
    const hopeless = (): string => namesOf(twoParts.filter((image) => schedule.isHopeless(image)));
    expect(hopeless()).toBe('');
    const use = schedule.jobs.find(({ blob }) => blob.digest === 'x')!.uses[0]!;
    schedule.lost(use);
    schedule.lost(use);
    expect(hopeless()).toBe('A sA a sa');
  });

  describe('for any table and any course of things', () => {
    const digit = fc.integer({ min: 0, max: 4 });
    const anyRow = fc.record({
      blobs: fc.uniqueArray(digit, { maxLength: 3 }),
      parts: fc.uniqueArray(digit, { minLength: 1, maxLength: 3 }),
      last: fc.boolean(),
      on: fc.option(fc.nat(9), { nil: undefined }),
      at: fc.constantFrom('T', 'U'),
    });
    const tables = fc.array(anyRow, { maxLength: 10 }).map((rows) =>
      rows.map(({ blobs, on, ...rest }, index) =>
        row(`i${index}`, {
          ...rest,
          blobs: blobs.map((blob) => `x${blob}`).join(' '),
          ...(on !== undefined && { on: `i${on}` }),
        }),
      ),
    );

    it('says what a naive model says', () => {
      fc.assert(
        fc.property(
          tables,
          fc.uniqueArray(digit, { maxLength: 2 }),
          fc.infiniteStream(fc.nat(99)),
          fc.integer({ min: 2, max: 12 }),
          (rows, incomplete, choices, lossRate) => {
            const model = new Model(rows, new Set(incomplete));
            const schedule = new Schedule(rows, ({ at }) => at, {
              incompleteParts: new Set(incomplete),
            });
            const choose = (below: number): number => Number(choices.next().value) % below;
            const ready = [...schedule.ready];
            expect(new Set(ready)).toEqual(new Set(model.ready()));
            const uses = schedule.jobs.flatMap(({ blob, uses: its }) =>
              its.map((use) => ({ digest: blob.digest, use })),
            );
            expect(new Set(uses.map(({ digest, use }) => `${digest}@${use.target}`)).size).toBe(
              uses.length,
            );
            while (uses.length + ready.length > 0) {
              const pick = choose(uses.length + ready.length);
              if (pick < uses.length) {
                const [{ digest, use }] = uses.splice(pick, 1) as [(typeof uses)[0]];
                step(digest, use, choose(lossRate) === 0);
              } else {
                const [image] = ready.splice(pick - uses.length, 1) as [Row];
                if (model.isHopeless(image)) continue;
                expect(model.finished).not.toContain(image);
                model.finished.add(image);
                ready.push(...schedule.finished(image));
              }
              const open = rows.filter((image) => !model.finished.has(image));
              expect(new Set(ready.filter((image) => !schedule.isHopeless(image)))).toEqual(
                new Set(model.ready()),
              );
              expect(open.filter((image) => schedule.isHopeless(image))).toEqual(
                open.filter((image) => model.isHopeless(image)),
              );
            }
            for (const allOrNothing of [false, true])
              expect(schedule.outcome({ allOrNothing })).toEqual(model.outcome(allOrNothing));

            function step(digest: string, use: BlobUse<Row, string>, isLost: boolean): void {
              const needed = use.images.some((image) => !model.isHeldBack(image));
              expect(schedule.isNeeded(use)).toBe(needed);
              if (!needed) return;
              if (isLost) {
                model.lost.add(`${digest}@${use.target}`);
                schedule.lost(use);
              } else {
                model.arrived.add(`${digest}@${use.target}`);
                ready.push(...schedule.arrived(use));
              }
            }
          },
        ),
        { numRuns: 500 },
      );
    });
  });
});

/** Looks at everything anew each time. */
class Model {
  readonly arrived = new Set<string>();
  readonly lost = new Set<string>();
  readonly finished = new Set<Row>();
  readonly #rows: readonly Row[];
  readonly #incomplete: ReadonlySet<number>;

  constructor(rows: readonly Row[], incomplete: ReadonlySet<number>) {
    this.#rows = rows;
    this.#incomplete = incomplete;
  }

  #subjectOf(image: Row): Row | undefined {
    const before = this.#rows.slice(0, this.#rows.indexOf(image));
    return before.find(({ name }) => own(name) === image.subject);
  }

  #isLast(image: Row): boolean {
    const subject = this.#subjectOf(image);
    return image.order === 'last' || (subject !== undefined && this.#isLast(subject));
  }

  #of(part: number): readonly Row[] {
    return this.#rows.filter(({ parts }) => parts.includes(part));
  }

  #lacksBlob({ blobs, at }: Row): boolean {
    return blobs.some(({ digest }) => this.lost.has(`${digest}@${at}`));
  }

  #isLost(image: Row): boolean {
    const subject = this.#subjectOf(image);
    return this.#lacksBlob(image) || (subject !== undefined && this.#isLost(subject));
  }

  #isBroken(part: number): boolean {
    return this.#incomplete.has(part) || this.#of(part).some((image) => this.#isLost(image));
  }

  isHeldBack(image: Row): boolean {
    return this.#isLast(image) && image.parts.some((part) => this.#isBroken(part));
  }

  isHopeless(image: Row): boolean {
    return !this.finished.has(image) && (this.#isLost(image) || this.isHeldBack(image));
  }

  ready(): readonly Row[] {
    return this.#rows.filter((image) => {
      if (this.finished.has(image) || this.isHopeless(image)) return false;
      const subject = this.#subjectOf(image);
      const firsts = this.#isLast(image)
        ? image.parts.flatMap((part) => this.#of(part).filter((other) => !this.#isLast(other)))
        : [];
      return (
        image.blobs.every(({ digest }) => this.arrived.has(`${digest}@${image.at}`)) &&
        (subject === undefined || this.finished.has(subject)) &&
        firsts.every((other) => this.finished.has(other))
      );
    });
  }

  outcome(allOrNothing: boolean): ReturnType<Schedule<Row, string>['outcome']> {
    const parts = new Set([...this.#incomplete, ...this.#rows.flatMap((image) => image.parts)]);
    const isWhole = (part: number): boolean =>
      !this.#isBroken(part) && this.#of(part).every((image) => this.finished.has(image));
    const whole = [...parts].filter(isWhole).sort();
    const wholeParts = allOrNothing && whole.length < parts.size ? [] : whole;
    const isNamed = (image: Row): boolean => image.parts.every((part) => wholeParts.includes(part));
    const left = this.#rows.filter(
      (image) => !this.finished.has(image) || (namesItsPart(image) && !isNamed(image)),
    );
    return {
      wholeParts,
      naming: this.#rows.filter((image) => namesItsPart(image) && isNamed(image)),
      left,
      held: left.filter((image) => !this.#lacksBlob(image)),
    };
  }
}
