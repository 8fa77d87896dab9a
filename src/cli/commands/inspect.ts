import { flag } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, pipedPositional, trustOptions } from '../options/bundle.ts';
import { inspectReport } from '../present/bundle-report.ts';

export const inspectCommand: Command = {
  usage: 'inspect <PATH..>',
  summary: 'say what a bundle holds: parts, images, sizes, signer',
  examples: [
    ['$0 inspect /media/usb', 'release, signer and the largest images'],
    ['$0 inspect /media/usb --images', 'every image with its digest'],
    ['$0 inspect /media/usb --output json', 'the same for a program'],
  ],
  positionals: pipedPositional,
  options: { images: { type: 'boolean', describe: 'list every image' }, ...trustOptions },
  async run(args, context, io) {
    const { inspect } = await import('../../workflows/inspect.ts');
    return inspectReport(await inspect(await openRequest(args, io), context), flag(args, 'images'));
  },
};
