const STRING = String.raw`"(?:[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"`;
const JSON_TOKEN = new RegExp(
  String.raw`[ \t\r\n]*(?:(${STRING})|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|([{}[\],:]))`,
  'y',
);

type Expected =
  'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

/**
 * Where a text stops being JSON: for a message about a file whose content must not be shown, as the
 * parser's own message does.
 * @returns line and column, from 1; the end of the text where only its rest is missing.
 */
export function jsonFault(text: string): { readonly line: number; readonly column: number } {
  const token = new RegExp(JSON_TOKEN);
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let end = 0;
  const after = (): Expected => (open.length === 0 ? 'nothing' : 'comma or end');
  for (;;) {
    token.lastIndex = end;
    const match = token.exec(text);
    if (match === null) break;
    const [, string, scalar, mark] = match;
    const isKey: boolean = string !== undefined && expected.startsWith('key');
    if (isKey) expected = 'colon';
    else if (expected.startsWith('value') && (string !== undefined || scalar !== undefined))
      expected = after();
    else if (expected.startsWith('value') && (mark === '{' || mark === '[')) {
      open.push(mark);
      expected = mark === '{' ? 'key or end' : 'value or end';
    } else if (expected === 'colon' && mark === ':') expected = 'value';
    else if (expected === 'comma or end' && mark === ',')
      expected = open.at(-1) === '{' ? 'key' : 'value';
    else if (expected.endsWith('or end') && mark === (open.at(-1) === '{' ? '}' : ']')) {
      open.pop();
      expected = after();
    } else break;
    end = token.lastIndex;
  }
  const at = end + /^[ \t\r\n]*/.exec(text.slice(end))![0].length;
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
