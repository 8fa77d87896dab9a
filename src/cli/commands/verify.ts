import { pathWord } from '../../core/text.ts';
import { asTyped, text, texts } from '../arguments.ts';
import type { Command } from '../command.ts';
import { asUnpackTakes, atOptions, atRequest } from '../options/at.ts';
import { openRequest, PACKING_OPTIONS, pipedPositional, trustOptions } from '../options/bundle.ts';

export const verifyCommand: Command = {
  examples: [
    ['$0 verify /media/usb', 'the bundle in a folder'],
    ['$0 verify /media/disc1 /media/disc2', 'a bundle in volumes, on two media'],
    [
      '$0 verify /media/usb --damage damage.json',
      'write what is damaged to a file, to make a patch',
    ],
    [
      '$0 verify ocp-4.17.3-x86_64.tar.zst --trusted-key packer.pub --expect 4.17.3',
      'trust this signer for this run, and demand this version',
    ],
    [
      '$0 verify /media/usb --at registry.example.com:5000/ocp4',
      'what the registry lacks of the bundle that was unpacked there',
    ],
  ],
  positionals: pipedPositional,
  options: {
    damage: {
      type: 'string',
      requiresArg: true,
      group: 'Damage:',
      describe: 'write what is damaged or missing to this file, for bundle pack --repair',
    },
    ...trustOptions,
    ...atOptions,
  },
  async run(args, context, io) {
    const at = atRequest(args);
    if (at !== undefined) {
      const { verifyAt } = await import('../../workflows/verify-at.ts');
      const { verifyAtReport } = await import('../present/comparison-report.ts');
      const found = await verifyAt({ ...at, bundle: await openRequest(args) }, context);
      return verifyAtReport(found, [...texts(args, 'PATH').map(pathWord), ...asUnpackTakes(args)]);
    }
    const { verify } = await import('../../workflows/verify.ts');
    const { verifyReport } = await import('../present/bundle-report.ts');
    const request = await openRequest(args, io);
    const paths = request.input === undefined ? texts(args, 'PATH').map(pathWord) : [];
    const again = paths.length === 0 ? [] : [...paths, ...asTyped(args, Object.keys(trustOptions))];
    const verified = await verify({ ...request, damageFile: text(args, 'damage') }, context);
    return verifyReport(verified, again, asTyped(args, PACKING_OPTIONS));
  },
};
