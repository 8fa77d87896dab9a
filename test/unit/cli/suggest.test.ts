import { describe, expect, it } from 'vitest';

import { parseCommandLine } from '../../../src/cli/parse.ts';
import { nearest } from '../../../src/core/text.ts';

async function refusal(line: string): Promise<unknown> {
  return parseCommandLine(line.split(' '), { stdout: { columns: 80 } }).catch(
    (error: unknown) => error,
  );
}

describe('a command line with a slip in it', () => {
  it.each([
    ['pcak 4.17.3 -o x', 'there is no command bundle pcak', 'Did you mean bundle pack? '],
    ['unpak x --to y', 'there is no command bundle unpak', 'Did you mean bundle unpack? '],
    ['trust ad x.pub', 'there is no command bundle trust ad', 'Did you mean bundle trust add? '],
    ['receipt usb --to x', 'there is no command bundle receipt usb', 'bundle receipt make usb. '],
    ['frobnicate', 'there is no command bundle frobnicate', 'bundle --help lists'],
    ['pack 4.17.3 -o x --dryrun', 'bundle pack has no option --dryrun', 'Did you mean --dry-run? '],
    ['login x --password y', 'bundle login has no option --password', 'mean --password-stdin? '],
    ['verify x --ouput=json', 'bundle verify has no option --ouput', 'Did you mean --output? '],
    ['verify x --zzzzzz', 'bundle verify has no option --zzzzzz', 'bundle verify --help'],
    ['logout a b', 'bundle logout does not take b', 'bundle logout --help'],
  ])('%s', async (line, message, hint) => {
    expect(await refusal(line)).toMatchObject({
      ...{ code: 'USAGE', message },
      hint: expect.stringContaining(hint) as string,
    });
  });
});

describe('nearest', () => {
  it('finds a word with a letter too many, one too few, another, or two exchanged', () => {
    const words = ['pack', 'verify', 'unpack'];
    expect(['packk', 'pac', 'park', 'apck'].map((word) => nearest(word, words))).toEqual(
      Array.from({ length: 4 }, () => 'pack'),
    );
    expect(nearest('p', words)).toBeUndefined();
    expect(nearest('mirror', words)).toBeUndefined();
  });
});
