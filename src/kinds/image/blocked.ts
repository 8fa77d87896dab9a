import { BundleError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import type { BlockedImage, Blocker } from '../../image-sets/image-set.ts';
import type { Closure } from '../closure.ts';
import { imageRequest } from './request.ts';

/** By what patterns know an image: its reference as it is written, and its place at a target. */
export function namesOfReference(reference: string): readonly string[] {
  try {
    const { path, tag } = imageRequest(reference);
    return [reference, `${path}:${tag}`];
  } catch (error) {
    // What is wrong with it is said where it is asked for.
    if (error instanceof BundleError) return [reference];
    throw error;
  }
}

/**
 * Makes sure that no pattern blocks what a part cannot do without: what it can has been left out by
 * now. What is attached to an image comes and goes with it.
 * @throws BundleError CONFIGURATION
 */
export function refuseBlocked(
  { content, parts }: Pick<Closure, 'content' | 'parts'>,
  blocker: Blocker | undefined,
): void {
  if (blocker === undefined) return;
  for (const image of content.images) {
    if (image.subject !== undefined) continue;
    const { name, source, place, tags } = image;
    const atTarget = place.startsWith('/') ? tags.map((tag) => `${place.slice(1)}:${tag}`) : [];
    const names = [source, ...(name.includes('/') ? [name] : []), ...atTarget];
    const blocked = blocker.blocks(names);
    if (blocked === undefined) continue;
    throw needed(name, parts[image.parts[0]!]?.label ?? image.role, blocked, blocker);
  }
}

/** The refusal to leave out an image that a part cannot do without. */
export function needed(
  image: string,
  part: string,
  { line, pattern }: BlockedImage,
  { file }: Blocker,
): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `${file}, line ${line}: blockedImages blocks ${image}, which cannot be left out of ${part}`,
    {
      subject: file,
      got: oneLine(pattern, 80),
      hint:
        'Releases, catalogs and the images of their bundles are always whole. Write the pattern ' +
        String.raw`so that it does not fit this image (\. for a dot, $ for the end), or do not ` +
        'ask for what needs it.',
    },
  );
}
