import { BundleError } from '../../../core/errors.ts';
import { shellWord } from '../../../core/text.ts';
import type { ImageSetDraft } from '../../../image-sets/write.ts';
import { flag, text, texts } from '../../arguments.ts';
import { ask, canAsk } from '../../ask.ts';
import type { Arguments, Command } from '../../command.ts';
import type { Io } from '../../io.ts';
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
  usage: 'init [FILE]',
  summary: 'write a new file for oc-mirror v2: the program asks, or options say what it shall hold',
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
    const { makeImageSet, requireNoFile } = await import('../../../workflows/image-set.ts');
    const { askedFor } = await import('../../present/image-set/summary.ts');
    const file = text(args, 'FILE') ?? USUAL_FILE;
    await requireNoFile(file);
    const given = Object.keys(draftOptions).some((name) => args[name] !== undefined);
    const draft = given ? givenDraft(args) : await askedDraft(io);
    const { set } = await makeImageSet(file, draft);
    return {
      json: { file, asked: set },
      report: () => [
        [{ verdict: `Written: ${file}`, mood: 'good' }],
        [{ facts: askedFor(set!) }],
        [{ text: 'Check it again after each change:' }],
        [{ commands: [`bundle imageset check ${shellWord(file)}`] }],
      ],
    };
  },
};

/** @throws BundleError USAGE for options that have no meaning without another. */
function givenDraft(args: Arguments): ImageSetDraft {
  const needs = (option: string, other: string): void => {
    if (args[option] === undefined || args[other] !== undefined) return;
    throw new BundleError('USAGE', `--${option} has a meaning only with --${other}`, {
      hint: `Give --${other}, or leave --${option} out.`,
    });
  };
  for (const option of ['min-version', 'max-version', 'shortest-path']) needs(option, 'channel');
  needs('package', 'catalog');
  if (args['channel'] === undefined && args['graph'] === undefined) needs('arch', 'channel');
  return {
    channel: text(args, 'channel'),
    minVersion: text(args, 'min-version'),
    maxVersion: text(args, 'max-version'),
    shortestPath: flag(args, 'shortest-path'),
    architectures: texts(args, 'arch').flatMap((list) => list.split(',')),
    graph: flag(args, 'graph'),
    catalog: text(args, 'catalog'),
    packages: texts(args, 'package'),
    images: texts(args, 'image'),
  };
}

/** @throws BundleError USAGE where nobody can be asked, or nothing is asked for. */
async function askedDraft(io: Io): Promise<ImageSetDraft> {
  if (!canAsk(io)) {
    throw new BundleError('USAGE', 'nobody can be asked: stdin or stderr is no terminal', {
      hint: 'Say with --channel, --graph, --catalog or --image what the file shall hold.',
    });
  }
  const line = async (prompt: string): Promise<string | undefined> => {
    const answer = (await ask(io, prompt)).trim();
    return answer === '' ? undefined : answer;
  };
  const words = async (prompt: string): Promise<readonly string[]> =>
    (await line(prompt))?.split(/[\s,]+/).filter((word) => word !== '') ?? [];
  const channel = await line('Channel of releases, such as stable-4.17 (empty: none): ');
  const hasReleases = channel !== undefined;
  const minVersion = hasReleases
    ? await line('Oldest release (empty: the newest of the channel alone): ')
    : undefined;
  const isRange = minVersion !== undefined;
  const maxVersion = isRange
    ? await line('Newest release (empty: the newest of the channel): ')
    : undefined;
  const isYes = async (prompt: string): Promise<boolean> => /^y/i.test((await line(prompt)) ?? '');
  const shortestPath = isRange && (await isYes('Only the releases that an update passes? [y/N] '));
  const architectures = hasReleases
    ? await words('Architectures, such as amd64 arm64 (empty: amd64): ')
    : [];
  const graph = await isYes('The update graph, for an update service? [y/N] ');
  const index = 'registry.redhat.io/redhat/redhat-operator-index:v4.17';
  const catalog = await line(`Operator catalog, such as ${index} (empty: none): `);
  const packages =
    catalog === undefined ? [] : await words('Operators of it, such as a b c (empty: all): ');
  const images = await words('More images, by tag or digest (empty: none): ');
  if (!hasReleases && !graph && catalog === undefined && images.length === 0)
    throw new BundleError('USAGE', 'the file would ask for nothing', {
      hint: 'Nothing was written. Answer at least one question.',
    });
  return {
    ...{ channel, minVersion, maxVersion, shortestPath, architectures },
    ...{ graph, catalog, packages, images },
  };
}
