import { compareText } from '../../core/text.ts';
import type { UpdateGraph } from '../../updates/graph.ts';
import type { ReleasesReport } from '../../workflows/updates.ts';
import type { Outcome } from '../command.ts';
import { counted, scope } from './shown.ts';

/** The releases of a channel, the oldest first: the newest is the last line of a terminal. */
export function releasesReport(report: ReleasesReport): Outcome {
  const { channel, architecture, graph } = report;
  const { releases } = graph;
  const [first, last] = [releases[0]!.version, releases.at(-1)!.version];
  return {
    report: ({ isVerbose }) => [
      [
        {
          verdict: `${counted(releases.length, 'release')}${scope(report)}`,
          mood: 'good',
        },
        { text: first === last ? first : `${first} to ${last}` },
      ],
      [
        {
          table: {
            heads: ['release', 'errata', ...(isVerbose ? ['channels'] : []), 'risks'],
            rows: releases.map(({ version, url, channels }) => [
              version,
              url?.split('/').at(-1) ?? '-',
              ...(isVerbose ? [channels.join(' ')] : []),
              // Whole, since --accept-risk takes these names.
              risksTo(graph, version)
                .map(({ name }) => name)
                .join(' '),
            ]),
          },
        },
      ],
    ],
    json: {
      ...(channel !== undefined && { channel }),
      ...(architecture !== undefined && { architecture }),
      releases: releases.map(({ version, payload, url, channels }) => ({
        ...{ version, payload, ...(url !== undefined && { url }), channels },
        risks: risksTo(graph, version),
      })),
    },
  };
}

/** The risks of updates to a release, each with the releases that it is a risk for. */
function risksTo(graph: UpdateGraph, version: string): readonly (object & { name: string })[] {
  const byName = new Map<string, { name: string; from: string[] }>();
  for (const { from, risks } of graph.updatesTo(version)) {
    for (const risk of risks) {
      const known = byName.get(risk.name);
      if (known === undefined) byName.set(risk.name, { ...risk, from: [from] });
      else known.from.push(from);
    }
  }
  return [...byName.values()].toSorted((a, b) => compareText(a.name, b.name));
}
