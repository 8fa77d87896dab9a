import { counted, formatBytes, leavesText, shellWord } from '../../core/text.ts';
import type { Difference, Flaw } from '../../delivering/compare.ts';
import { type Closure, labelsOf } from '../../kinds/closure.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { VerifyAtReport } from '../../workflows/verify-at.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { statusOf } from './failure.ts';
import { holesText, missingWords } from './parts/holes.ts';
import type { Block, Rows, Section } from './layout.ts';
import { partsFacts } from './parts/part-facts.ts';
import type { Screen } from './screen.ts';
import { labelsIn, listed, partsText, shortened, size, withShortDigests } from './shown.ts';

/** Images and differences that are listed without --verbose. */
const SHOWN = 10;
const SHOWN_CAUSES = 3;

const WORDS: Readonly<Record<Flaw, string>> = {
  absent: 'is not there',
  other: 'names another image',
  damaged: 'is damaged',
  unreadable: 'cannot be read',
};

/** @param again the bundle, and options, as words for a command line of `unpack`. */
export function verifyAtReport(found: VerifyAtReport, again: readonly string[]): Outcome {
  const { bundle, target, deep, compared, parts, failure } = found;
  const { tags, manifests, blobs, bytes, bytesRead, differences } = compared;
  return {
    report: (screen) => [
      [verdict(found)],
      presenceText(found),
      nextSteps(found, again),
      differencesText(found, screen),
      holesText(bundle.closure, screen),
      trustAdvice(bundle),
      [
        {
          facts: [
            ['target', target],
            ['compared', listed([counted(tags, 'tag'), counted(manifests, 'manifest')])],
            [
              '',
              `${leavesText(blobs)} (${size(bytes, screen)}), each in every repository that needs it`,
            ],
            ['how', deep ? 'every byte was read and hashed' : LENGTH_ALONE],
            ...bundleFacts(bundle, screen),
            ['not hashed', 'the layers in the bundle: verify without --at does that'],
            ...partsFacts(bundle.closure, screen),
          ],
        },
      ],
    ],
    json: {
      result: failure !== undefined ? 'differs' : isWhole(bundle.closure) ? 'good' : 'incomplete',
      target,
      deep,
      bundle: bundleJson(bundle),
      parts,
      ...{ tags, manifests, blobs, bytes, bytesRead },
      differences: differences.map(({ images, ...facts }) => ({
        ...facts,
        images: images.map((image) => ({
          name: image.name,
          digest: image.descriptor.digest,
          parts: labelsOf(image, bundle.closure),
        })),
      })),
    },
    ...(failure !== undefined
      ? { status: statusOf(failure) }
      : missingWords(bundle.closure) !== undefined && { status: PARTLY_DONE }),
  };
}

const LENGTH_ALONE = 'whether it is there, and how long it is; --deep reads every byte';

function isWhole(closure: Closure): boolean {
  return missingWords(closure) === undefined;
}

function verdict({ bundle, target, deep, compared, parts }: VerifyAtReport): Block {
  const labels = partsText(labelsIn(bundle.closure));
  const { differences, bytes } = compared;
  const missing = missingWords(bundle.closure);
  const lacks = missing === undefined ? '' : `; ${missing} in the bundle itself`;
  if (differences.length === 0) {
    const how = deep ? `every byte read (${formatBytes(bytes)})` : 'nothing is missing';
    if (missing !== undefined)
      return {
        verdict:
          `NOT COMPLETE: ${target} holds all that the bundle has of ${labels}, but ${missing} ` +
          'in the bundle itself',
        mood: 'warning',
      };
    return { verdict: `Good: ${target} holds ${labels}, ${how}`, mood: 'good' };
  }
  if (onlyRetagged(differences)) {
    const { length } = differences;
    const which = length === 1 ? '1 tag there names' : `${length} tags there name`;
    const has = isWhole(bundle.closure) ? 'every image' : 'all that the bundle has';
    return {
      verdict:
        `OTHER TAGS: ${target} holds ${has} of ${labels}, but ${which} ` +
        `${length === 1 ? 'another image' : 'other images'}${lacks}`,
      mood: 'warning',
    };
  }
  if (parts.every(({ presence }) => presence === 'absent')) {
    return { verdict: `NOT THERE: ${target} holds nothing of ${labels}${lacks}`, mood: 'bad' };
  }
  const lacking = parts.filter(({ presence }) => presence !== 'complete').map(({ label }) => label);
  const flaws = new Set(differences.map(({ flaw }) => flaw));
  if (flaws.size === 1 && flaws.has('damaged')) {
    return {
      verdict: `DAMAGED: ${target} holds ${partsText(lacking)}, but not undamaged${lacks}`,
      mood: 'bad',
    };
  }
  return {
    verdict: `NOT COMPLETE: ${target} does not hold all of ${partsText(lacking)}${lacks}`,
    mood: 'bad',
  };
}

/** Whether nothing is lacking, and tags have moved: a later bundle does that, and no loss. */
function onlyRetagged(differences: readonly Difference[]): boolean {
  return differences.length > 0 && differences.every(({ flaw }) => flaw === 'other');
}

/** How much of each part is there; the verdict says it of a single one that is. */
function presenceText({ parts, compared }: VerifyAtReport): Section {
  if (compared.differences.length === 0) return [];
  if (parts.every(({ presence }) => presence === 'absent')) return []; // the verdict names them all
  const rows = parts.map(({ label, presence, images, lacking, retagged }): Rows[number] => {
    const words = {
      complete: 'complete',
      absent: 'nothing of it is there',
      incomplete: `${lacking} of ${counted(images, 'image')} not whole`,
    };
    const tags = retagged === 0 ? '' : `; ${retaggedWords(retagged)}`;
    const mood = presence !== 'complete' ? 'bad' : retagged === 0 ? 'good' : 'warning';
    return [label, `${words[presence]}${tags}`, mood];
  });
  return [{ facts: rows }];
}

function retaggedWords(count: number): string {
  return count === 1 ? '1 tag names another image' : `${count} tags name other images`;
}

/** Nothing has to be pushed; and what has moved the tags is mostly right. */
const RETAGGED: Section = [
  {
    text:
      'No image is missing or damaged, so nothing has to be pushed. Each can be pulled by its ' +
      'digest. Only the tags below name other images than this bundle has given them.',
  },
  {
    text:
      'If a later bundle was unpacked here, it has set these tags, and they are right: do nothing. ' +
      'If not, find out who has set them. To set them back to the images of this bundle, unpack ' +
      'this bundle again with --replace-tags.',
  },
];

/** What unpack can mend, and what it cannot. */
function nextSteps(
  { target, parts, compared: { differences } }: VerifyAtReport,
  again: readonly string[],
): Section {
  const has = (...flaws: readonly Flaw[]): boolean =>
    differences.some(({ flaw }) => flaws.includes(flaw));
  const replace = has('other') ? ' --replace-tags' : '';
  const damaged: Section = has('damaged', 'unreadable')
    ? [
        {
          text: target.startsWith('oci:')
            ? 'Remove each damaged file first; --verbose shows its digest, which is its name in ' +
              'blobs/sha256 of the layout.'
            : 'Most registries do not replace a blob or a manifest that is damaged in their ' +
              'storage. Remove each damaged one from the storage first (for distribution: the ' +
              'folder of its digest in docker/registry/v2/blobs), and restart the registry. ' +
              '--verbose shows the digests.',
        },
      ]
    : [];
  const what = !has('absent', 'other')
    ? 'To push it again, once it is removed:'
    : 'To push what is missing:';
  const unpack: Section = [
    { text: what },
    { commands: [`bundle unpack ${again.join(' ')} --to ${shellWord(target)}${replace}`] },
  ];
  // A command that only sets tags back would undo what a later bundle has brought.
  if (onlyRetagged(differences)) return RETAGGED;
  const others: Section = has('other')
    ? [
        {
          text:
            'Tags name other images than this bundle has given them. Find out first who has set ' +
            'them: if a later bundle did, they are right, and the command below would set them back.',
        },
      ]
    : [];
  const isPart = new Set(parts.map(({ presence }) => presence)).size > 1;
  const some: Section =
    isPart && parts.some(({ presence }) => presence === 'absent')
      ? [{ text: 'If not all of them were to be there, name those that were: --release VERSION.' }]
      : [];
  return differences.length === 0 ? [] : [...damaged, ...others, ...unpack, ...some];
}

/** What is wrong with each image; of parts of which nothing is there, that has been said. */
function differencesText(found: VerifyAtReport, screen: Screen): Section {
  const { differences } = found.compared;
  if (screen.isVerbose) return [...everyDifference(differences, screen), ...causes(differences)];
  const absent = found.parts.map(({ presence }) => presence === 'absent');
  const images = hitImages(differences).filter((image) => !image.parts.every((at) => absent[at]));
  if (images.length === 0) return causes(differences);
  const shown = images.slice(0, SHOWN);
  const more = images.length - shown.length;
  return [
    {
      table: {
        heads: ['image', 'what is wrong'],
        rows: shown.map((image) => [
          withShortDigests(image.name),
          flawsText(differences.filter((difference) => difference.images.includes(image))),
        ]),
        cut: 0,
      },
    },
    ...(more > 0 ? [{ text: `and ${more} more (--verbose lists all)` }] : []),
    ...causes(differences),
  ];
}

/** `manifest and 2 blobs not there; 1 blob damaged` */
function flawsText(differences: readonly Difference[]): string {
  const flaws = [...new Set(differences.map(wordOf))];
  return flaws
    .map((word) => {
      const those = differences.filter((difference) => wordOf(difference) === word);
      const kinds = [...new Set(those.map(({ what }) => what))].map((what) => {
        const count = those.filter((difference) => difference.what === what).length;
        if (word === SHORT_WORDS.other) return count === 1 ? 'tag names' : `${count} tags name`;
        if (what === 'blob') return count === 1 ? 'config or layer' : leavesText(count);
        return count === 1 ? what : counted(count, what);
      });
      return `${listed(kinds)} ${word}`;
    })
    .join('; ');
}

function wordOf({ what, flaw }: Difference): string {
  return what === 'listing' ? 'missing at its subject' : SHORT_WORDS[flaw];
}

const SHORT_WORDS: Readonly<Record<Flaw, string>> = {
  absent: 'not there',
  other: 'another image',
  damaged: 'damaged',
  unreadable: 'not readable',
};

function everyDifference(differences: readonly Difference[], screen: Screen): Section {
  if (differences.length === 0) return [];
  const rows = differences.map(({ what, subject, flaw, images }) => [
    `${what} ${shortened(nameIn(subject), screen)}`,
    what === 'listing' ? 'is not listed by its subject' : WORDS[flaw],
    listed(images.map(({ name }) => name)),
  ]);
  return [{ table: { heads: ['what', '', 'image'], rows, cut: 2 } }];
}

/** What the target says of what cannot be read; each thing once. */
function causes(differences: readonly Difference[]): Section {
  const said = differences.flatMap(({ flaw, got }) => (flaw === 'unreadable' ? (got ?? []) : []));
  return [...new Set(said)].slice(0, SHOWN_CAUSES).map((text) => ({ text }));
}

/** The tag or digest alone: the repository is the same for most. */
function nameIn(subject: string): string {
  const digest = subject.lastIndexOf('@');
  return digest === -1 ? subject.slice(subject.lastIndexOf(':') + 1) : subject.slice(digest + 1);
}

function hitImages(differences: readonly Difference[]): readonly PlannedImage[] {
  return [...new Set(differences.flatMap(({ images }) => images))];
}
