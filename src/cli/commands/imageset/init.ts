import { pathWord } from '../../../core/text.ts';
import { text } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { many, one, type OptionTable, yes } from '../../options/table.ts';

const USUAL_FILE = 'imageset.yaml';

const draftOptions: OptionTable = {
  channel: one('channel of releases, such as stable-4.17'),
  'min-version': one('oldest release of it (default: the newest of the channel alone)'),
  'max-version': one('newest release of it'),
  'shortest-path': yes('only the releases that an update from the oldest to the newest passes'),
  arch: many('architecture: amd64, arm64, ppc64le, s390x or multi (repeatable)'),
  graph: yes('the update graph, too'),
  catalog: one('operator catalog, such as registry.redhat.io/redhat/redhat-operator-index:v4.17'),
  package: many('operator of the catalog (repeatable; default: all)'),
  image: many('image by tag or digest (repeatable)'),
};

export const imagesetInitCommand: Command = {
  examples: [
    ['$0 imageset init', 'asks, and writes imageset.yaml'],
    [
      '$0 imageset init --channel stable-4.17 --min-version 4.16.20 --shortest-path --graph',
      'asks nothing',
    ],
  ],
  positionals: { FILE: { type: 'string', describe: `new file (default ${USUAL_FILE})` } },
  options: draftOptions,
  async run(args, _context, io) {
    const { makeImageSet, requireNoFile } = await import('../../../workflows/image-set/file.ts');
    const { askedFor } = await import('../../present/image-set/summary.ts');
    const file = text(args, 'FILE') ?? USUAL_FILE;
    await requireNoFile(file);
    const { askedDraft, givenDraft } = await import('../../image-set-draft.ts');
    const given = Object.keys(draftOptions).some((name) => args[name] !== undefined);
    const draft = given ? givenDraft(args) : await askedDraft(io);
    const { set } = await makeImageSet(file, draft);
    return {
      json: { file, asked: set },
      report: () => [
        [{ verdict: `Written: ${file}`, mood: 'good' }],
        [{ facts: askedFor(set!) }],
        [{ text: 'Check it again after each change:' }],
        [{ commands: [`bundle imageset check ${pathWord(file)}`] }],
        [{ text: 'Pack what it asks for:' }],
        [{ commands: [`bundle pack --config ${pathWord(file)} -o FOLDER`] }],
      ],
    };
  },
};
