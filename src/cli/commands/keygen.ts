import { basename } from 'node:path';

import { flag, requiredText, text } from '../arguments.ts';
import { BundleError } from '../../core/errors.ts';
import { pathWord } from '../../core/text.ts';
import type { Command } from '../command.ts';
import { askPassphrase } from '../passphrase.ts';
import { KEY_TYPES } from '../../trust/key-types.ts';

export const keygenCommand: Command = {
  examples: [
    ['$0 keygen', 'your own key, in ~/.config/bundle'],
    [
      '$0 keygen --out release-team.pem --type ed25519 --encrypt',
      'another key, protected by a passphrase',
    ],
  ],
  positionals: {},
  options: {
    out: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      describe: 'file for the private key; the public key goes beside it, as .pub',
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
      describe: 'protect the key with a passphrase: $BUNDLE_KEY_PASSPHRASE, else the program asks',
    },
  },
  async run(args, context, io) {
    const { keygen } = await import('../../workflows/keys.ts');
    const type = KEY_TYPES.find((known) => known === requiredText(args, 'type'));
    const passphrase = flag(args, 'encrypt') ? await askPassphrase(io, { twice: true }) : undefined;
    if (flag(args, 'encrypt') && passphrase === undefined) {
      throw new BundleError('USAGE', '--encrypt needs a passphrase', {
        hint: 'Set BUNDLE_KEY_PASSPHRASE, or run the command in a terminal, where it asks.',
      });
    }
    const key = await keygen(
      { type: type ?? 'ecdsa-p256', output: text(args, 'out'), passphrase },
      context,
    );
    // The other side may keep the file in any folder.
    const publicKey = pathWord(basename(key.publicPath ?? 'KEY.pub'));
    return {
      json: key,
      report: () => [
        [{ verdict: `Made the key ${key.privatePath ?? ''}`, mood: 'good' }],
        [
          {
            text:
              'Give the public key to the other side out of band, not on the medium. If the key is ' +
              'to sign bundles, the closed side runs:',
          },
          { commands: [`bundle trust add ${publicKey}`] },
          {
            text:
              'If a site signs receipts with it, the packers name it in each run. (After bundle ' +
              'trust add they would need no option, but accept bundles signed with it, too.)',
          },
          { commands: [`bundle history import RECEIPT --trusted-key ${publicKey}`] },
        ],
        [
          {
            facts: [
              ['public key', key.publicPath],
              ['key id', { hex: key.id }],
              ['', key.algorithm],
            ],
          },
        ],
      ],
    };
  },
};
