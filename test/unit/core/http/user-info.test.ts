import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../../src/core/digest.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { withoutPassword, withoutPasswords } from '../../../../src/core/http/user-info.ts';

const digest = digestOf('content');

describe('a text with what somebody has written', () => {
  it.each([
    ['not a mirror rule: quay.io=me:s3/c=r@t@host/x', 'not a mirror rule: quay.io=me:***@host/x'],
    ['me:secret@host', 'me:***@host'],
    ['(https://me:secret@host/x)', '(https://me:***@host/x)'],
    ['get https://token@host/x', 'get https://***@host/x'],
    ['quay.io=https://me:secret@host', 'quay.io=https://me:***@host'],
    ['docker://me:secret@host/x: no', 'docker://me:***@host/x: no'],
    [`me:secret@host/x:1@${digest}`, `me:***@host/x:1@${digest}`],
    ['"me:secret@host" is none', '"me:***@host" is none'],
    ['me:12345/67@host/x', 'me:***@host/x'],
  ])('loses the password of %s', (text, shown) => {
    expect(withoutPasswords(text)).toBe(shown);
  });

  it.each([
    `host:5000/a/b:1@${digest}`,
    `host/a:1@${digest}, host/b:2@${digest}`,
    'host:5000/a@v1',
    'https://host:5000/a@v1',
    'Some One <someone@example.com>',
    'nobody is at host:5000',
  ])('stays as it is without one: %s', (text) => {
    expect(withoutPasswords(text)).toBe(text);
  });

  it('loses all of a password with blanks in it, where the text is all that was written', () => {
    expect(withoutPassword('me:my secret@host')).toBe('me:***@host');
  });

  it('is in no field of a failure, and not in a failure that is told again', () => {
    const typed = 'me:secret@host';
    const error = new BundleError('USAGE', typed, {
      ...{ hint: typed, expected: typed, got: typed },
      details: [{ label: 'faults', items: [typed] }],
    });
    const again = error.about(typed).withHint(typed).retold(typed);
    for (const each of [error, again]) {
      const { message, stack, hint, details, expected, got, subject } = each;
      const all = JSON.stringify([message, stack, hint, details, expected, got, subject]);
      expect(all).not.toContain('secret');
      expect(all).toContain('me:***@host');
    }
  });
});
