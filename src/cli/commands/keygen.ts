import { flag, requiredText, text } from '../arguments.ts';
import { BundleError } from '../../core/errors.ts';
import type { Command } from '../command.ts';
import { askPassphrase } from '../passphrase.ts';
import { KEY_TYPES } from '../../trust/keys.ts';

export const keygenCommand: Command = {
  usage: 'keygen',
  summary: 'make a key to sign bundles with',
  examples: [
    ['$0 keygen', 'your own key, in ~/.config/bundle'],
    [
      '$0 keygen --out release-team.pem --type ed25519 --encrypt',
      'a key of its own, with a passphrase',
    ],
  ],
  positionals: {},
  options: {
    out: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      describe: 'file for the private key; the public one goes beside it',
    },
    type: {
      type: 'string',
      requiresArg: true,
      choices: KEY_TYPES,
      default: 'ecdsa-p256',
      describe: 'kind of key',
    },
    encrypt: {
      type: 'boolean',
      describe: 'protect it with a passphrase ($BUNDLE_KEY_PASSPHRASE, else asked for)',
    },
  },
  async run(args, context, io) {
    const { keygen } = await import('../../workflows/keys.ts');
    const type = KEY_TYPES.find((known) => known === requiredText(args, 'type'));
    const passphrase = flag(args, 'encrypt') ? await askPassphrase(io, { twice: true }) : undefined;
    if (flag(args, 'encrypt') && passphrase === undefined) {
      throw new BundleError('USAGE', 'there is no passphrase to encrypt the key with', {
        hint: 'Set BUNDLE_KEY_PASSPHRASE, or run it in a terminal.',
      });
    }
    const key = await keygen(
      { type: type ?? 'ecdsa-p256', output: text(args, 'out'), passphrase },
      context,
    );
    return {
      json: key,
      text: [
        `private key  ${key.privatePath ?? ''}`,
        `public key   ${key.publicPath ?? ''}`,
        `key id       ${key.id} (${key.algorithm})`,
        '',
        'Give the public key to the closed side out of band, not on the medium; there:',
        `  bundle trust add ${key.publicPath ?? 'KEY.pub'}`,
      ].join('\n'),
    };
  },
};
