import { SealedBundle } from '../../bundle/reading/sealed.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { counted } from '../../core/text.ts';
import type { SigningKey } from '../../trust/keys.ts';
import { type BegunFile, checkedSeal } from './begun.ts';
import { lackingIn, type PartKey } from './begun-content.ts';
import { TO_HAVE_BOTH } from './other-content.ts';
import { shownName, wayOutOf } from './restart-folder.ts';

/**
 * Makes sure, as far as heads of files tell, that no other bundle has the name of one that is about
 * to be planned: it could not be written. What cannot be read is judged when it is continued.
 * @throws BundleError USAGE
 */
export async function refuseOtherParts(
  begun: readonly BegunFile[],
  parts: readonly PartKey[],
  key: SigningKey,
): Promise<void> {
  for (const file of begun) {
    const other = await whyOther(file, parts, key);
    if (other === undefined) continue;
    const what = file.isFinished ? 'a finished bundle' : 'an unfinished bundle';
    const name = shownName(file.path);
    throw new BundleError(
      'USAGE',
      `${name} exists already, and is ${what} with other content: ${other}`,
      { hint: `${TO_HAVE_BOTH}${wayOutOf(file.path)}` },
    );
  }
}

/** How a bundle differs from what is asked for; `undefined` where it may be the same. */
async function whyOther(
  { path }: BegunFile,
  parts: readonly PartKey[],
  key: SigningKey,
): Promise<string | undefined> {
  try {
    return await SealedBundle.peek([path], async ([head]) => {
      checkedSeal(head!, shownName(path), key.public);
      const { parts: held, repairs } = (await head!.unseal()).manifest;
      if (repairs !== undefined) return 'it is a patch';
      const [first] = lackingIn(held, parts);
      if (first !== undefined) return `it lacks the ${first.kind} ${first.digest}`;
      const more = held.length - parts.length;
      return more > 0 ? `it has ${counted(more, 'part')} more than what is asked for` : undefined;
    });
  } catch (error) {
    if (hasCode(error, 'USAGE') || !(error instanceof BundleError)) throw error;
    return undefined;
  }
}
