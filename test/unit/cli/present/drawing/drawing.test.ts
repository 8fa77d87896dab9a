import { describe, expect, it } from 'vitest';

import { dotOf } from '../../../../../src/cli/present/drawing/dot.ts';
import { riskLabel } from '../../../../../src/cli/present/drawing/labels.ts';
import { mermaidOf } from '../../../../../src/cli/present/drawing/mermaid.ts';
import { svgOf } from '../../../../../src/cli/present/drawing/svg.ts';

const risk = (name: string) => ({ name, message: '<b>&"', url: '', evaluable: false });
const drawing = (names: readonly string[]) => ({
  title: '4.1.1 to 4.1.2 <for> "x86_64"',
  versions: ['4.1.1', '4.1.2'],
  controlPlaneOnly: ['4.1.2'],
  excerpt: {
    versions: ['4.1.1', '4.1.2'],
    edges: [{ from: '4.1.1', to: '4.1.2', risks: names.map(risk), isOnPath: true }],
    left: 0,
  },
});
const HOSTILE = '"]\n<script>alert(1)</script>&\u001B[2J';

describe('a drawing', () => {
  it('takes nothing in a name for its own syntax', () => {
    const svg = svgOf(drawing([HOSTILE]));
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u001B');
    expect(svg).not.toMatch(/&(?!(?:amp|lt|gt|quot);)/);
    expect(mermaidOf(drawing([HOSTILE]))).toContain(
      '  r0 -. "#34;#93; #60;script#62;alert#40;1#41;#60;#47;script#62;#38; #91;2J" .-> r1\n',
    );
    expect(dotOf(drawing([HOSTILE]))).toContain(String.raw`label="\"] <script>`);
  });

  it('names three risks of an update, or two and how many more there are', () => {
    expect(riskLabel(['A', 'B', 'C'].map(risk))).toEqual(['A', 'B', 'C']);
    expect(riskLabel(['A', 'B', 'C', 'D'].map(risk))).toEqual(['A', 'B', 'and 2 more']);
  });

  it('has an arrow for each update, and a box for each release', () => {
    const svg = svgOf(drawing([]));
    expect(svg.match(/<rect class="release/g)).toHaveLength(2);
    expect(svg.match(/<path class="update path"/g)).toHaveLength(1);
    expect(svg.match(/<rect class="paper"/g)).toHaveLength(1);
    const risky = svgOf(drawing(['A', 'B']));
    expect(risky.match(/<path class="update risky path"/g)).toHaveLength(1);
    // The drawing's own, and one behind each name.
    expect(risky.match(/<rect class="paper"/g)).toHaveLength(3);
    expect(mermaidOf(drawing([]))).toContain('  r0 --> r1\n');
    expect(dotOf(drawing([]))).toContain('  "4.1.1" -> "4.1.2" [penwidth=3];\n');
  });
});
