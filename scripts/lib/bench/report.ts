import { type Measurement, summaryOf } from './measurements.ts';

export interface ShapeResult {
  readonly name: string;
  readonly about: string;
  readonly blobs: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly measurements: readonly Measurement[];
}

export interface BenchResult {
  readonly machine: Readonly<Record<string, string>>;
  /** Requests at a time, of the program and of curl. */
  readonly concurrency: number;
  readonly results: readonly ShapeResult[];
}

/** The results as Markdown. */
export function markdown({ machine, concurrency, results }: BenchResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  const head = [
    '| what | bundle | held against | | ratio | should be |',
    '| --- | ---: | --- | ---: | ---: | ---: |',
  ];
  const tables = results.map(({ about, blobs, bytes, rounds, measurements }) =>
    [
      `### ${about}`,
      '',
      `${blobs} blobs, ${(bytes / 1e9).toFixed(2)} GB; medians of ${rounds} rounds; ${concurrency} requests at a time.`,
      '',
      ...head,
      ...measurements.map(rowOf),
    ].join('\n'),
  );
  return `${[facts.join('\n'), ...tables].join('\n\n')}\n`;
}

function rowOf(measurement: Measurement): string {
  const { what, against, unit, limit } = measurement;
  const { value, floor, ratio } = summaryOf(measurement);
  const shown = (number: number): string =>
    `${number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)} ${unit}`;
  const should =
    limit === undefined ? '' : ratio === undefined ? `≤ ${limit} ${unit}` : `≤ ${limit}`;
  const cells = [
    what,
    shown(value),
    against,
    floor === undefined ? '' : shown(floor),
    ratio?.toFixed(2) ?? '',
    should,
  ];
  return `| ${cells.join(' | ')} |`;
}
