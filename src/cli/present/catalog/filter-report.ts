import { imagesOf, versionOf } from '../../../catalogs/catalog.ts';
import { describeReason } from '../../../catalogs/filter/result.ts';
import type { WrittenReport } from '../../../workflows/catalog/filter.ts';
import { counted, pathWord } from '../../../core/text.ts';
import type { Outcome } from '../../command.ts';
import type { Section } from '../layout.ts';
import { catalogJson, contentText, unmetSection, noteSection } from './facts.ts';
import { findingSection } from './check-report.ts';

/** More bundles than these are counted. */
const SHOWN = 40;

/** What was written of a catalog, and why. */
export function filterReport(report: WrittenReport): Outcome {
  const { result, folder, files, dependencies, findings, mode } = report;
  const bundles = result.bundles.map(({ bundle, reasons }) => ({
    package: bundle.package,
    name: bundle.name,
    version: versionOf(bundle),
    reasons: [...new Set(reasons.map(describeReason))],
  }));
  const images = new Set(result.bundles.flatMap(({ bundle }) => imagesOf(bundle)));
  const content = contentText(result.packages.length, bundles.length);
  return {
    report: ({ isVerbose }) => {
      const shown = isVerbose ? bundles : bundles.slice(0, SHOWN);
      const refused: Section =
        findings.length === 0
          ? []
          : [
              { text: 'OLM would refuse this catalog; --filter strict gives one that it takes:' },
              ...findingSection(findings, isVerbose),
            ];
      return [
        [
          {
            verdict: `Written: ${folder}: ${content}, ${counted(images.size, 'image')}`,
            mood: findings.length === 0 ? 'good' : 'warning',
          },
        ],
        noteSection(result.notes),
        refused,
        [
          {
            table: {
              heads: ['operator', 'version', 'why'],
              rows: shown.map((own) => [own.package, own.version, own.reasons.join(', ')]),
            },
          },
          ...(shown.length < bundles.length
            ? [{ text: `${bundles.length - shown.length} more with --verbose.` }]
            : []),
        ],
        unmetSection(dependencies, isVerbose),
        [
          { text: 'Look at it, or let opm judge it:' },
          {
            commands: [
              `bundle catalog list ${pathWord(folder)}`,
              `opm validate ${pathWord(folder)}`,
            ],
          },
        ],
      ];
    },
    json: {
      ...catalogJson(report),
      ...{ folder, filter: mode, files },
      packages: result.packages.map(({ from, defaultChannel }) => ({
        name: from.name,
        defaultChannel,
        channels: result.channels
          .filter((channel) => channel.from.package === from.name)
          .map((channel) => ({
            name: channel.from.name,
            entries: channel.entries.map(({ name }) => name),
          })),
      })),
      bundles,
      images: [...images].sort(),
      notes: result.notes,
      requires: dependencies,
      findings,
    },
  };
}
