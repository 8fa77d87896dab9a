import { flag } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, pipedPositional, trustOptions } from '../options/bundle.ts';

export const inspectCommand: Command = {
  examples: [
    ['$0 inspect /media/usb', 'releases, signer and the largest images'],
    ['$0 inspect /media/usb --images', 'every image with its digest'],
    ['$0 inspect /media/usb --output json', 'the same as JSON'],
    [
      '$0 inspect /srv/patch/ocp-4.17.3-x86_64.0a1b2c3d.patch.tar.zst',
      'the digest of a patch, its signer, and which bundle it is for',
    ],
  ],
  positionals: pipedPositional,
  options: { images: { type: 'boolean', describe: 'list every image' }, ...trustOptions },
  async run(args, context, io) {
    const { inspect, inspectPatch } = await import('../../workflows/inspect.ts');
    const request = await openRequest(args, io);
    const patch = await inspectPatch(request, context);
    if (patch !== undefined) {
      const { patchReport } = await import('../present/patch-report.ts');
      return patchReport(patch, request);
    }
    const { inspectReport } = await import('../present/bundle-report.ts');
    return inspectReport(await inspect(request, context), flag(args, 'images'));
  },
};
