import {
  Composer,
  CST,
  Document,
  type DocumentOptions,
  isCollection,
  isScalar,
  LineCounter,
  Parser,
  type ParseOptions,
  type SchemaOptions,
  type ToJSOptions,
  visit,
  YAMLParseError,
} from 'yaml';

/** How deep lists and mappings may be nested: resource definitions have some 60 levels. */
export const MAX_YAML_DEPTH = 256;

/** As the package has them. */
export type YamlOptions = ParseOptions & DocumentOptions & SchemaOptions;

/**
 * All documents of a text: the package's function within limits. Text that is nested too deep, or
 * is wrong in any place, is given up there; the last document has the fault. Nothing else of the
 * program parses YAML.
 */
export function parseAllDocuments(text: string, options: YamlOptions = {}): readonly Document[] {
  return [...documentsIn(text, options)];
}

/** The only document of a text. A second one is a fault of the first. */
export function parseDocument(text: string, options: YamlOptions = {}): Document {
  const [first = new Document(), second] = parseAllDocuments(text, options);
  if (second === undefined) return first;
  if (second.errors.length > 0) return second;
  const [from, to] = second.range!;
  first.errors.push(new YAMLParseError([from, to], 'MULTIPLE_DOCS', 'there is a second document'));
  return first;
}

/** The value of the only document of a text. @throws YAMLParseError, or the error of an alias. */
export function parse(text: string, options: YamlOptions & ToJSOptions = {}): unknown {
  const document = parseDocument(text, options);
  const [fault] = document.errors;
  if (fault !== undefined) throw fault;
  return document.toJS(options);
}

function* documentsIn(text: string, options: YamlOptions): Generator<Document> {
  const lines = options.lineCounter ?? new LineCounter();
  const { uniqueKeys = true, prettyErrors = true } = options;
  try {
    // The package compares each key with all others of its mapping.
    const composer = new StrictComposer({ ...options, uniqueKeys: false });
    const tokens = new BoundedParser(lines.addNewLine).parse(text);
    for (const document of composer.compose(tokens, false, text.length)) {
      const [fault] = document.errors;
      const first = fault ?? faultInKeys(document, { uniqueKeys, merge: options.merge === true });
      if (first !== undefined) throw first;
      yield document;
    }
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const failed = new Document();
    failed.errors.push(prettyErrors ? located(error, lines) : error);
    yield failed;
  }
}

/**
 * Ends where the text is nested too deep, since what composes its tokens calls itself for each
 * level; and where a quote is not closed, since each line behind it may be another fault.
 */
class BoundedParser extends Parser {
  #isPlain = false;

  override *next(lexeme: string): Generator<CST.Token, void> {
    const isQuoted = !this.#isPlain && /^["']/.test(lexeme);
    this.#isPlain = lexeme === CST.SCALAR;
    if (isQuoted && (lexeme.length === 1 || lexeme.at(-1) !== lexeme[0])) {
      const at = this.offset;
      throw new YAMLParseError([at, at + 1], 'MISSING_CHAR', `Missing closing ${lexeme[0]!}quote`);
    }
    yield* super.next(lexeme);
    // The first is the document itself, and the last may be a text.
    if (this.stack.length <= MAX_YAML_DEPTH + 2) return;
    throw new YAMLParseError(
      [this.offset, this.offset + 1],
      'RESOURCE_EXHAUSTION',
      `it is nested deeper than ${MAX_YAML_DEPTH} levels`,
    );
  }
}

/** Ends at the first fault: a short text may have one in each of its characters. */
class StrictComposer extends Composer {
  constructor(options: YamlOptions) {
    super(options);
    const own = this as unknown as ComposerInside;
    const tell = own.onError;
    own.onError = (...said) => {
      tell(...said);
      const [fault] = own.errors;
      if (fault !== undefined) throw fault;
    };
  }
}

/** What the package does not show of a composer, and what this version of it has. */
interface ComposerInside {
  onError: (...said: readonly unknown[]) => void;
  readonly errors: readonly YAMLParseError[];
}

/**
 * A key that a mapping has twice, or that is a list or a mapping itself: JSON has no such keys, and
 * the package writes each as a text, with all that is in it, again for each level.
 */
function faultInKeys(
  document: Document,
  { uniqueKeys, merge }: Pick<YamlOptions, 'uniqueKeys' | 'merge'>,
): YAMLParseError | undefined {
  let fault: YAMLParseError | undefined;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key) && !isCollection(key)) continue;
        const [from = 0, to = 0] = key.range ?? [];
        if (isCollection(key)) {
          const message = 'a key is a list or a mapping';
          fault = new YAMLParseError([from, to], 'NON_STRING_KEY', message);
          return visit.BREAK;
        }
        if (uniqueKeys === false || (merge === true && key.value === '<<')) continue;
        if (seen.has(key.value)) {
          fault = new YAMLParseError([from, to], 'DUPLICATE_KEY', 'Map keys must be unique');
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return fault;
}

/** Messages of the package end with a piece of the text, which may be a secret. */
function located(fault: YAMLParseError, lines: LineCounter): YAMLParseError {
  const [from, to] = fault.pos.map((at) => lines.linePos(at));
  if (from === undefined || to === undefined) return fault;
  fault.linePos = [from, to];
  fault.message += ` at line ${from.line}, column ${from.col}`;
  return fault;
}
