import { BundleError } from '../../core/errors.ts';
import type { Part, PartResources } from '../../kinds/kind.ts';

/**
 * Refuses two catalogs whose objects would have one name: the later would replace the earlier, in
 * the folder and in the cluster. @throws BundleError USAGE naming both
 */
export function refuseSharedNames(parts: readonly Part[], ofParts: readonly PartResources[]): void {
  const owners = new Map<string, Part>();
  parts.forEach((part, index) => {
    const ofOlm = ofParts[index]!.files.filter(({ audience }) => audience === 'olm');
    const names = ofOlm.flatMap(({ name: file, objects }) => [
      ...objects.map(({ kind, metadata: { name } }) => `the object ${kind} ${name}`),
      `the file ${file}`,
    ]);
    for (const name of names) {
      const other = owners.get(name);
      if (other !== undefined) throw shared(name, other, part);
      owners.set(name, part);
    }
  });
}

function shared(name: string, first: Part, second: Part): BundleError {
  return new BundleError(
    'USAGE',
    `the ${first.label} and the ${second.label} would both have ${name}`,
    {
      subject: name,
      hint:
        'Give one of them another name: --catalog-name CATALOG=NAME. CATALOG is its reference, or ' +
        'its path and tag at the target where both have one reference.',
    },
  );
}
