/**
 * One thing that was done by the program and by something to hold it against, several times in
 * turn.
 */
export interface Measurement {
  readonly what: string;
  /** What it is held against. */
  readonly against: string;
  /** The program's own, one for each round. */
  readonly values: readonly number[];
  /** What it is held against, in the same rounds; none where the limit is absolute. */
  readonly floors: readonly number[];
  readonly unit: string;
  /** What the ratio, or the value itself, should not exceed. */
  readonly limit?: number | undefined;
}

export interface Summary {
  readonly value: number;
  readonly floor: number | undefined;
  /** Median of the rounds' ratios, each of two measurements side by side. */
  readonly ratio: number | undefined;
}

export function summaryOf({ values, floors }: Measurement): Summary {
  const ratios = values.flatMap((value, round) =>
    floors[round] === undefined ? [] : [value / floors[round]],
  );
  return {
    value: median(values),
    floor: floors.length === 0 ? undefined : median(floors),
    ratio: ratios.length === 0 ? undefined : median(ratios),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Gathers measurements under their names, round after round. */
export class Measurements {
  readonly #rows = new Map<
    string,
    Measurement & { readonly values: number[]; readonly floors: number[] }
  >();

  add(
    row: Pick<Measurement, 'what' | 'against' | 'limit'> & { readonly unit?: string },
    value: number,
    floor?: number,
  ): void {
    const { what, against, limit, unit = 's' } = row;
    let kept = this.#rows.get(what);
    if (kept === undefined)
      this.#rows.set(what, (kept = { what, against, limit, unit, values: [], floors: [] }));
    kept.values.push(value);
    if (floor !== undefined) kept.floors.push(floor);
  }

  get all(): readonly Measurement[] {
    return [...this.#rows.values()];
  }
}
