import { hexOf } from '../../core/digest.ts';
import { shellWord } from '../../core/text.ts';
import { flag, requiredText, volumeSize } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, pathsPositional, trustOptions } from '../options/bundle.ts';
import { restartOption, volumeSizeOption } from '../options/media.ts';
import { partsFacts, partsJson } from '../present/parts/part-facts.ts';
import type { Rows } from '../present/layout.ts';
import { labelsIn, partsText, size as sizeText } from '../present/shown.ts';
import { formatBytes } from '../units.ts';

export const repairCommand: Command = {
  usage: 'repair <PATH..>',
  summary: 'write a whole bundle from a damaged one and its patches',
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
    const request = {
      bundle: await openRequest(args),
      output: requiredText(args, 'out'),
      volumeSize: volumeSize(args, 'volume-size'),
      restart: flag(args, 'restart'),
    };
    const { path, volumes, size, bundleDigest, closure, faults } = await repair(request, context);
    const releaseKeys = request.bundle.releaseKeyFiles
      .map((file) => ` --release-key ${shellWord(file)}`)
      .join('');
    const files = volumes.map((volume) => ({
      path: volume.path,
      size: volume.size,
      digest: hexOf(volume.digest),
    }));
    return {
      json: {
        path,
        size,
        bundleDigest: hexOf(bundleDigest),
        volumes: files,
        parts: partsJson(closure),
        faults,
      },
      report: (screen) => [
        [
          {
            verdict:
              `Repaired ${partsText(labelsIn(closure))}: ${formatBytes(size)}, ` +
              'every config and layer hashed',
            mood: 'good',
          },
        ],
        [
          { text: 'Next, check it where it will be used, and unpack it there:' },
          {
            commands: [
              `bundle verify ${shellWord(files[0]?.path ?? path)}${releaseKeys}`,
              `bundle unpack ${shellWord(files[0]?.path ?? path)}${releaseKeys} --to REGISTRY`,
            ],
          },
        ],
        [
          {
            facts: [
              ...files.flatMap(({ path: file, size: bytes, digest }): Rows => [
                ['file', file],
                ['size', sizeText(bytes, screen)],
                ['sha256', screen.isVerbose ? { hex: digest } : undefined],
              ]),
              ...partsFacts(closure, screen),
              ['bundle digest', { hex: hexOf(bundleDigest) }],
              ['', 'that of the damaged bundle: the same to the byte'],
            ],
          },
        ],
      ],
    };
  },
};
