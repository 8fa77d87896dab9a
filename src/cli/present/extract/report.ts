import { counted, formatBytes } from '../../../core/text.ts';
import { hexOf } from '../../../core/digest.ts';
import type { WrittenArchive } from '../../../extracting/extract-tools.ts';
import { architectureOfOci } from '../../../kinds/release/architecture.ts';
import { releaseLabel } from '../../../kinds/release/tags.ts';
import type {
  ExtractedFrom,
  ExtractFileReport,
  ExtractToolsReport,
} from '../../../workflows/extract.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import { bundleFacts, bundleJson, trustAdvice } from '../bundle-facts.ts';
import { holesText } from '../parts/holes.ts';
import type { Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { checking, listed, shortened, size } from '../shown.ts';

const UNPINNED =
  'An installer without the release image may install another release: do not install with it, ' +
  'and find out where this release comes from.';

export function extractToolsReport(report: ExtractToolsReport): Outcome {
  const { release, tools } = report;
  const { folder, archives, files, left, unpinned } = tools;
  const label = releaseLabel(release.version, release.architecture);
  const done = `${counted(archives.length, 'archive')} of ${label} in ${folder}`;
  const isPartial = left.length + unpinned.length > 0;
  const rest = [
    ...(left.length === 0 ? [] : [`left out: ${listed(left)}`]),
    ...(unpinned.length === 0 ? [] : [`without the release image: ${listed(unpinned)}`]),
  ];
  return {
    report: (screen) => [
      [
        isPartial
          ? { verdict: `PARTLY DONE: ${[done, ...rest].join('; ')}`, mood: 'warning' }
          : { verdict: `Wrote ${done}`, mood: 'good' },
      ],
      ...(unpinned.length === 0 ? [] : [[{ text: UNPINNED }]]),
      [
        { text: 'To check them wherever they are copied to:' },
        { commands: [checking(folder, files.at(-1)!)] },
      ],
      [
        {
          table: {
            heads: ['archive', 'size', ...(screen.isVerbose ? ['system', 'SHA-256'] : [])],
            rows: archives.map((archive) => archiveRow(archive, screen)),
          },
        },
      ],
      ...sourceSections(report, screen),
    ],
    json: {
      ...sourceJson(report),
      folder,
      archives: archives.map(archiveJson),
      files,
      left,
      unpinned,
    },
    ...(isPartial && { status: PARTLY_DONE }),
  };
}

export function extractFileReport(report: ExtractFileReport): Outcome {
  const { release, name, bytes, digest, path, written } = report;
  const content = `${name} of ${releaseLabel(release.version, release.architecture)}`;
  const where = path === undefined ? '' : ` to ${path}`;
  const verdict = written ? `Wrote ${content}${where}` : `${path!} holds ${content} already`;
  return {
    report: (screen) => [
      [{ verdict, mood: 'good' }],
      [
        {
          facts: [
            ['file', `${name}, ${size(bytes.length, screen)}`],
            ['SHA-256', shortened(hexOf(digest), screen)],
          ],
        },
      ],
      ...sourceSections(report, screen),
    ],
    json: {
      ...sourceJson(report),
      file: name,
      path: path ?? null,
      written,
      bytes: bytes.length,
      sha256: hexOf(digest),
    },
  };
}

function archiveRow(
  { file, bytes, system, architecture, rhel, sha256 }: WrittenArchive,
  screen: Screen,
): readonly string[] {
  // The name says the system, and the file of checksums has the other.
  if (!screen.isVerbose) return [file, formatBytes(bytes)];
  const builtFor = [system, wordOf(architecture), ...(rhel ? [rhel] : [])].join(' ');
  return [file, size(bytes, screen), builtFor, hexOf(sha256)];
}

function archiveJson({ system, architecture, sha256, ...facts }: WrittenArchive): object {
  return { ...facts, os: system, architecture: wordOf(architecture), sha256: hexOf(sha256) };
}

/** As `--arch` has it. */
function wordOf(architecture: string): string {
  return architectureOfOci(architecture) ?? architecture;
}

function sourceSections(report: ExtractedFrom, screen: Screen): readonly Section[] {
  const { bundle } = report;
  return [
    ...(bundle?.closure === undefined ? [] : [holesText(bundle.closure, screen)]),
    ...(bundle === undefined ? [] : [trustAdvice(bundle)]),
    [{ facts: [...releaseRows(report, screen), ...(bundle ? bundleFacts(bundle, screen) : [])] }],
  ];
}

function releaseRows({ release, pinned }: ExtractedFrom, screen: Screen): Rows {
  const { version, architecture, signatures } = release;
  const proof = signatures.map(({ keyName }) => `good, by ${keyName}`);
  return [
    ['release', releaseLabel(version, architecture)],
    ['release image', shortened(pinned, screen)],
    ['release signature', listed(proof) || 'NONE: the release is not proven'],
  ];
}

function sourceJson({ release, pinned, bundle }: ExtractedFrom): object {
  const { version, architecture, digest, created, signatures } = release;
  return {
    release: { version, architecture, digest, created, proven: signatures.length > 0 },
    releaseImage: pinned,
    ...(bundle && { bundle: bundleJson(bundle) }),
  };
}
