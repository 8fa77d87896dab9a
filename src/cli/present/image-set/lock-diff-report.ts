import { counted, few, formatBytes, pathWord } from '../../../core/text.ts';
import type { Change, Changes, OperatorChange } from '../../../packing/lock/compare.ts';
import type { ComparedLocks } from '../../../workflows/image-set/compare-locks.ts';
import type { Outcome } from '../../command.ts';
import type { Report, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { listed, shortened } from '../shown.ts';

/** What the next bundle brings: a row for each thing that is another one. */
export function lockDiffReport(compared: ComparedLocks): Outcome {
  const { before, after, comparison } = compared;
  const { settings, releases, graph, catalogs, charts, images } = comparison;
  const { newImages, goneImages, contents, attached, bytes } = comparison;
  return {
    report: (screen): Report => {
      const rows = rowsOf(compared, screen);
      return [
        [verdictOf(compared, rows.length)],
        rows.length === 0 ? [] : [{ table: { rows, wraps: true } }],
        ...(screen.isVerbose ? imageLists(compared, screen) : []),
        ...deadEndsOf(compared),
        sizesOf(compared),
        [{ text: `To pack what ${after} names:` }],
        [{ commands: [`bundle pack --locked ${pathWord(after)} -o FOLDER`] }],
      ];
    },
    json: {
      ...{ before, after, settings, releases, graph, catalogs, charts, images },
      ...{ newImages, goneImages, contents, attached, bytes },
    },
  };
}

function verdictOf({ before, after, comparison }: ComparedLocks, rows: number): Section[number] {
  const { contents, bytes, attached, settings } = comparison;
  const moved = bytes.added + bytes.removed + attached.added + attached.removed;
  const others = rows - settings.length;
  if (others + moved === 0 && settings.length > 0) {
    const what = listed(settings.map(({ name }) => name));
    const verb = settings.length === 1 ? 'is' : 'are';
    return {
      verdict: `${after} carries the same as ${before}, but its ${what} ${verb} changed`,
      mood: 'good',
    };
  }
  if (rows + moved === 0)
    return { verdict: `${after} carries the same as ${before}`, mood: 'good' };
  const images = counted(contents.added, 'new image');
  const gone = `${contents.removed} ${contents.removed === 1 ? 'is' : 'are'} gone`;
  const verdict = `${after} brings ${images}, ${formatBytes(bytes.added)} to fetch; ${gone}`;
  return { verdict, mood: 'good' };
}

/** What has changed: of what sort it is, its name, and how. */
function rowsOf({ comparison }: ComparedLocks, screen: Screen): readonly (readonly string[])[] {
  const { settings, releases, graph, catalogs, charts, images, sizes } = comparison;
  const sized = (label: string): string => {
    const bytes = sizes.get(label);
    return bytes === undefined ? 'new' : `new, ${formatBytes(bytes)} in all`;
  };
  const all = (
    sort: string,
    { added, removed, changed }: Changes,
    labelOf: (name: string) => string,
    how: (change: Change) => string = ({ was, is }) =>
      `${shortened(was, screen)} to ${shortened(is, screen)}`,
  ): readonly (readonly string[])[] => [
    ...added.map((name) => [sort, shortened(name, screen), sized(labelOf(name))]),
    ...removed.map((name) => [sort, shortened(name, screen), 'gone']),
    ...changed.map((change) => [sort, shortened(change.name, screen), how(change)]),
  ];
  return [
    ...settings.map(({ name, was, is }) => [
      'bundle',
      name,
      `${was === '' ? 'none' : was} to ${is === '' ? 'none' : is}`,
    ]),
    ...all('release', releases, (name) => name),
    ...all('graph', graph, (name) => name),
    ...catalogs.flatMap(({ reference, before, isGone, from, moved, operators }) => {
      const lines = [
        isGone ? 'gone' : before === undefined ? sized(`catalog ${reference}`) : '',
        before === undefined || before === reference ? '' : `was ${shortened(before, screen)}`,
        from === undefined ? '' : `${shortened(from.was, screen)} to ${shortened(from.is, screen)}`,
      ];
      const change = lines.filter((line) => line !== '').join('\n');
      const others = operators.length > 0 ? 'other operators' : 'other images under the same tags';
      return [
        ['catalog', shortened(reference, screen), change || others],
        ...operators.map((own) => ['operator', own.name, operatorText(own, screen)]),
        ...moved.map(({ name, was, is }) => [
          'operator image',
          shortened(name, screen),
          `${shortened(was, screen)} to ${shortened(is, screen)}`,
        ]),
      ];
    }),
    ...all('chart', charts, (name) => `chart ${name}`, chartText),
    ...all('image', images, (name) => `image ${name}`),
  ];
}

function operatorText(own: OperatorChange, { isVerbose }: Screen): string {
  const list = (words: readonly string[]): string => (isVerbose ? words : few(words)).join(', ');
  const { state, added, removed, rebuilt, heads, defaultChannel } = own;
  return [
    state === 'new' ? `new: ${list(added)}` : '',
    state === 'gone' ? `gone: ${list(removed)}` : '',
    state === 'changed' && added.length > 0 ? `new ${list(added)}` : '',
    state === 'changed' && removed.length > 0 ? `gone ${list(removed)}` : '',
    rebuilt.length > 0 ? `another image: ${list(rebuilt)}` : '',
    ...heads.map(({ name, was, is }) => headText(name, was, is)),
    defaultChannel === undefined
      ? ''
      : `default channel ${defaultChannel.was} to ${defaultChannel.is}`,
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function headText(channel: string, was: string, is: string): string {
  if (was === '') return `new channel ${channel}: ${is}`;
  return is === '' ? `channel ${channel} is gone` : `head of ${channel} ${was} to ${is}`;
}

/** From where clusters would not be updated any more, and what would help. */
function deadEndsOf({ comparison: { catalogs } }: ComparedLocks): readonly Section[] {
  const rows = catalogs.flatMap(({ operators }) =>
    operators.flatMap(({ name, deadEnds = [] }) =>
      deadEnds.map(({ version, channels, minVersion }) => [
        ...[name, version, channels.join(', '), `minVersion: ${minVersion}`],
      ]),
    ),
  );
  if (rows.length === 0) return [];
  return [
    [
      {
        text:
          'WARNING: no update leads on from these versions. A cluster that has one installed stays ' +
          'there. The minimum keeps the way, as long as the catalog has that version:',
      },
      {
        table: { heads: ['operator', 'installed', 'channel', 'keeps the way'], rows, wraps: true },
      },
    ],
  ];
}

/** A chart under the same version: it was packaged again, or its images are other ones. */
function chartText({ was, is }: Change): string {
  const [old = '', ...before] = was.split(' ');
  const [now = '', ...after] = is.split(' ');
  const names = after.filter((one) => !before.includes(one)).map((one) => one.replace(/@.*$/, ''));
  return [
    old === now ? '' : 'packaged again',
    names.length > 0 ? `other images: ${few(names).join(', ')}` : '',
    old === now && names.length === 0 ? 'fewer images' : '',
  ]
    .filter((line) => line !== '')
    .join('\n');
}

/** Every image that only one of the two has: of releases and operators as well. */
function imageLists(
  { comparison: { newImages, goneImages } }: ComparedLocks,
  screen: Screen,
): readonly Section[] {
  return [
    { title: 'New images:', images: newImages },
    { title: 'Images that are gone:', images: goneImages },
  ].flatMap(({ title, images }) =>
    images.length === 0
      ? []
      : [
          [{ text: title }],
          [
            {
              table: {
                rows: images.map(({ name, digest }) => [
                  shortened(name, screen),
                  shortened(digest, screen),
                ]),
                wraps: true,
              },
            },
          ],
        ],
  );
}

function sizesOf({ comparison }: ComparedLocks): Section {
  const { contents, attached, bytes } = comparison;
  const text = (images: number, signatures: number, size: number): string =>
    `${counted(images, 'image')}, ${counted(signatures, 'signature')}, ${formatBytes(size)}`;
  return [
    {
      facts: [
        ['before', text(contents.was, attached.was, bytes.was)],
        ['after', text(contents.is, attached.is, bytes.is)],
        ['new', text(contents.added, attached.added, bytes.added)],
        ['gone', text(contents.removed, attached.removed, bytes.removed)],
      ],
    },
    {
      text:
        'Bytes are those of manifests, configs and layers, each once. A row above has the size of ' +
        'the whole thing, with what it shares with others. The next bundle carries all ' +
        'of what stands after; unpack sends what its target does not hold. A lock does not know ' +
        'what that is.',
    },
  ];
}
