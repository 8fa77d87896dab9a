import { BundleError } from '../core/errors.ts';
import type { KeySource } from '../packing/signing-key.ts';
import { text } from './arguments.ts';
import { askHidden, canAsk } from './ask.ts';
import type { Arguments } from './command.ts';
import type { Io } from './io.ts';

const VARIABLE = 'BUNDLE_KEY';

/**
 * Which key signs: that of `--key` (or of another option), else of `$BUNDLE_KEY`, else the user's
 * own. An empty variable is an unset one.
 */
export function keySource(args: Arguments, io: Io, option = 'key'): KeySource {
  const typed = text(args, option);
  const set = io.environment.env[VARIABLE];
  const isSet = typed === undefined && set !== undefined && set !== '';
  return {
    keyFile: isSet ? set : typed,
    variable: isSet ? VARIABLE : undefined,
    passphrase: () => askPassphrase(io),
  };
}

/**
 * The passphrase of a key: `$BUNDLE_KEY_PASSPHRASE`, else asked for in a terminal without showing
 * it. An empty variable is an unset one.
 * @param options `twice` is for a key that is made.
 * @returns `undefined` where there is neither.
 */
export async function askPassphrase(io: Io, { twice = false } = {}): Promise<string | undefined> {
  const given = io.environment.env['BUNDLE_KEY_PASSPHRASE'];
  if (given) return given;
  if (!canAsk(io)) return undefined;
  const passphrase = await askHidden(io, 'passphrase of the key: ', 'passphrase');
  if (twice && passphrase !== (await askHidden(io, 'the same again: ', 'passphrase')))
    throw new BundleError('USAGE', 'the two passphrases differ', {
      hint: 'No key was made. Run the command again.',
    });
  if (twice && passphrase === '') {
    throw new BundleError('USAGE', 'the passphrase is empty, and would protect nothing', {
      hint: 'Choose one, or leave --encrypt out.',
    });
  }
  return passphrase;
}
