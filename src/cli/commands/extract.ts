import { BundleError } from '../../core/errors.ts';
import { requiredText, text } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import type { Io } from '../io.ts';
import { releasePositional, releaseSource, sourceOfReleaseOptions } from '../options/extraction.ts';
import { one } from '../options/table.ts';
import { PIPE } from '../pipes.ts';

export const extractCommand: Command = {
  examples: [
    ['$0 extract /media/usb --file release-metadata', 'to stdout; the report goes to stderr'],
    ['$0 extract /media/usb --file image-references -o images.json', 'into a file'],
  ],
  positionals: releasePositional,
  options: {
    file: one('name of a file in release-manifests/ of the release image', { demandOption: true }),
    out: one('file to write (default stdout)', { alias: 'o' }),
    ...sourceOfReleaseOptions,
  },
  takesStdout: (args) => pathOf(args) === undefined,
  async run(args, context, io) {
    const request = { name: requiredText(args, 'file'), path: pathOf(args) };
    const source = await releaseSource(args);
    const { extractFileOf } = await import('../../workflows/extract.ts');
    const { extractFileReport } = await import('../present/extract/report.ts');
    const report = await extractFileOf(source, request, context);
    if (request.path !== undefined) return extractFileReport(report);
    checkShowable(report.bytes, io);
    return { ...extractFileReport(report), content: report.bytes };
  },
};

function pathOf(args: Arguments): string | undefined {
  const path = text(args, 'out');
  return path === PIPE ? undefined : path;
}

/** Characters that a terminal may act on: all controls but tab and line feed. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** @throws BundleError USAGE for what is not for a terminal, where it would go to one. */
function checkShowable(bytes: Uint8Array, { stdout }: Io): void {
  if (stdout.isTTY && CONTROLS.test(Buffer.from(bytes).toString('utf8'))) {
    throw new BundleError('USAGE', 'the file has characters that a terminal would act on', {
      hint: 'Write it into a file with -o FILE.',
    });
  }
}
