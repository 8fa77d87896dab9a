import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../../../src/stores/registry/host/challenge.ts';

const plain = (header: string | readonly string[] | undefined): unknown =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('parseChallenges', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['Basic realm="Registry Realm"', [['basic', { realm: 'Registry Realm' }]]],
    [
      'Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:a/b:pull,push"',
      [
        [
          'bearer',
          {
            realm: 'https://quay.io/v2/auth',
            service: 'quay.io',
            scope: 'repository:a/b:pull,push',
          },
        ],
      ],
    ],
    [
      'Basic realm="a, b=\\"c\\"", Bearer realm=x , service=y',
      [
        ['basic', { realm: 'a, b="c"' }],
        ['bearer', { realm: 'x', service: 'y' }],
      ],
    ],
    [
      'Negotiate, NTLM TlRMTVNTUAAC==, Bearer  realm = "r"',
      [
        ['negotiate', {}],
        ['ntlm', {}],
        ['bearer', { realm: 'r' }],
      ],
    ],
    [',, Basic ,realm="x",,', [['basic', { realm: 'x' }]]],
    ['realm="of nobody"', []],
    ['Bearer REALM="first",realm="second"', [['bearer', { realm: 'first' }]]],
    [
      'Bearer realm="never closed',
      [
        ['bearer', { realm: '' }],
        ['never', {}],
      ],
    ],
    [
      ['Basic realm="x"', 'Bearer realm="y"'],
      [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'y' }],
      ],
    ],
  ])('reads %j', (header, expected) => {
    expect(plain(header)).toEqual(expected);
  });

  it('ends for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        parseChallenges(text);
      }),
    );
  });

  it('reads back what was written by the grammar', () => {
    const token = fc
      .stringMatching(/^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,8}$/)
      .map((text) => text.toLowerCase());
    const value = fc.string({
      unit: fc.constantFrom('a', 'B', ' ', ',', '=', '"', '\\', ':', '/', '\t'),
      maxLength: 12,
    });
    const challenge = fc.tuple(
      token,
      fc.dictionary(token, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    );
    const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const header = challenges.map(
          ([scheme, parameters]) =>
            `${scheme} ${Object.entries(parameters)
              .map(([name, text]) => `${name}=${quoted(text)}`)
              .join(', ')}`,
        );
        expect(plain(header.join(', '))).toEqual(challenges);
      }),
    );
  });
});
