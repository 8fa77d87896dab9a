import { type PathDrawing, riskLabel } from './labels.ts';

/** A flowchart for Mermaid, as wikis and code forges draw it. */
export function mermaidOf({ excerpt, versions }: PathDrawing): string {
  const idOf = new Map(excerpt.versions.map((version, index) => [version, `r${index}`]));
  const id = (version: string): string => idOf.get(version)!;
  const onPath = excerpt.edges.flatMap(({ isOnPath }, index) => (isOnPath ? index : []));
  return [
    'flowchart TB',
    ...excerpt.versions.map((version) => `  ${id(version)}["${version}"]`),
    ...excerpt.edges.map(({ from, to, risks }) => {
      const label = riskLabel(risks).map(escaped).join('<br/>');
      return `  ${id(from)} ${label === '' ? '-->' : `-. "${label}" .->`} ${id(to)}`;
    }),
    '  classDef path stroke-width:4px',
    `  class ${versions.map(id).join(',')} path`,
    ...(onPath.length > 0 ? [`  linkStyle ${onPath.join(',')} stroke-width:4px`] : []),
  ].join('\n');
}

/** Mermaid knows the characters of HTML by names between # and ;. */
function escaped(text: string): string {
  return text.replace(/[^\w .,:-]/g, (character) => `#${character.codePointAt(0)!};`);
}
