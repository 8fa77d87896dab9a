import { requiredText } from '../arguments.ts';
import type { Command } from '../command.ts';
import {
  programChoice,
  programOptions,
  releasePositional,
  releaseSource,
  sourceOfReleaseOptions,
} from '../options/extraction.ts';
import { one } from '../options/table.ts';

export const extractToolsCommand: Command = {
  examples: [
    ['$0 extract-tools /media/usb -o /srv/tools', 'all programs of the release in a bundle'],
    [
      '$0 extract-tools /media/usb --os linux,windows --arch x86_64 -o /srv/tools',
      'only those for some systems',
    ],
    [
      '$0 extract-tools registry.example.com:5000/ocp4/openshift/release-images:4.17.3-x86_64 ' +
        '--idms-file idms.yaml -o /srv/tools',
      'out of a registry; the installer then asks that registry for the release',
    ],
  ],
  positionals: releasePositional,
  options: {
    out: one('folder for the archives, made if it is not there', {
      alias: 'o',
      demandOption: true,
    }),
    ...programOptions,
    ...sourceOfReleaseOptions,
  },
  async run(args, context) {
    const request = { ...programChoice(args), folder: requiredText(args, 'out') };
    const source = await releaseSource(args);
    const { extractToolsOf } = await import('../../workflows/extract.ts');
    const { extractToolsReport } = await import('../present/extract/report.ts');
    return extractToolsReport(await extractToolsOf(source, request, context));
  },
};
