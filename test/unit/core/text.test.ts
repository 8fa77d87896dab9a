import { describe, expect, it } from 'vitest';

import { shownUrl } from '../../../src/core/text.ts';

describe('a URL in a message', () => {
  it.each([
    ['https://updates.example.com/a/graph', 'https://updates.example.com/a/graph'],
    [
      'http://user:SECRET@example.com:8080/graph?sig=SECRET#SECRET',
      'http://example.com:8080/graph',
    ],
    ['https://example.com/a?mail=x@y&sig=SECRET', 'https://example.com/a'],
    ['ftp://user:SECRET@example.com/a', 'ftp://example.com/a'],
    ['foo', 'foo'],
    ['updates.example.com/\ngraph', 'updates.example.com/ graph'],
  ])('of %j is %j', (url, shown) => {
    expect(shownUrl(url)).toBe(shown);
  });

  it.each(['user:SECRET@example.com/a', 'http://u:SECRET?x@[', 'http://[/?sig=SECRET', 'x#SECRET'])(
    'is not told where it is none and may hold a secret: %j',
    (url) => {
      expect(shownUrl(url)).not.toContain('SECRET');
    },
  );
});
