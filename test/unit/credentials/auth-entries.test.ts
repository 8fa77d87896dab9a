import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/core/reference.ts';
import { Credentials } from '../../../src/core/credentials.ts';
import {
  type AuthFile,
  findEntry,
  type HelperCall,
  parseAuthFile,
} from '../../../src/credentials/auth-entries.ts';

const fixture = (name: string, legacy = false): AuthFile =>
  parseAuthFile(
    readFileSync(new URL(`../../../fixtures/auth/${name}`, import.meta.url), 'utf8'),
    name,
    legacy,
  );

const user = (file: AuthFile, reference: string): string | HelperCall | undefined => {
  const found = findEntry(file, parseReference(reference));
  return found instanceof Credentials ? `${found.username}:${found.password}` : found;
};

describe('findEntry', () => {
  it.each([
    ['example.json', 'example.org/repo', 'example:org'],
    ['example.json', 'registry.example.org/repo', undefined],
    ['refpath.json', 'example.org/repo', 'example:org'],
    ['refpath.json', 'example.org/repo/image', 'example:org'],
    ['refpath.json', 'example.org/repository', 'local:host'],
    ['refpath.json', 'example.org/image', 'local:host'],
    ['refpath.json', 'docker.io/vendor/product', 'first:level'],
    ['refpath.json', 'docker.io/vendor', 'first:level'],
    ['refpath.json', 'docker.io/library/busybox', 'library:busybox'],
    ['refpath.json', 'docker.io/library/alpine', 'library:other'],
    ['refpath.json', 'docker.io/someone/else', 'top:level'],
    ['refpath.json', 'example.com/repo', undefined],
    ['full.json', 'docker.io/library/alpine', 'docker:io'],
    ['full.json', 'index.docker.io/library/alpine', 'index:docker.io'],
    ['full.json', 'localhost/a', 'local:host'],
    ['full.json', 'localhost:5000/a', 'local:host-5000'],
    ['full.json', 'localhost:5001/a', undefined],
    ['full.json', '10.10.30.45:5000/a', '10.10:30.45-5000'],
    ['full.json', 'normalize.example.org/a/b', 'normalize:example'],
    ['abnormal.json', 'docker.io/library/alpine', 'index:docker.io'],
    ['abnormal.json', '127.0.0.1:5000/a', '127.0:0.1-5000'],
    ['abnormal.json', 'localhost/a', 'local:host'],
    ['abnormal.json', 'localhost:5001/a', 'local:host-5001'],
    ['abnormal.json', 'localhost:5000/a', 'local:host-5000'],
    ['empty.json', 'example.org/repo', undefined],
    ['empty.json', 'localhost:5000/repo', undefined],
  ])('in %s for %s: %s', (file, reference, expected) => {
    expect(user(fixture(file), reference)).toBe(expected);
  });

  it('in a .dockercfg', () => {
    expect(user(fixture('legacy.json', true), 'docker.io/library/alpine')).toBe('docker:io-legacy');
    expect(user(fixture('legacy.json', true), 'localhost/a')).toBe('local:host-legacy');
  });

  it('has the identity token', () => {
    const identityToken = 'some very long identity token';
    const name = parseReference('example.org/repo');
    expect(findEntry(fixture('example_identitytoken.json'), name)).toEqual(
      new Credentials('00000000-0000-0000-0000-000000000000', '', identityToken),
    );
    const alone = { auths: { 'example.org': { identitytoken: identityToken } } };
    expect(findEntry(parseAuthFile(JSON.stringify(alone), 'auth.json'), name)).toEqual(
      new Credentials('', '', identityToken),
    );
  });
});

describe('parseAuthFile', () => {
  const entries = (auths: object): AuthFile =>
    parseAuthFile(JSON.stringify({ auths }), 'auth.json');
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  it('splits at the first colon, and keeps what Docker pads away', () => {
    expect(user(entries({ 'a.io': { auth: base64('user:pass:word\0\0') } }), 'a.io/b')).toBe(
      'user:pass:word',
    );
  });

  it('passes over entries without credentials, as Docker leaves them for its helpers', () => {
    const file = entries({
      'a.io/b': {},
      'a.io': { auth: base64('u:p') },
      'c.io': { auth: 'bm9jb2xvbg==' },
      'd.io': null,
    });
    expect(user(file, 'a.io/b')).toBe('u:p');
    expect(user(file, 'c.io/b')).toBeUndefined();
    expect(user(file, 'd.io/b')).toBeUndefined();
  });

  it('reads the names of settings without regard to capitals, as Go does', () => {
    const auth = base64('u:p');
    const file = (document: object): AuthFile =>
      parseAuthFile(JSON.stringify(document), 'auth.json');
    expect(user(file({ Auths: { 'a.io': { Auth: auth } } }), 'a.io/b')).toBe('u:p');
    expect(user(file({ AUTHS: {}, auths: { 'a.io': { auth } } }), 'a.io/b')).toBe('u:p');
    const token = findEntry(
      file({ auths: { 'a.io': { auth, identityToken: 't' } } }),
      parseReference('a.io/b'),
    );
    expect(token).toEqual(new Credentials('u', 'p', 't'));
    expect(user(file({ credhelpers: { 'a.io': 'h' } }), 'a.io/b')).toMatchObject({ helper: 'h' });
    expect(user(file({ CredsStore: 'all' }), 'a.io/b')).toMatchObject({ helper: 'all' });
  });

  it('sends to helper programs, before the entries for one registry and after them for all', () => {
    expect(user(fixture('config.json'), 'registry-no-creds.com/a')).toEqual({
      helper: 'helper-registry',
      server: 'registry-no-creds.com',
    });
    const file = parseAuthFile(
      JSON.stringify({
        auths: { 'a.io': { auth: base64('u:p') }, 'b.io': { auth: base64('u:p') }, 'c.io': {} },
        credHelpers: { 'a.io': 'a' },
        credsStore: 'all',
      }),
      'auth.json',
    );
    expect(user(file, 'a.io/x')).toEqual({ helper: 'a', server: 'a.io' });
    expect(user(file, 'b.io/x')).toBe('u:p');
    expect(user(file, 'c.io/x')).toEqual({ helper: 'all', server: 'c.io' });
    expect(user(file, 'docker.io/library/x')).toEqual({
      helper: 'all',
      server: 'https://index.docker.io/v1/',
    });
  });

  it.each([
    [{ auth: 'not base64' }, '"auth" of "bad.io"'],
    [{ auth: 'dTpw=' }, '"auth" of "bad.io"'],
    [{ auth: 7 }, '"auth" of "bad.io"'],
    [{ identitytoken: {} }, '"identitytoken" of "bad.io"'],
  ])('refuses the entry %j, where it is asked for', (entry, place) => {
    const file = entries({ 'bad.io': entry, 'good.io': { auth: base64('u:p') } });
    expect(user(file, 'good.io/a')).toBe('u:p');
    expect(() => user(file, 'bad.io/a')).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', subject: 'auth.json' }) as Error,
    );
    expect(() => user(file, 'bad.io/a')).toThrow(place);
  });

  it.each([
    { credHelpers: { 'a.io': '../../bin/sh' } },
    { credHelpers: { 'a.io': 1 } },
    { credHelpers: [] },
    { credsStore: 'a b' },
  ])('refuses %j', (document) => {
    const parse = (): unknown => parseAuthFile(JSON.stringify(document), 'auth.json');
    expect(parse).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }) as Error);
  });

  it.each([
    'null',
    '{"auths": null}',
    '{"auths": {}, "credHelpers": null, "credsStore": null}',
    '{"auths": {"a.io": {"auth": null, "identitytoken": null}}}',
    '{"auths": {"a.io": {"auth": ""}}, "credHelpers": {"a.io": null}}',
  ])('takes %j for saying nothing, as Go does', (text) => {
    expect(user(parseAuthFile(text, 'auth.json'), 'a.io/b')).toBeUndefined();
  });

  it.each([
    ['quay.io/team', 'quay.io/team/a', true, false],
    ['example.com', 'example.com/ns/repo', true, false],
    ['example.com:8000', 'example.com:8000/ns/repo', true, false],
    ['example.com:8000', 'example.com/ns/repo', false, false],
    ['https://index.docker.io/v1/', 'docker.io/library/x', true, false],
    ['https://index.docker.io/v1/', 'docker.io/vendor/x', true, false],
    ['quay.io', 'quay.io/team', true, false],
    ['quay.io/team', 'quay.io/other', false, false],
    ['https://quay.io/v1/', 'quay.io/team', true, false],
    ['https://quay.io/v1/', 'quay.io/team', true, true],
    ['quay.io/v1/', 'quay.io/team', true, true],
  ])('has for the key %s, asked for %s: %s (.dockercfg: %s)', (key, name, found, legacy) => {
    const auths = { [key]: { auth: base64('u:p') } };
    const file = parseAuthFile(JSON.stringify(legacy ? auths : { auths }), 'auth.json', legacy);
    expect(user(file, name)).toBe(found ? 'u:p' : undefined);
  });

  it.each([
    'quay.io/image',
    'quay.io/user/image',
    'quay.io/a/b/c/d/image',
    'docker.io/library/x',
    'docker.io/vendor/x',
  ])('looks for %s under each part of its path, the longest first', (name) => {
    const parts = name.split('/');
    const keys = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    for (const [index, key] of keys.entries()) {
      const known = Object.fromEntries(
        keys.slice(0, index + 1).map((part) => [part, { auth: base64(`${part}:p`) }]),
      );
      expect(user(entries(known), name)).toBe(`${key}:p`);
      // A .dockercfg knows no paths.
      const old = parseAuthFile(JSON.stringify(known), '.dockercfg', true);
      expect(user(old, name)).toBe(`${parts[0]!}:p`);
    }
  });

  it('says where it is not JSON', () => {
    expect(() => parseAuthFile('{"auths": {\n  "a.io": {"auth": c2VjcmV0}}}', 'auth.json')).toThrow(
      'line 2, column 20',
    );
  });

  it.each(['', '{', '[]', '"auths"', '{"auths": []}', '{"auths": "c2VjcmV0OnNlY3JldA=="'])(
    'refuses %j without quoting it',
    (text) => {
      let thrown: unknown;
      try {
        parseAuthFile(text, 'auth.json');
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'CONFIGURATION', subject: 'auth.json' });
      expect(thrown).not.toHaveProperty('cause');
      expect(String(thrown)).not.toContain('c2VjcmV0');
    },
  );
});
