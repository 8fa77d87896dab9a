import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { counted } from '../core/text.ts';
import { repositoryAt } from '../kinds/destinations.ts';
import type { TagState } from '../transfer/tags.ts';
import type { Places } from './places.ts';

/**
 * Refuses lists of which only some images are carried where the registry does not keep such lists:
 * before the first upload, since the list comes last. It is asked with a tiny list for each type. A
 * list that is there already was taken.
 * @throws BundleError REGISTRY, NETWORK
 */
export async function refuseSparseLists(
  tags: readonly TagState[],
  { destinations, network }: Places,
  { signal }: Context,
): Promise<void> {
  if (destinations === undefined || network === undefined) return;
  const sparse = tags.filter(
    ({ image, current }) => image.isSparse === true && current !== image.descriptor.digest,
  );
  for (const type of new Set(sparse.map(({ image }) => image.descriptor.mediaType))) {
    const { image } = sparse.find((one) => one.image.descriptor.mediaType === type)!;
    const probe = network.probe(repositoryAt(destinations, image.place));
    const refusal = await probe.sparse(type, signal);
    if (refusal === undefined) continue;
    const images = new Set(sparse.map((one) => one.image.name));
    const what =
      images.size === 1
        ? image.name
        : `${image.name} and ${counted(images.size - 1, 'other image')}`;
    throw new BundleError(
      'REGISTRY',
      `${probe.name} takes no list of which some images are absent, as of ${what}`,
      {
        cause: refusal,
        expected: 'a registry that keeps a list without all of its images',
        got: refusal.message,
        subject: image.name,
        hint:
          'Nothing was uploaded. Pack the images again with all platforms: without --platforms, or ' +
          'without platforms in the file. Or let the registry take such lists: that of Distribution ' +
          'from version 3 on has the setting validation.manifests.indexes.platforms: none. An image ' +
          'layout takes them, too: --to oci:DIR.',
      },
    );
  }
}
