import { describeReason } from '../../../catalogs/filter/result.ts';
import { describeAbsence } from '../../../catalogs/filter/why-not.ts';
import type { WhyReport } from '../../../workflows/catalog/filter.ts';
import { compareText, counted } from '../../../core/text.ts';
import type { Outcome } from '../../command.ts';
import { printableLine } from '../../units.ts';
import { catalogJson, unmetSection, noteSection, versionIn } from './facts.ts';

/** The versions of an operator, the newest first, with the reason why each is kept, or is not. */
export function whyReport(report: WhyReport): Outcome {
  const { content, result, absences } = report;
  const kept = new Map(
    result.bundles
      .filter(({ bundle }) => bundle.package === content.name)
      .map(({ bundle, reasons }) => [bundle.name, [...new Set(reasons.map(describeReason))]]),
  );
  const names = [...content.bundles.keys()].sort(compareText);
  const rows = content
    .newestFirst(names.map((name) => ({ name, replaces: '', skips: [], skipRange: '' })))
    .map(({ name }) => ({
      name,
      reasons: kept.get(name),
      whyNot: (absences.get(name) ?? []).map(describeAbsence),
    }));
  const notes = result.notes.filter(
    (note) => note.type === 'skip-unknown' || note.package === content.name,
  );
  const dependencies = report.dependencies.filter((own) => own.package === content.name);
  return {
    report: ({ isVerbose }) => [
      [
        {
          verdict: `${printableLine(content.name)}: ${kept.size} of ${counted(rows.length, 'version')} kept`,
          mood: kept.size > 0 ? 'good' : 'warning',
        },
      ],
      noteSection(notes),
      [
        {
          table: {
            heads: ['version', 'why', 'bundle'],
            rows: rows.map(({ name, reasons, whyNot }) => [
              versionIn(content, name),
              printableLine(reasons?.join(', ') ?? `not kept: ${whyNot.join(', ')}`),
              name,
            ]),
          },
        },
      ],
      unmetSection(dependencies, isVerbose),
    ],
    json: {
      ...catalogJson(report),
      package: content.name,
      filter: report.mode,
      bundles: rows.map(({ name, reasons, whyNot }) => ({
        name,
        version: versionIn(content, name),
        kept: reasons !== undefined,
        reasons: reasons ?? whyNot,
      })),
      notes,
      requires: dependencies,
    },
  };
}
