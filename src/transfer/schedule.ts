import { type Attachment, namesItsPart, type Order } from './image.ts';

/** The facts about an image that a schedule needs. Its manifests are those of a planned one. */
export interface ScheduledImage {
  readonly parts: readonly number[];
  readonly order: Order;
  readonly attachment?: Attachment;
  readonly subject?: string;
  readonly manifests: readonly { readonly digest: string }[];
  readonly blobs: readonly { readonly digest: string }[];
}

/** A blob at one target, and the images that wait for it there. */
export interface BlobUse<Image, Target> {
  readonly target: Target;
  readonly images: readonly [Image, ...Image[]];
}

/** One blob, and all targets that it goes to, in this order. */
export interface BlobJob<Image extends ScheduledImage, Target> {
  readonly blob: Image['blobs'][number];
  readonly uses: readonly BlobUse<Image, Target>[];
}

export interface ScheduleOptions {
  /** The order of the blobs, by their digests, where it is given from outside. */
  readonly blobOrder?: Iterable<string> | undefined;
  /** Parts that are known not to become whole. */
  readonly incompleteParts?: ReadonlySet<number> | undefined;
}

/** The outcome of a schedule. */
export interface Outcome<Image> {
  /** Numbers of the parts of which every image is there, lowest first. */
  readonly wholeParts: readonly number[];
  /** Images that name a part that is whole: their tags are the last thing to be set. */
  readonly naming: readonly Image[];
  /** Images that are not there, or that nothing will name, in the order of the table. */
  readonly left: readonly Image[];
  /** Those of them that lack nothing themselves: they wait for others. */
  readonly held: readonly Image[];
}

interface Node<Image> {
  readonly image: Image;
  /** It is last itself, or attached to one that is. */
  readonly isLast: boolean;
  /** The images that follow when this one is finished. */
  readonly attached: Node<Image>[];
  /** How many things it waits for. */
  waits: number;
  isFinished: boolean;
  isLost: boolean;
  /** A blob of its own cannot be had. */
  isBroken: boolean;
}

interface Part<Image> {
  /** Those of its images that are not finished: all, and those that come first. */
  open: number;
  openFirst: number;
  /** It lacks something that can no longer come. */
  isBroken: boolean;
  readonly last: Node<Image>[];
}

/** The image that a manifest belongs to: the one whose own it is before those that list it. */
class Owners<Image extends ScheduledImage> {
  readonly #owners = new Map<string, Node<Image>>();

  add(node: Node<Image>): void {
    const own = node.image.manifests.at(-1);
    for (const manifest of node.image.manifests) {
      const { digest } = manifest;
      const known = this.#owners.get(digest);
      if (known === undefined || (manifest === own && !isOwn(known, digest)))
        this.#owners.set(digest, node);
    }
  }

  of(digest: string): Node<Image> | undefined {
    return this.#owners.get(digest);
  }
}

function isOwn({ image }: Node<ScheduledImage>, digest: string): boolean {
  return image.manifests.at(-1)?.digest === digest;
}

/**
 * Decides what is copied when: no store, no promise, only a table of images and what has happened
 * so far. It is told of each blob that has arrived at a target and of each image that is finished,
 * and answers with the images that are ready then.
 *
 * An image is ready when its blobs are at its target, when the image that it is attached to is
 * finished, and, if it is last, when all images of its parts are finished that come first. An image
 * that is attached stands behind its subject in the table; a subject that does not stand there is
 * not waited for. What is attached to a last image is last too.
 *
 * Building it and all its answers together take time in proportion to the images and their blobs.
 */
export class Schedule<Image extends ScheduledImage, Target> {
  /** Without an order from outside: blobs of images that come first, then those of last images. */
  readonly jobs: readonly BlobJob<Image, Target>[];
  /** The images that wait for nothing. */
  readonly ready: readonly Image[];
  readonly #nodes = new Map<Image, Node<Image>>();
  readonly #parts = new Map<number, Part<Image>>();
  #finishedCount = 0;

  /** @param targetOf is called once for each image; targets are told apart by identity. */
  constructor(
    images: readonly Image[],
    targetOf: (image: Image) => Target,
    { blobOrder, incompleteParts }: ScheduleOptions = {},
  ) {
    const targets = new Map(images.map((image) => [image, targetOf(image)]));
    this.#linkImages(targets);
    for (const number of incompleteParts ?? []) this.#partOf(number).isBroken = true;
    for (const node of this.#nodes.values()) if (node.isLast) this.#awaitParts(node);
    this.jobs = this.#jobsFor(targets, blobOrder);
    this.ready = without(0, this.#nodes.values());
  }

  get imageCount(): number {
    return this.#nodes.size;
  }

  /** How many images have been finished so far. */
  get finishedCount(): number {
    return this.#finishedCount;
  }

  /**
   * Whether a blob has to be at a target: not where only last images of parts wait for it that will
   * not be whole.
   */
  isNeeded({ images }: BlobUse<Image, Target>): boolean {
    return images.some((image) => !this.#isHeldBack(this.#nodeOf(image)));
  }

  /** A blob has arrived at a target. @returns the images that are ready now. */
  arrived({ images }: BlobUse<Image, Target>): readonly Image[] {
    return without(
      1,
      images.map((image) => this.#nodeOf(image)),
    );
  }

  /** The manifests of an image are at its target. @returns the images that are ready now. */
  finished(image: Image): readonly Image[] {
    const node = this.#nodeOf(image);
    node.isFinished = true;
    this.#finishedCount += 1;
    const ready = [without(1, node.attached)];
    for (const number of image.parts) {
      const part = this.#partOf(number);
      part.open -= 1;
      if (node.isLast) continue;
      part.openFirst -= 1;
      if (part.openFirst === 0 && !part.isBroken) ready.push(without(1, part.last));
    }
    return ready.flat();
  }

  /** A blob cannot be had: the images that wait for it, and what follows them, never get ready. */
  lost({ images }: BlobUse<Image, Target>): void {
    const nodes = images.map((image) => this.#nodeOf(image));
    for (const node of nodes) node.isBroken = true;
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      if (node.isLost) continue;
      node.isLost = true;
      for (const number of node.image.parts) this.#partOf(number).isBroken = true;
      for (const attached of node.attached) nodes.push(attached);
    }
  }

  /** Whether an image can never get ready any more. */
  isHopeless(image: Image): boolean {
    const node = this.#nodeOf(image);
    return !node.isFinished && (node.isLost || this.#isHeldBack(node));
  }

  /**
   * The outcome, once nothing is under way any more.
   * @param allOrNothing whether a part that is whole counts only if all are.
   */
  outcome({ allOrNothing }: { readonly allOrNothing: boolean }): Outcome<Image> {
    const isWhole = ({ open, isBroken }: Part<Image>): boolean => open === 0 && !isBroken;
    const nothing = allOrNothing && ![...this.#parts.values()].every(isWhole);
    const counts = (number: number): boolean => !nothing && isWhole(this.#partOf(number));
    const isNamed = (image: Image): boolean => image.parts.every(counts);
    const images = [...this.#nodes.keys()];
    const left = images.filter(
      (image) => !this.#nodeOf(image).isFinished || (namesItsPart(image) && !isNamed(image)),
    );
    return {
      wholeParts: [...this.#parts.keys()].filter(counts).sort((a, b) => a - b),
      naming: images.filter((image) => namesItsPart(image) && isNamed(image)),
      left,
      held: left.filter((image) => !this.#nodeOf(image).isBroken),
    };
  }

  #linkImages(targets: ReadonlyMap<Image, Target>): void {
    const anywhere = new Owners<Image>();
    const at = new Map<Target, Owners<Image>>();
    for (const [image, target] of targets) {
      const there = at.get(target) ?? new Owners<Image>();
      at.set(target, there);
      const { subject } = image;
      const owner = subject === undefined ? undefined : (there.of(subject) ?? anywhere.of(subject));
      const node: Node<Image> = {
        image,
        isLast: image.order === 'last' || owner?.isLast === true,
        attached: [],
        waits: image.blobs.length + (owner === undefined ? 0 : 1),
        isFinished: false,
        isLost: false,
        isBroken: false,
      };
      owner?.attached.push(node);
      there.add(node);
      anywhere.add(node);
      this.#nodes.set(image, node);
      for (const number of image.parts) {
        const part = this.#partOf(number);
        part.open += 1;
        if (!node.isLast) part.openFirst += 1;
      }
    }
  }

  #awaitParts(node: Node<Image>): void {
    for (const number of node.image.parts) {
      const part = this.#partOf(number);
      // A part that is broken from the start lets nobody go on.
      if (part.openFirst === 0 && !part.isBroken) continue;
      node.waits += 1;
      part.last.push(node);
    }
  }

  #jobsFor(
    targets: ReadonlyMap<Image, Target>,
    blobOrder: Iterable<string> | undefined,
  ): readonly BlobJob<Image, Target>[] {
    const jobs = new Map<string, Job<Image, Target>>();
    const nodes = [...this.#nodes.values()];
    for (const isLast of [false, true]) {
      for (const { image } of nodes.filter((node) => node.isLast === isLast)) {
        for (const blob of image.blobs) addUse(jobs, blob, targets.get(image)!, image);
      }
    }
    const ordered = new Set([...(blobOrder ?? [])].filter((digest) => jobs.has(digest)));
    const others = [...jobs.keys()].filter((digest) => !ordered.has(digest));
    return [...others, ...ordered].map((digest) => {
      const { blob, uses } = jobs.get(digest)!;
      return { blob, uses: [...uses.values()] };
    });
  }

  /** It waits for a part that will not be whole. */
  #isHeldBack({ isLast, image }: Node<Image>): boolean {
    return isLast && image.parts.some((number) => this.#partOf(number).isBroken);
  }

  #nodeOf(image: Image): Node<Image> {
    return this.#nodes.get(image)!;
  }

  #partOf(number: number): Part<Image> {
    let part = this.#parts.get(number);
    if (part === undefined) {
      part = { open: 0, openFirst: 0, isBroken: false, last: [] };
      this.#parts.set(number, part);
    }
    return part;
  }
}

interface Job<Image extends ScheduledImage, Target> {
  readonly blob: Image['blobs'][number];
  readonly uses: Map<Target, { readonly target: Target; readonly images: [Image, ...Image[]] }>;
}

function addUse<Image extends ScheduledImage, Target>(
  jobs: Map<string, Job<Image, Target>>,
  blob: Image['blobs'][number],
  target: Target,
  image: Image,
): void {
  let job = jobs.get(blob.digest);
  if (job === undefined) jobs.set(blob.digest, (job = { blob, uses: new Map() }));
  const use = job.uses.get(target);
  if (use === undefined) job.uses.set(target, { target, images: [image] });
  else use.images.push(image);
}

/** Takes `count` things off what each of the images waits for. @returns those that are ready. */
function without<Image>(count: number, nodes: Iterable<Node<Image>>): Image[] {
  const ready: Image[] = [];
  for (const node of nodes) {
    node.waits -= count;
    if (node.waits === 0) ready.push(node.image);
  }
  return ready;
}
