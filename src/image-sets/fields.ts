import { isMap, isPair, isScalar, isSeq, type Pair, Scalar, type YAMLMap } from 'yaml';

import { nearest, oneLine } from '../core/text.ts';
import { IMAGE_SET_KINDS } from './image-set.ts';
import { changeOf, keysAt, placeOfKey, TOP } from './keys.ts';
import { Value } from './reading.ts';

/** A text of the file. */
export interface Text {
  readonly value: string;
  readonly at: Value;
}

/** Words that YAML 1.1 reads as a truth value, and oc-mirror with it. */
const YES = ['true', 'yes', 'on', 'y'];
const NO = ['false', 'no', 'off', 'n'];

/** What else is no text in YAML 1.1, which oc-mirror reads; the reader here reads YAML 1.2. */
const NUMBER =
  /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[\da-f_]+|(?=[\d.]*\d)[\d_]*\.?[\d_]*(?:e[-+]?\d+)?)$/i;
const DATE = /^\d{4}-\d\d?-\d\d?(?:$|[Tt\s])/;

/** A mapping of the file, read key by key: in any case, as the decoder of oc-mirror does. */
export class Fields {
  readonly at: Value;
  readonly #values: ReadonlyMap<string, Value>;

  private constructor(at: Value, values: ReadonlyMap<string, Value>) {
    this.at = at;
    this.#values = values;
  }

  /** @returns `undefined` for what is no mapping, which is said among the findings. */
  static of(at: Value): Fields | undefined {
    if (at.isEmpty) return new Fields(at, new Map());
    if (!isMap(at.node)) {
      at.error('wrong-type', `${named(at.path)} has to be a mapping, and is ${typeOf(at)}`);
      return undefined;
    }
    const { kind } = at.reading;
    const known = keysAt(at.schemaPath, IMAGE_SET_KINDS[kind]);
    const values = new Map<string, Value>();
    const written = new Map<string, string>();
    for (const { key, value } of pairsOf(at.node, at)) {
      const word = isScalar(key) ? String(key.value) : '';
      const keyAt = new Value(key, joined(at.path, word), at.reading);
      const name = known.find((each) => each.toLowerCase() === word.toLowerCase());
      if (name === undefined) {
        refuseKey(keyAt, word, known);
        continue;
      }
      const before = written.get(name);
      if (before !== undefined) {
        const same = before === word ? 'is there twice' : `and ${before} are the same key`;
        keyAt.error('duplicate-key', `${word} ${same}`, 'Keep one of them.');
        continue;
      }
      written.set(name, word);
      const given = new Value(value, joined(at.path, name), at.reading);
      // A key without a value has no place of its own.
      values.set(name, given.isEmpty ? new Value(undefined, given.path, at.reading) : given);
    }
    return new Fields(at, values);
  }

  get line(): number {
    return this.at.line;
  }

  /** The value of a key, unless it is missing or empty. */
  value(key: string): Value | undefined {
    const value = this.#values.get(key);
    return value === undefined || value.isEmpty ? undefined : value;
  }

  text(key: string): Text | undefined {
    const at = this.value(key);
    return at === undefined ? undefined : textOf(at);
  }

  requiredText(key: string): Text | undefined {
    const at = this.value(key);
    if (at !== undefined && !(isScalar(at.node) && at.node.value === '')) return textOf(at);
    const where = at ?? new Value(this.at.node, joined(this.at.path, key), this.at.reading);
    where.error('missing', `${named(this.at.path)} needs ${key}`);
    return undefined;
  }

  flag(key: string): boolean {
    const at = this.value(key);
    if (at === undefined) return false;
    const { node } = at;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    if (isScalar(node) && node.type === Scalar.PLAIN && typeof node.value === 'string') {
      const word = node.value.toLowerCase();
      if ([...YES, ...NO].includes(word)) return YES.includes(word);
    }
    const hint = 'Write true or false, without quotes.';
    at.error('wrong-type', `${key} is true or false, and is ${typeOf(at)}`, hint);
    return false;
  }

  whole(key: string): { readonly value: number; readonly at: Value } | undefined {
    const at = this.value(key);
    if (at === undefined) return undefined;
    const { node } = at;
    if (isScalar(node) && Number.isSafeInteger(node.value)) {
      return { value: node.value as number, at };
    }
    const hint = 'Write it without quotes and without a unit.';
    at.error('wrong-type', `${key} is a whole number, and is ${typeOf(at)}`, hint);
    return undefined;
  }

  fields(key: string): Fields | undefined {
    const at = this.value(key);
    return at === undefined ? undefined : Fields.of(at);
  }

  /** Each entry of a list; what is no list is said among the findings. */
  list(key: string): readonly Value[] {
    const at = this.value(key);
    if (at === undefined) return [];
    if (!isSeq(at.node)) {
      const hint = 'Each entry begins with a dash.';
      at.error('wrong-type', `${key} is a list, and is ${typeOf(at)}`, hint);
      return [];
    }
    return at.node.items.map((item, index) => new Value(item, `${at.path}[${index}]`, at.reading));
  }

  /** The entries of a list of mappings. */
  mappings(key: string): readonly Fields[] {
    return this.list(key).flatMap((entry) => Fields.of(entry) ?? []);
  }

  texts(key: string): readonly Text[] {
    return this.list(key).flatMap((entry) => textOf(entry) ?? []);
  }
}

function textOf(at: Value): Text | undefined {
  const { node } = at;
  const other = otherType(at);
  if (isScalar(node) && typeof node.value === 'string' && other === undefined)
    return node.value === '' ? undefined : { value: node.value, at };
  const key = named(at.path);
  if (isScalar(node) && other !== undefined) {
    const written = oneLine(node.source ?? String(node.value), 60);
    at.error(
      'unquoted',
      `${key}: ${written} without quotes is ${other} for oc-mirror, and ${key} is a text`,
      `Write it with quotes: "${written}".`,
    );
    return undefined;
  }
  if (isScalar(node) && ['number', 'boolean', 'bigint'].includes(typeof node.value)) {
    const written = oneLine(node.source ?? String(node.value), 60);
    const read = String(node.value);
    const what = read === written ? `is ${typeOf(at)}` : `is the number ${read}`;
    at.error(
      'unquoted',
      `${key}: ${written} without quotes ${what}, and ${key} is a text`,
      `Write it with quotes: "${written}".`,
    );
  } else at.error('wrong-type', `${key} is a text, and is ${typeOf(at)}`);
  return undefined;
}

/** What YAML 1.1 takes a text without quotes for; `undefined` for a text. */
function otherType({ node }: Value): string | undefined {
  if (!isScalar(node) || node.type !== Scalar.PLAIN || typeof node.value !== 'string')
    return undefined;
  const { value } = node;
  if ([...YES, ...NO].some((word) => isInOneCase(value, word))) return 'a truth value';
  if (NUMBER.test(value)) return 'a number';
  return DATE.test(value) ? 'a date' : undefined;
}

/** `yes`, `Yes` and `YES`, but not `yEs`. */
function isInOneCase(text: string, word: string): boolean {
  const upper = word.toUpperCase();
  return [word, upper, `${upper[0]!}${word.slice(1)}`].includes(text);
}

/** The pairs of a mapping, with those that it merges from others (`<<`) behind its own. */
function pairsOf(map: YAMLMap, at: Value): readonly Pair[] {
  const isMerge = ({ key }: Pair): boolean =>
    isScalar(key) && key.value === '<<' && key.type === Scalar.PLAIN;
  const items = map.items.filter((item) => isPair(item));
  const own = items.filter((pair) => !isMerge(pair));
  const taken = new Set(own.map(({ key }) => (isScalar(key) ? String(key.value) : '')));
  const merged = items.filter(isMerge).flatMap(({ value }) => {
    const from = new Value(value, at.path, at.reading);
    const nodes = isSeq(from.node) ? from.node.items : [from.node];
    return nodes.flatMap((node) => {
      const { node: source } = new Value(node, at.path, at.reading);
      return isMap(source) ? source.items : [];
    });
  });
  const added = merged.filter(({ key }) => {
    const word = isScalar(key) ? String(key.value) : '';
    if (taken.has(word)) return false;
    taken.add(word);
    return true;
  });
  return [...own, ...added];
}

function refuseKey(at: Value, word: string, known: readonly string[]): void {
  const shown = word === '' ? 'a key that is no word' : oneLine(word, 60);
  const parent = at.path.slice(0, -word.length).replace(/\.$/, '');
  const where = parent === '' ? 'the file' : parent;
  const changed = changeOf(at.schemaPath);
  if (changed !== undefined) {
    at.error('changed-key', `${shown} is a key of oc-mirror v1`, changed);
    return;
  }
  const meant = nearest(
    word.toLowerCase(),
    known.map((key) => key.toLowerCase()),
  );
  const spelled = known.find((key) => key.toLowerCase() === meant);
  const place = placeOfKey(word);
  const elsewhere = place === (parent === '' ? TOP : parent) ? undefined : place;
  const hint =
    spelled !== undefined
      ? `Did you mean ${spelled}?`
      : elsewhere !== undefined
        ? `It belongs to ${elsewhere}.`
        : `Known here: ${known.join(', ')}.`;
  at.error('unknown-key', `${where} has no key ${shown}`, hint);
}

function joined(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** The last word of a path, as people call it. */
function named(path: string): string {
  return path === '' ? 'the file' : path.replace(/^.*\./s, '');
}

function typeOf({ node }: Value): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node)) return 'empty';
  const { value } = node;
  if (typeof value === 'number' || typeof value === 'bigint') return 'a number';
  if (typeof value === 'boolean') return 'a truth value';
  return typeof value === 'string' ? 'a text' : 'empty';
}
