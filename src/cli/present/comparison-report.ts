import { counted, shellWord } from '../../core/text.ts';
import type { Difference, Flaw } from '../../delivering/compare.ts';
import { labelsOf } from '../../kinds/closure.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { VerifyAtReport } from '../../workflows/verify-at.ts';
import type { Outcome } from '../command.ts';
import { formatBytes } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { statusOf } from './failure.ts';
import type { Block, Section } from './layout.ts';
import { partsFacts } from './parts/part-facts.ts';
import type { Screen } from './screen.ts';
import { labelsIn, listed, partsText, shortened, size } from './shown.ts';

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
  const { bundle, target, deep, compared, failure } = found;
  const { tags, manifests, blobs, bytes, bytesRead, differences } = compared;
  return {
    report: (screen) => [
      [verdict(found)],
      nextSteps(found, again),
      differencesText(differences, screen),
      trustAdvice(bundle),
      [
        {
          facts: [
            ['target', target],
            ['compared', listed([counted(tags, 'tag'), counted(manifests, 'manifest')])],
            [
              '',
              `${counted(blobs, 'blob')} (${size(bytes, screen)}): ` +
                (deep ? 'every byte read and hashed' : 'whether each is there, to its last byte'),
            ],
            ...bundleFacts(bundle, screen),
            ...partsFacts(bundle.closure, screen),
            ['not hashed', 'the layers in the bundle: verify without --at does that'],
          ],
        },
      ],
    ],
    json: {
      result: failure === undefined ? 'good' : 'differs',
      target,
      deep,
      bundle: bundleJson(bundle),
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
    ...(failure !== undefined && { status: statusOf(failure) }),
  };
}

function verdict({ bundle, target, deep, compared }: VerifyAtReport): Block {
  const parts = partsText(labelsIn(bundle.closure));
  const { differences, bytes } = compared;
  if (differences.length === 0) {
    const how = deep ? `every byte read (${formatBytes(bytes)})` : 'nothing is missing';
    return { verdict: `Good: ${target} holds ${parts}, ${how}`, mood: 'good' };
  }
  const images = hitImages(differences);
  const verb = images.length === 1 ? 'is' : 'are';
  return {
    verdict:
      `${target} does not hold ${parts} as the bundle does: ` +
      `${counted(images.length, 'image')} ${verb} not whole`,
    mood: 'bad',
  };
}

/** What unpack can mend, and what it cannot. */
function nextSteps(
  { target, compared: { differences } }: VerifyAtReport,
  again: readonly string[],
): Section {
  const has = (...flaws: readonly Flaw[]): boolean =>
    differences.some(({ flaw }) => flaws.includes(flaw));
  const replace = has('other') ? ' --replace-tags' : '';
  const damaged: Section = has('damaged', 'unreadable')
    ? [
        {
          text:
            'Most registries do not replace a blob or a manifest that is damaged in their ' +
            'storage. Remove each damaged one from the storage first (for distribution: the ' +
            'folder of its digest in docker/registry/v2/blobs), and restart the registry.',
        },
      ]
    : [];
  const unpack: Section = [
    { text: 'To push again what is missing:' },
    { commands: [`bundle unpack ${again.join(' ')} --to ${shellWord(target)}${replace}`] },
  ];
  const others: Section = has('other')
    ? [{ text: 'Find out first who set the tags that name another image: unpack overwrites them.' }]
    : [];
  return differences.length === 0 ? [] : [...damaged, ...others, ...unpack];
}

function differencesText(differences: readonly Difference[], screen: Screen): Section {
  if (differences.length === 0) return [];
  const shown = screen.isVerbose ? differences : differences.slice(0, SHOWN);
  const more = differences.length - shown.length;
  return [
    {
      table: {
        heads: ['WHAT', '', 'IMAGE'],
        rows: shown.map(({ what, subject, flaw, images }) => [
          `${what} ${shortened(nameIn(subject), screen)}`,
          what === 'listing' ? 'is not listed by its subject' : WORDS[flaw],
          needing(images, screen),
        ]),
        cut: 2,
      },
    },
    ...(more > 0 ? [{ text: `and ${more} more (--verbose lists all)` }] : []),
    ...causes(differences),
  ];
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

function needing(images: readonly PlannedImage[], { isVerbose }: Screen): string {
  const names = images.map(({ name }) => name);
  if (isVerbose || names.length < 3) return listed(names);
  return `${names[0]!} and ${names.length - 1} more`;
}

function hitImages(differences: readonly Difference[]): readonly PlannedImage[] {
  return [...new Set(differences.flatMap(({ images }) => images))];
}
