import dagre from '@dagrejs/dagre';

import { oneLine } from '../../../core/text.ts';
import type { ExcerptEdge } from '../../../updates/excerpt.ts';
import { type PathDrawing, riskLabel } from './labels.ts';

const FONT = 13;
const LABEL_FONT = 11;
/** How wide a letter is, as a share of the size of the font: wider than most are. */
const LETTER = 0.62;
const LINE = 14;
const NODE_HEIGHT = 30;
const MARGIN = 24;
const HEADING = 40;

/** Follows the reader's choice of light or dark; the colours have a contrast of 4.5 or more. */
const STYLE = `
  :root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --faint: #6a737d;
    --path: #0b5cad; --risk: #a04000; --box: #f3f5f7; --chosen: #dcebfa; }
  @media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec;
    --faint: #9aa4ae; --path: #6cb6ff; --risk: #ffab70; --box: #22272e; --chosen: #123a5e; } }
  .paper { fill: var(--paper); }
  text { font-family: system-ui, sans-serif; font-size: ${FONT}px; fill: var(--ink); }
  .title { font-weight: 600; }
  .note { font-size: ${LABEL_FONT}px; fill: var(--faint); }
  .label { font-size: ${LABEL_FONT}px; fill: var(--risk); }
  rect.release { fill: var(--box); stroke: var(--faint); }
  rect.path { fill: var(--chosen); stroke: var(--path); stroke-width: 2.5; }
  path.update { fill: none; stroke: var(--faint); stroke-width: 1.2; marker-end: url(#to); }
  path.path { stroke: var(--path); stroke-width: 3; marker-end: url(#to-path); }
  path.risky { stroke: var(--risk); stroke-dasharray: 5 4; marker-end: url(#to-risky); }
  .head { fill: var(--faint); } .head-path { fill: var(--path); } .head-risky { fill: var(--risk); }`;

/** What is used of dagre, whose own types cannot be resolved in a package of ES modules. */
interface Layout {
  readonly graphlib: { readonly Graph: new () => LayoutGraph };
  readonly layout: (graph: LayoutGraph) => void;
}
interface LayoutGraph {
  setGraph(label: object): void;
  setNode(name: string, label: object): void;
  setEdge(from: string, to: string, label: object): void;
  graph(): { readonly width?: number; readonly height?: number };
  node(name: string): Point & { readonly width: number; readonly height: number };
  edge(from: string, to: string): Point & { readonly points: readonly Point[] };
}
const { graphlib, layout } = dagre as unknown as Layout;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A drawing of the path among the releases around it, for a browser. */
export function svgOf(drawing: PathDrawing): string {
  const { excerpt, versions, controlPlaneOnly, title } = drawing;
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 36, edgesep: 14, ranksep: 46, marginx: 0, marginy: 0 });
  for (const version of excerpt.versions)
    graph.setNode(version, { width: widthOf(version, FONT) + 24, height: NODE_HEIGHT });
  for (const edge of excerpt.edges) {
    const lines = riskLabel(edge.risks);
    graph.setEdge(edge.from, edge.to, {
      width: Math.max(0, ...lines.map((line) => widthOf(line, LABEL_FONT))),
      height: lines.length * LINE,
      labelpos: 'c',
      weight: edge.isOnPath ? 8 : 1,
    });
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const note = drawing.note ?? noteOf(drawing);
  const whole = Math.max(width, widthOf(title, FONT) * 1.1, widthOf(note, LABEL_FONT)) + 2 * MARGIN;
  const tall = height + HEADING + 2 * MARGIN;
  const left = MARGIN + (whole - 2 * MARGIN - width) / 2;
  const chosen = new Set(versions);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(whole)} ${round(tall)}" ` +
      `width="${round(whole)}" height="${round(tall)}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<defs>${['', '-path', '-risky'].map(arrowHead).join('')}</defs>`,
    `<rect class="paper" width="100%" height="100%"/>`,
    `<text class="title" x="${MARGIN}" y="${MARGIN + 4}">${escaped(title)}</text>`,
    `<text class="note" x="${MARGIN}" y="${MARGIN + 22}">${escaped(note)}</text>`,
    `<g transform="translate(${round(left)} ${MARGIN + HEADING})">`,
    // The path is drawn last, over the others.
    ...excerpt.edges
      .toSorted((a, b) => Number(a.isOnPath) - Number(b.isOnPath))
      .map((edge) => arrow(edge, graph.edge(edge.from, edge.to))),
    ...excerpt.versions.map((version) => {
      const name = controlPlaneOnly.includes(version) ? `${version}: control plane only` : version;
      return box(version, graph.node(version), chosen.has(version), name);
    }),
    ...excerpt.edges.map((edge) => label(edge, graph.edge(edge.from, edge.to))),
    '</g>',
    '</svg>',
  ].join('\n');
}

function noteOf({ excerpt, controlPlaneOnly }: PathDrawing): string {
  return [
    'thick: the path; dashed: an update with risks',
    ...(controlPlaneOnly.length > 0
      ? [`only the control plane passes ${controlPlaneOnly.join(', ')}`]
      : []),
    ...(excerpt.left > 0 ? [`${excerpt.left} older releases in between are not drawn`] : []),
  ].join(' · ');
}

function box(
  version: string,
  { x, y, width, height }: Point & { readonly width: number; readonly height: number },
  isOnPath: boolean,
  name: string,
): string {
  return (
    `<g><title>${escaped(name)}</title>` +
    `<rect class="release${isOnPath ? ' path' : ''}" x="${round(x - width / 2)}" ` +
    `y="${round(y - height / 2)}" width="${round(width)}" height="${round(height)}" rx="6"/>` +
    `<text text-anchor="middle" x="${round(x)}" y="${round(y + FONT / 3)}">` +
    `${escaped(version)}</text></g>`
  );
}

function arrow(edge: ExcerptEdge, { points }: { readonly points: readonly Point[] }): string {
  const classes = ['update', ...(edge.risks.length > 0 ? ['risky'] : [])];
  if (edge.isOnPath) classes.push('path');
  const messages = edge.risks.map(({ name, message }) => oneLine(`${name}: ${message}`)).join('\n');
  const title = `${edge.from} → ${edge.to}${messages === '' ? '' : `\n${messages}`}`;
  return (
    `<path class="${classes.join(' ')}" d="${curve(points)}">` +
    `<title>${escaped(title)}</title></path>`
  );
}

/** Through the middles between the points, so that the line has no corners. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1)!;
  const bends = rest.slice(0, -1).map((point, index) => {
    const next = rest[index + 1]!;
    const end = index === rest.length - 2 ? last : middle(point, next);
    return `Q${at(point)} ${at(end)}`;
  });
  return `M${at(first!)}${bends.length === 0 ? `L${at(last)}` : bends.join('')}`;
}

/** The names of the risks, on paper of their own: the line of the arrow goes through there. */
function label({ risks }: ExcerptEdge, { x, y }: Point): string {
  const lines = riskLabel(risks);
  const top = y - (lines.length * LINE) / 2;
  return lines
    .map((line, index) => {
      const width = widthOf(line, LABEL_FONT);
      const from = top + index * LINE;
      return (
        `<rect class="paper" x="${round(x - width / 2)}" y="${round(from)}" ` +
        `width="${round(width)}" height="${LINE}"/>` +
        `<text class="label" text-anchor="middle" x="${round(x)}" ` +
        `y="${round(from + LINE / 2 + LABEL_FONT / 3)}">${escaped(line)}</text>`
      );
    })
    .join('');
}

function arrowHead(of: string): string {
  return (
    `<marker id="to${of}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" ` +
    `markerUnits="userSpaceOnUse" orient="auto">` +
    `<path class="head${of}" d="M0 0L10 5L0 10z"/></marker>`
  );
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function at({ x, y }: Point): string {
  return `${round(x)} ${round(y)}`;
}

function widthOf(text: string, size: number): number {
  return text.length * size * LETTER;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
