interface Cell {
  readonly character: string;
  /** The codes that gave it its colours. */
  readonly style: string;
}

const TOKEN =
  // eslint-disable-next-line no-control-regex -- escape codes are what a terminal reads
  /\u001b\[(?<private>\??)(?<numbers>[0-9;]*)(?<name>[A-Za-z])|(?<control>[\r\n])|(?<character>.)/gsu;

/**
 * What a terminal shows of what was written to it: as much of a terminal as a program needs that
 * writes lines, moves up among them, and clears them.
 */
export class ScreenText {
  readonly #columns: number;
  readonly #rows: Cell[][] = [[]];
  #x = 0;
  #y = 0;
  #style = '';

  constructor(columns: number, written: string) {
    this.#columns = columns;
    for (const { groups = {} } of written.matchAll(TOKEN)) this.#take(groups);
  }

  #take({ private: isPrivate, numbers = '', name, control, character }: Groups): void {
    if (control === '\r') this.#x = 0;
    else if (control === '\n') this.#y += 1;
    else if (character !== undefined) this.#put(character);
    else if (name !== undefined && isPrivate !== '?') this.#obey(name, numbers);
  }

  #put(character: string): void {
    if (this.#x === this.#columns) {
      this.#x = 0;
      this.#y += 1;
    }
    this.#row()[this.#x] = { character, style: this.#style };
    this.#x += 1;
  }

  #obey(name: string, numbers: string): void {
    const number = Number(numbers.split(';', 1)[0]);
    if (name === 'A') this.#y = Math.max(0, this.#y - Math.max(1, number));
    else if (name === 'B') this.#y += Math.max(1, number);
    else if (name === 'G') this.#x = Math.max(1, number) - 1;
    else if (name === 'K' && number === 0)
      this.#row().length = Math.min(this.#row().length, this.#x);
    else if (name === 'K' && number === 2) this.#row().length = 0;
    else if (name === 'J' && number === 0) {
      this.#row().length = Math.min(this.#row().length, this.#x);
      this.#rows.length = this.#y + 1;
    } else if (name === 'm') this.#style = styleAfter(this.#style, numbers);
    else throw new Error(`a terminal is told ${JSON.stringify(`${numbers}${name}`)}`);
  }

  #row(): Cell[] {
    while (this.#rows.length <= this.#y) this.#rows.push([]);
    return this.#rows[this.#y]!;
  }

  /** The lines without blanks at their ends. */
  get text(): string {
    return this.#shown(({ character }) => character);
  }

  /** The same with the codes of colours, in angle brackets, where they change. */
  get colored(): string {
    return this.#shown(({ character, style }, before) =>
      style === before ? character : `<${style}>${character}`,
    );
  }

  #shown(show: (cell: Cell, before: string) => string): string {
    return this.#rows
      .map((row) => {
        let before = '';
        const cells = Array.from(row, (cell: Cell | undefined) => cell ?? BLANK);
        const line = cells.map((cell) => {
          const text = show(cell, before);
          before = cell.style;
          return text;
        });
        return line.join('').trimEnd();
      })
      .join('\n')
      .trimEnd();
  }
}

type Groups = Readonly<Record<string, string | undefined>>;

const BLANK: Cell = { character: ' ', style: '' };
/** Which codes end a colour, or what makes it bold or dim. */
const ENDS: Readonly<Record<string, RegExp>> = { 0: /./, 22: /^[12]$/, 39: /^3\d$/ };

function styleAfter(style: string, code: string): string {
  const codes = style === '' ? [] : style.split(' ');
  const end = ENDS[code === '' ? '0' : code];
  const kept = end === undefined ? [...codes, code] : codes.filter((each) => !end.test(each));
  return kept.join(' ');
}
