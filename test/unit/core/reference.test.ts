import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import {
  formatReference,
  isRepository,
  isTag,
  parseReference,
  parseRepositoryName,
  type Reference,
} from '../../../src/core/reference.ts';

const digest = digestOf('content');
const refusal = expect.objectContaining({ code: 'USAGE' }) as Error;

describe('parseReference', () => {
  it.each<[string, Reference]>([
    ['quay.io/a', { registry: 'quay.io', repository: 'a' }],
    [
      'quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64',
      {
        registry: 'quay.io',
        repository: 'openshift-release-dev/ocp-release',
        tag: '4.17.3-x86_64',
      },
    ],
    [`quay.io/a/b@${digest}`, { registry: 'quay.io', repository: 'a/b', digest }],
    [`quay.io/a/b:t@${digest}`, { registry: 'quay.io', repository: 'a/b', tag: 't', digest }],
    ['localhost/a', { registry: 'localhost', repository: 'a' }],
    ['localhost:5000/a:5000', { registry: 'localhost:5000', repository: 'a', tag: '5000' }],
    [
      'registry:5000/ocp4/openshift/release',
      { registry: 'registry:5000', repository: 'ocp4/openshift/release' },
    ],
    ['10.0.0.1:5000/a', { registry: '10.0.0.1:5000', repository: 'a' }],
    [`[::1]:5000/a:t@${digest}`, { registry: '[::1]:5000', repository: 'a', tag: 't', digest }],
    ['[fe80::1]/a', { registry: '[fe80::1]', repository: 'a' }],
    ['docker://quay.io/a:t', { registry: 'quay.io', repository: 'a', tag: 't' }],
    [
      'quay.io/a__b/c---d/e.f_g:T',
      { registry: 'quay.io', repository: 'a__b/c---d/e.f_g', tag: 'T' },
    ],
    [
      `quay.io/a:${'t'.repeat(128)}`,
      { registry: 'quay.io', repository: 'a', tag: 't'.repeat(128) },
    ],
  ])('reads %s', (text, reference) => {
    expect(parseReference(text)).toEqual(reference);
    expect(formatReference(reference)).toBe(text.replace('docker://', ''));
  });

  it.each([
    '',
    'quay.io',
    'quay.io/',
    '/a',
    'ubuntu',
    'library/ubuntu',
    'localhost:5000',
    'quay.io/A',
    'quay.io/a//b',
    'quay.io/a/',
    'quay.io//a',
    'quay.io/../a',
    'quay.io/./a',
    'quay.io/a..b',
    'quay.io/a___b',
    'quay.io/-a',
    'quay.io/a-',
    'quay.io/a:',
    'quay.io/a:.t',
    'quay.io/a:-t',
    'quay.io/a:t/b',
    'quay.io/a:t:u',
    'quay.io/a:t u',
    `quay.io/a:${'t'.repeat(129)}`,
    'quay.io/a@',
    'quay.io/a@sha256:0',
    `quay.io/a@${digest.toUpperCase()}`,
    `quay.io/a@${digest}@${digest}`,
    `quay.io/a@${digest}:t`,
    `quay.io/a@sha512:${'0'.repeat(128)}`,
    'user@quay.io/a',
    'user:secret@quay.io/a',
    'https://quay.io/a',
    'oci:/srv/a',
    'docker://',
    'docker://docker://quay.io/a',
    'quay.io/a?b=c',
    'quay.io/a#b',
    'quay.io/a%2fb',
    'quay.io/a\n',
    'quay.io\n/a',
    ' quay.io/a',
    'quay.io /a',
    'quay..io/a',
    '.quay.io/a',
    'quay.io./a',
    '-quay.io/a',
    'quay_.io/a',
    'quay.io:/a',
    'quay.io:x/a',
    'quay.io:70000/a',
    'quay.io:0/a',
    'quay.io:123456/a',
    '::1/a',
    '[::1/a',
    '[]/a',
    '[::1]x/a',
    '[::g]/a',
    'quay.io/ä',
    'quaу.io/a', // a Cyrillic letter
    `quay.io/${'a'.repeat(250)}`,
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(refusal);
  });

  const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?$/);
  const host = fc.oneof(
    fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.')),
    fc.constantFrom('localhost', '[::1]', '[2001:db8::10]', '192.0.2.1'),
  );
  const registry = fc
    .tuple(host, fc.option(fc.integer({ min: 1, max: 65_535 })))
    .map(([name, port]) => (port === null ? name : `${name}:${port}`));
  const component = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,3}$/);
  const repository = fc
    .array(component, { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/);
  const reference = fc.record(
    { registry, repository, tag, digest: fc.string().map((text) => digestOf(text)) },
    { requiredKeys: ['registry', 'repository'], noNullPrototype: true },
  );

  it('reads back every reference that is written', () => {
    fc.assert(
      fc.property(reference, (value) => {
        expect(parseReference(formatReference(value))).toEqual(value);
      }),
    );
  });

  it('either refuses a text or writes it back as it was', () => {
    const part = fc.oneof(
      fc.constantFrom(
        'quay.io',
        '/',
        ':',
        '@',
        digest,
        'a',
        '[::1]',
        '.',
        '..',
        'docker://',
        '5000',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        let read;
        try {
          read = parseReference(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' });
          return;
        }
        expect(formatReference(read)).toBe(
          text.startsWith('docker://') ? text.slice('docker://'.length) : text,
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses long hostile texts at once', () => {
    for (const text of [
      'a'.repeat(200_000),
      'a.'.repeat(100_000),
      'a-'.repeat(100_000),
      `quay.io/${'a_'.repeat(100_000)}`,
      '['.repeat(200_000),
    ]) {
      expect(() => parseReference(`${text}!/a`)).toThrow(refusal);
      expect(isRepository(text)).toBe(false);
      expect(isTag(text)).toBe(false);
    }
  });
});

describe('parseRepositoryName', () => {
  it('takes no tag and no digest', () => {
    expect(parseRepositoryName('docker://quay.io/a/b')).toEqual({
      registry: 'quay.io',
      repository: 'a/b',
    });
    expect(() => parseRepositoryName('quay.io/a:t')).toThrow(refusal);
    expect(() => parseRepositoryName(`quay.io/a@${digest}`)).toThrow(refusal);
  });
});
