import { BundleError } from '../../../core/errors.ts';
import { type PartRequest, partRequest } from '../../../kinds/kind.ts';
import { texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { many, type OptionTable } from '../table.ts';

/** Images that are no part of a release. */
export const imageOptions: OptionTable = {
  image: many(
    'one image more, by tag or digest; =PATH[:TAG] behind it says where it goes (repeatable)',
  ),
  platforms: many(
    'carry only these platforms of images (linux/amd64,linux/arm64), or with IMAGE= in front of ' +
      'one image; releases, operators and charts stay whole (repeatable)',
  ),
};

/** An image that somebody has asked for, in a file or on the command line. */
export interface WantedImage {
  readonly name: string;
  readonly path?: string | undefined;
  readonly tag?: string | undefined;
  /** As the file says. */
  readonly platforms?: readonly string[];
}

/**
 * The images that a command line and a file ask for.
 * @throws BundleError USAGE
 */
export async function imageParts(
  args: Arguments,
  ofFile: readonly WantedImage[] = [],
): Promise<readonly PartRequest[]> {
  const named = texts(args, 'image').map((text): WantedImage => {
    const [, name = '', path, tag] = /^([^=]*)(?:=([^:]*)(?::(.*))?)?$/s.exec(text) ?? [];
    return { name, path, tag };
  });
  const wanted = [...ofFile, ...named];
  const platformsOf = platformsFor(texts(args, 'platforms'), wanted);
  if (wanted.length === 0) return [];
  // Imported here and not at the start: a kind needs libraries that take time to load.
  const { imageKind } = await import('../../../kinds/image/image.ts');
  const { imageRequest } = await import('../../../kinds/image/request.ts');
  return wanted.map((image) => {
    const { name, path, tag } = image;
    return partRequest(imageKind, imageRequest(name, { path, tag, platforms: platformsOf(image) }));
  });
}

/**
 * What is carried of each image: what the command line says of this one, else what the file does,
 * else what the command line says of all.
 * @throws BundleError USAGE for an image that is not asked for.
 */
function platformsFor(
  written: readonly string[],
  wanted: readonly WantedImage[],
): (image: WantedImage) => readonly string[] {
  const ofAll: string[] = [];
  const ofOne = new Map<string, string[]>();
  for (const text of written) {
    const [, name, list = ''] = /^(?:([^=]*)=)?(.*)$/s.exec(text) ?? [];
    if (name === undefined) ofAll.push(...list.split(','));
    else ofOne.set(name, [...(ofOne.get(name) ?? []), ...list.split(',')]);
  }
  const unknown = [...ofOne.keys()].find((name) => !wanted.some((image) => image.name === name));
  if (unknown !== undefined || (ofAll.length > 0 && wanted.length === 0)) {
    const what = unknown === undefined ? 'no image is' : `${unknown} is not`;
    throw new BundleError('USAGE', `--platforms is about images, and ${what} asked for`, {
      hint: 'It is for images of --image and additionalImages, written as they are there.',
    });
  }
  return ({ name, platforms = [] }) =>
    ofOne.get(name) ?? (platforms.length > 0 ? platforms : ofAll);
}
