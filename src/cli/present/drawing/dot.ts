import { riskLabel } from './labels.ts';
import type { PathDrawing } from './labels.ts';

/** A graph for the programs of Graphviz. */
export function dotOf({ excerpt, versions }: PathDrawing): string {
  const path = new Set(versions);
  const name = (text: string): string => JSON.stringify(text);
  return [
    'digraph updates {',
    '  rankdir=TB;',
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];',
    ...excerpt.versions.map(
      (version) => `  ${name(version)}${path.has(version) ? ' [penwidth=3]' : ''};`,
    ),
    ...excerpt.edges.map((edge) => {
      const attributes = [
        ...(edge.isOnPath ? ['penwidth=3'] : []),
        ...(edge.risks.length > 0
          ? ['style=dashed', `label=${name(riskLabel(edge.risks).join('\n'))}`]
          : []),
      ];
      const list = attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`;
      return `  ${name(edge.from)} -> ${name(edge.to)}${list};`;
    }),
    '}',
  ].join('\n');
}
