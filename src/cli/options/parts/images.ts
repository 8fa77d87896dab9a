import { type PartRequest, partRequest } from '../../../kinds/kind.ts';
import { texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { many, type OptionTable } from '../table.ts';

/** Images that are no part of a release. */
export const imageOptions: OptionTable = {
  image: many(
    'one image more, by tag or digest; =PATH[:TAG] behind it says where it goes (repeatable)',
  ),
};

/** The images that a command line asks for. @throws BundleError USAGE */
export async function imageParts(args: Arguments): Promise<readonly PartRequest[]> {
  const names = texts(args, 'image');
  if (names.length === 0) return [];
  // Imported here and not at the start: a kind needs libraries that take time to load.
  const { imageKind } = await import('../../../kinds/image/image.ts');
  const { imageRequest } = await import('../../../kinds/image/request.ts');
  return names.map((text) => {
    const [, name = '', path, tag] = /^([^=]*)(?:=([^:]*)(?::(.*))?)?$/s.exec(text) ?? [];
    return partRequest(imageKind, imageRequest(name, { path, tag }));
  });
}
