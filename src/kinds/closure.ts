import type { BundleContents } from '../bundle/format/plan.ts';
import type { BundledHole, BundledImage, RequiredBundle } from '../bundle/format/manifest.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { isFixed, type PlannedImage } from '../transfer/image.ts';
import { type ContentPlan, planContent } from '../transfer/plan.ts';
import type { Drop } from './holes.ts';
import type { Part } from './kind.ts';
import { attachedStatements } from './statements.ts';

/** Parts, and everything that they consist of together. */
export interface Closure {
  readonly parts: readonly Part[];
  readonly content: ContentPlan;
}

/**
 * @throws BundleError UNSUPPORTED_CONTENT for parts that contradict each other; USAGE for two images
 * that would overwrite each other at every target.
 */
export function closureOf(parts: readonly Part[]): Closure {
  const content = planContent(parts);
  refuseSharedNames(content.images);
  return { parts, content };
}

/**
 * Refuses different images that go to one path under one tag. Places with a purpose are another
 * matter: a bundle may hold a hotfix and the release that it was made from, and one is chosen.
 */
function refuseSharedNames(images: readonly PlannedImage[]): void {
  const owners = new Map<string, PlannedImage>();
  for (const image of images) {
    if (isFixed(image.place)) continue;
    for (const tag of image.tags) {
      const target = `${image.place.slice(1)}:${tag}`;
      const other = owners.get(target) ?? image;
      owners.set(target, other);
      if (other.descriptor.digest === image.descriptor.digest) continue;
      throw new BundleError(
        'USAGE',
        `${other.name} and ${image.name} are different images, and both would go to ${target}`,
        {
          subject: `${other.name}, ${image.name}`,
          expected: other.descriptor.digest,
          got: image.descriptor.digest,
          hint:
            'Give one of them another path or tag: with targetRepo or targetTag in the file, or ' +
            'with --image REFERENCE=PATH:TAG.',
        },
      );
    }
  }
}

/**
 * The contents of a bundle that holds some parts. `pack` writes them; a reader derives the parts
 * again, and compares them with the bundle.
 */
export function contentsOf(
  name: string,
  closure: Closure,
  requires: readonly RequiredBundle[] = [],
): BundleContents {
  const { parts, content } = closure;
  const holes = holesOf(closure);
  const elsewhere = new Set<Digest>(
    requires.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)),
  );
  const files = new Map(parts.flatMap((part) => part.files.map((file) => [file.path, file])));
  return {
    name,
    ...(requires.length > 0 && { requires }),
    parts: parts.map(({ kind, claim }) => ({ kind, claim })),
    images: content.images.map(bundledImage),
    ...(holes.length > 0 && { holes }),
    files: [...files.values()],
    manifests: content.manifests,
    blobs: content.blobs.filter(({ descriptor }) => !elsewhere.has(descriptor.digest)),
  };
}

/** The images that parts have and nobody could get, in the order of the parts. */
export function holesOf({ parts }: Pick<Closure, 'parts'>): readonly BundledHole[] {
  return parts.flatMap(({ holes = [] }, part) => holes.map((hole) => ({ part, ...hole })));
}

/** What was left out of parts, since images of it could not be had. */
export function dropsOf({ parts }: Pick<Closure, 'parts'>): readonly (readonly [string, Drop])[] {
  return parts.flatMap(({ drops }) => [...(drops ?? [])]);
}

/** Numbers of the parts that lack an image. */
export function partsWithHoles(closure: Pick<Closure, 'parts'>): ReadonlySet<number> {
  return new Set(holesOf(closure).map(({ part }) => part));
}

/** The blobs that a bundle of some parts has whatever others have: it is derived from these. */
export function leadingBlobs({ parts }: Pick<Closure, 'parts'>): ReadonlySet<Digest> {
  return new Set(parts.flatMap(({ leading }) => leading.map(({ digest }) => digest)));
}

/**
 * The blobs that no pack leaves out: those that a bundle is derived from, and the statements that
 * whoever knows no packer checks before anything is taken.
 */
export function keptBlobs(closure: Closure): ReadonlySet<Digest> {
  const { statements } = attachedStatements(closure.content);
  return new Set([...leadingBlobs(closure), ...statements.map(({ layer }) => layer.digest)]);
}

/**
 * The parts that are wanted, by any name that they have; all of them if none is.
 * @throws BundleError NOT_FOUND naming what there is.
 */
export function selectParts({ parts, content }: Closure, wanted: readonly string[]): Closure {
  if (wanted.length === 0) return { parts, content };
  const lacking = missingParts(parts, wanted);
  if (lacking.length > 0) {
    const missing = lacking.join(', ');
    throw new BundleError('NOT_FOUND', `the bundle does not hold ${missing}`, {
      expected: missing,
      got: parts.map(({ label }) => label).join(', '),
      hint: 'Name one that it holds, by version, version and architecture, or digest.',
    });
  }
  return closureOf(parts.filter(({ names }) => wanted.some((name) => names.includes(name))));
}

/** Those of some names that no part has. */
export function missingParts(parts: readonly Part[], wanted: readonly string[]): readonly string[] {
  return wanted.filter((name) => parts.every(({ names }) => !names.includes(name)));
}

/** How the parts are called that an image belongs to. */
export function labelsOf(
  { parts }: Pick<PlannedImage, 'parts'>,
  closure: Closure,
): readonly string[] {
  return parts.map((part) => closure.parts[part]!.label);
}

function bundledImage(image: PlannedImage): BundledImage {
  const { name, role, descriptor, source, tags, subject, parts } = image;
  const { mediaType, digest, size } = descriptor;
  const attached = subject !== undefined && { subject };
  return { name, role, digest, size, mediaType, source, tags, ...attached, parts };
}
