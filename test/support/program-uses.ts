import { dirname, join } from 'node:path';
import ts from 'typescript';

/** A place where a program is started. */
interface Use {
  readonly program: string;
  readonly node: ts.Node;
}

const HELPER = 'describeWith';
const STARTERS = new Set(['execa', 'execFile', 'execFileSync', 'spawn', 'spawnSync']);
const TITLED = new Set(['describe', 'it', 'test', 'describeWhere', HELPER]);

/**
 * Finds, in the sources of tests, programs that are started outside of a suite that says so with
 * `describeWith`. It follows the functions and constants of a module, and what is imported from
 * other modules given, to the suites and hooks that use them.
 */
export class ProgramUses {
  readonly #programs: ReadonlySet<string>;
  readonly #everywhere: ReadonlySet<string>;
  readonly #modules = new Map<string, Module>();

  /**
   * @param sources text by path; @param programs those that a suite has to name, and those that it
   * need not
   */
  constructor(
    sources: ReadonlyMap<string, string>,
    programs: readonly string[],
    everywhere: readonly string[],
  ) {
    this.#programs = new Set(programs);
    this.#everywhere = new Set(everywhere);
    for (const [path, text] of sources) this.#modules.set(path, new Module(path, text));
  }

  /**
   * What a file starts for itself, with no suite to name it, and what it starts that is in neither
   * list.
   */
  complaints(path: string): string[] {
    const module = this.#modules.get(path)!;
    const place = (node: ts.Node): string => `${path}:${module.lineOf(node)}`;
    const unguarded = module.outsideDeclarations.flatMap((node) => this.#unguarded(module, node));
    return [
      ...unguarded.map(
        ({ program, node }) => `${place(node)} starts ${program} in no suite that needs it`,
      ),
      ...this.#unknown(module.source).map(
        ({ program, node }) => `${place(node)} starts ${program}, which is in no list`,
      ),
    ];
  }

  #unguarded(module: Module, node: ts.Node, named: ReadonlySet<string> = new Set()): Use[] {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return [];
    const inside =
      ts.isCallExpression(node) && calleeOf(node) === HELPER
        ? new Set([...named, ...stringsIn(node.arguments[0])])
        : named;
    const own = [
      ...this.#startedBy(node),
      ...(ts.isIdentifier(node) ? this.#behind(module, node) : []),
    ];
    const uses = own
      .filter((program) => !inside.has(program))
      .map((program) => ({ program, node }));
    return [
      ...uses,
      ...childrenOf(node).flatMap((child) => this.#unguarded(module, child, inside)),
    ];
  }

  /** The programs that somebody starts who uses this name. */
  #behind(module: Module, name: ts.Identifier): ReadonlySet<string> {
    return isReference(name) ? this.#declared(module, name.text) : new Set();
  }

  #declared(module: Module, name: string): ReadonlySet<string> {
    const imported = module.imports.get(name);
    if (imported !== undefined) {
      const other = this.#modules.get(imported.path);
      return other === undefined ? new Set() : this.#declared(other, imported.name);
    }
    const known = module.programsOf.get(name);
    if (known !== undefined) return known;
    module.programsOf.set(name, new Set()); // for those that use each other
    const declaration = module.declarations.get(name);
    const programs = new Set(
      declaration === undefined
        ? []
        : this.#unguarded(module, declaration).map(({ program }) => program),
    );
    module.programsOf.set(name, programs);
    return programs;
  }

  #startedBy(node: ts.Node): string[] {
    const text = textOf(node);
    if (text === undefined || isTitle(node)) return [];
    if (text === '--zstd') return ['zstd'];
    if (this.#programs.has(text)) return isProgram(node) ? [text] : [];
    if (isInTable(node)) return [];
    const found = [...text.matchAll(/(?:^|[|;&(\n])\s*([a-z0-9-]+)(?=\s)/g)].map(
      ([, word]) => word!,
    );
    if (/\s--zstd\s/.test(text)) found.push('zstd');
    return found.filter((word) => this.#programs.has(word));
  }

  #unknown(node: ts.Node): Use[] {
    const [first] =
      ts.isCallExpression(node) && STARTERS.has(starterOf(node)) ? node.arguments : [];
    const program = first && textOf(first);
    const unknown =
      program !== undefined && !this.#programs.has(program) && !this.#everywhere.has(program);
    return [
      ...(unknown ? [{ program, node }] : []),
      ...childrenOf(node).flatMap((child) => this.#unknown(child)),
    ];
  }
}

/**
 * A source file: what it declares at its top, what it imports, and the rest, which runs when it is
 * loaded.
 */
class Module {
  readonly source: ts.SourceFile;
  readonly declarations = new Map<string, ts.Node>();
  readonly imports = new Map<string, { readonly path: string; readonly name: string }>();
  readonly outsideDeclarations: ts.Node[] = [];
  /** As far as they are known. */
  readonly programsOf = new Map<string, ReadonlySet<string>>();

  constructor(path: string, text: string) {
    this.source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
    for (const statement of this.source.statements) {
      if (ts.isImportDeclaration(statement)) this.#addImports(path, statement);
      else if (ts.isVariableStatement(statement)) this.#addVariables(statement);
      else if (
        (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) &&
        statement.name
      )
        this.declarations.set(statement.name.text, statement);
      else this.outsideDeclarations.push(statement);
    }
  }

  lineOf(node: ts.Node): number {
    return this.source.getLineAndCharacterOfPosition(node.getStart(this.source)).line + 1;
  }

  #addImports(path: string, { moduleSpecifier, importClause }: ts.ImportDeclaration): void {
    const from = textOf(moduleSpecifier) ?? '';
    const names = importClause?.namedBindings;
    if (!from.startsWith('.') || names === undefined || !ts.isNamedImports(names)) return;
    for (const { name, propertyName } of names.elements) {
      this.imports.set(name.text, {
        path: join(dirname(path), from),
        name: (propertyName ?? name).text,
      });
    }
  }

  #addVariables(statement: ts.VariableStatement): void {
    for (const declaration of statement.declarationList.declarations) {
      if (ts.isIdentifier(declaration.name))
        this.declarations.set(declaration.name.text, declaration);
      else this.outsideDeclarations.push(declaration);
    }
  }
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

/** The text of a string, or of a part of a template. */
function textOf(node: ts.Node): string | undefined {
  const isText =
    ts.isStringLiteralLike(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddle(node) ||
    ts.isTemplateTail(node);
  return isText ? node.text : undefined;
}

function stringsIn(node: ts.Node | undefined): string[] {
  return node !== undefined && ts.isArrayLiteralExpression(node)
    ? node.elements.flatMap((element) => textOf(element) ?? [])
    : [];
}

/** `f` of `f(…)`, `f.g(…)` and `f.g(…)(…)`. */
function calleeOf({ expression }: ts.CallExpression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isPropertyAccessExpression(expression) && ts.isIdentifier(expression.expression))
    return expression.expression.text;
  return ts.isCallExpression(expression) ? calleeOf(expression) : '';
}

/** `f` of `f(…)` and `promisify(f)(…)`. */
function starterOf(call: ts.CallExpression): string {
  const { expression } = call;
  const [promised] =
    ts.isCallExpression(expression) && calleeOf(expression) === 'promisify'
      ? expression.arguments
      : [];
  return promised && ts.isIdentifier(promised) ? promised.text : calleeOf(call);
}

function isTitle(node: ts.Node): boolean {
  const call = node.parent;
  return ts.isCallExpression(call) && TITLED.has(calleeOf(call));
}

/**
 * Whether it is a part of what `it.each` goes through, which is text for titles more often than a
 * line for a shell.
 */
function isInTable(node: ts.Node): boolean {
  let { parent } = node;
  while (ts.isArrayLiteralExpression(parent)) ({ parent } = parent);
  return isTitle(parent) || (ts.isCallExpression(parent) && TITLED.has(calleeOf(parent)));
}

/**
 * Whether a string that is the name of a program is there to be started: before its arguments, or
 * as the value of a constant.
 */
function isProgram(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isVariableDeclaration(parent)) return parent.initializer === node;
  if (ts.isCallExpression(parent)) {
    const [first, second] = parent.arguments;
    return (
      first === node &&
      (STARTERS.has(starterOf(parent)) || (second !== undefined && !ts.isFunctionLike(second)))
    );
  }
  if (!ts.isArrayLiteralExpression(parent)) return false;
  const [first, second] = parent.elements;
  return first === node && second !== undefined && (textOf(second) ?? '').startsWith('-');
}

/** Whether a name stands for a value here, and is not that of a property or of what is declared. */
function isReference(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === name;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === name;
  if (ts.isVariableDeclaration(parent)) return parent.initializer === name;
  return !(ts.isFunctionLike(parent) || ts.isClassLike(parent) || ts.isBindingElement(parent));
}
