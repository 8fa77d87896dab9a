import { hexOf } from '../../core/digest.ts';
import { digest, texts } from '../arguments.ts';
import type { Command } from '../command.ts';
import { pathsPositional, trustOptions } from '../options/bundle.ts';
import { keySource } from '../passphrase.ts';
import { shortened } from '../present/shown.ts';

export const signCommand: Command = {
  examples: [
    [
      '$0 verify /media/usb && $0 sign /media/usb --key reviewer.pem',
      'a second person signs what they have verified',
    ],
    [
      '$0 verify /media/usb --signatures 2',
      'accept the bundle only if two trusted signers signed it',
    ],
  ],
  positionals: pathsPositional,
  options: {
    key: {
      type: 'string',
      requiresArg: true,
      describe: 'PEM key to sign with (default $BUNDLE_KEY, else your own)',
    },
    'trusted-key': trustOptions['trusted-key']!,
    'bundle-digest': trustOptions['bundle-digest']!,
  },
  async run(args, context, io) {
    const { sign } = await import('../../workflows/sign.ts');
    const { path, signaturePath, bundleDigest, signer } = await sign(
      {
        paths: texts(args, 'PATH'),
        key: keySource(args, io),
        trustedKeyFiles: texts(args, 'trusted-key'),
        expectedDigest: digest(args, 'bundle-digest'),
      },
      context,
    );
    return {
      json: {
        path,
        signaturePath,
        bundleDigest: hexOf(bundleDigest),
        signer: { id: signer.id, algorithm: signer.algorithm },
      },
      report: (screen) => [
        [{ verdict: `Signed ${path}`, mood: 'good' }],
        [
          {
            text:
              'Carry the signature beside the bundle. It counts where the key of this signer is ' +
              'trusted:',
          },
          { commands: ['bundle trust add KEY.pub'] },
        ],
        [
          {
            facts: [
              ['bundle digest', { hex: hexOf(bundleDigest) }],
              ['signature', signaturePath],
              ['signer', `${shortened(signer.id, screen)} (${signer.algorithm})`],
            ],
          },
        ],
      ],
    };
  },
};
