import { asTyped, flag, requiredText, volumeSize } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, pathsPositional, trustOptions } from '../options/bundle.ts';
import { restartOption, volumeSizeOption } from '../options/media.ts';

export const repairCommand: Command = {
  examples: [
    [
      '$0 repair /media/usb ocp-4.17.3-x86_64.1a2b3c4d.patch.tar.zst -o /data',
      'with a patch that bundle pack --repair made',
    ],
    [
      '$0 repair /media/usb -o /data',
      'without a patch, if no manifest, config or layer is damaged',
    ],
  ],
  positionals: pathsPositional,
  options: {
    out: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'where to write: a folder, or a file name that ends with .tar.zst',
    },
    ...volumeSizeOption,
    ...restartOption,
    ...trustOptions,
  },
  async run(args, context) {
    const { repair } = await import('../../workflows/repair.ts');
    const { repairReport } = await import('../present/repair-report.ts');
    const request = {
      bundle: await openRequest(args),
      output: requiredText(args, 'out'),
      volumeSize: volumeSize(args, 'volume-size'),
      restart: flag(args, 'restart'),
    };
    return repairReport(await repair(request, context), asTyped(args, Object.keys(trustOptions)));
  },
};
