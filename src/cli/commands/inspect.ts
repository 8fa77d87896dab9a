import { flag } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, pipedPositional, trustOptions } from '../options/bundle.ts';

export const inspectCommand: Command = {
  usage: 'inspect <PATH..>',
  summary: 'show what a bundle holds: releases, images, sizes, signer',
  examples: [
    ['$0 inspect /media/usb', 'releases, signer and the largest images'],
    ['$0 inspect /media/usb --images', 'every image with its digest'],
    ['$0 inspect /media/usb --output json', 'the same as JSON'],
  ],
  positionals: pipedPositional,
  options: { images: { type: 'boolean', describe: 'list every image' }, ...trustOptions },
  async run(args, context, io) {
    const { inspect } = await import('../../workflows/inspect.ts');
    const { inspectReport } = await import('../present/bundle-report.ts');
    return inspectReport(await inspect(await openRequest(args, io), context), flag(args, 'images'));
  },
};
