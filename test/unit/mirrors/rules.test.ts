import { describe, expect, it } from 'vitest';
import { parseRepositoryName } from '../../../src/core/reference.ts';
import { parseRegistriesConf } from '../../../src/mirrors/registries-conf-file.ts';
import {
  parseMirrorOption,
  pullPlaces,
  pushPlace,
  type PullPlace,
} from '../../../src/mirrors/rules.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const SIGNATURE = `sha256-${'0'.repeat(64)}.sig`;

const CONF = `
[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "near.example.com:5000/quay"
[[registry.mirror]]
location = "tags.example.com"
pull-from-mirror = "tag-only"
insecure = true

[[registry]]
prefix = "quay.io/openshift-release-dev"
location = "quay.io/openshift-release-dev"
mirror-by-digest-only = true
[[registry.mirror]]
location = "near.example.com:5000/ocp"

[[registry]]
location = "example.com/foo"
prefix = "example.com/bar"
insecure = true

[[registry]]
prefix = "*.example.org"
blocked = true
[[registry.mirror]]
location = "near.example.com"

[[registry]]
location = "plain.example.net"
insecure = true

[[registry]]
prefix = "quay.io/one/image@${DIGEST}"
location = "quay.io/other/image"

[[registry]]
location = "tags.example.com/closed"
blocked = true
`;

function shown({ name, insecure, blockedBy }: PullPlace): string {
  return `${name.registry}/${name.repository}${insecure ? ' insecure' : ''}${blockedBy === undefined ? '' : ' blocked'}`;
}

describe('pullPlaces', () => {
  it.each([
    ['quay.io/a/b', DIGEST, ['near.example.com:5000/quay/a/b', 'quay.io/a/b']],
    [
      'quay.io/a/b',
      'latest',
      ['near.example.com:5000/quay/a/b', 'tags.example.com/a/b insecure', 'quay.io/a/b'],
    ],
    [
      'quay.io/closed',
      'v1',
      [
        'near.example.com:5000/quay/closed',
        'tags.example.com/closed insecure blocked',
        'quay.io/closed',
      ],
    ],
    [
      'quay.io/openshift-release-dev/ocp-release',
      DIGEST,
      ['near.example.com:5000/ocp/ocp-release', 'quay.io/openshift-release-dev/ocp-release'],
    ],
    [
      'quay.io/openshift-release-dev/ocp-release',
      '4.17.3-x86_64',
      ['quay.io/openshift-release-dev/ocp-release'],
    ],
    [
      'quay.io/openshift-release-dev/ocp-release',
      SIGNATURE,
      ['near.example.com:5000/ocp/ocp-release', 'quay.io/openshift-release-dev/ocp-release'],
    ],
    [
      'quay.io/openshift-release-dev2/x',
      DIGEST,
      ['near.example.com:5000/quay/openshift-release-dev2/x', 'quay.io/openshift-release-dev2/x'],
    ],
    ['plain.example.net:8443/a', DIGEST, ['plain.example.net:8443/a insecure']],
    ['quay.io/one/image', DIGEST, ['quay.io/other/image']],
    [
      'quay.io/one/image',
      'latest',
      [
        'near.example.com:5000/quay/one/image',
        'tags.example.com/one/image insecure',
        'quay.io/one/image',
      ],
    ],
    ['example.com/bar', 'v1', ['example.com/foo insecure']],
    ['example.com/bar/x/y', DIGEST, ['example.com/foo/x/y insecure']],
    ['example.com/barn', DIGEST, ['example.com/barn']],
    ['a.b.example.org/x', DIGEST, ['near.example.com/x', 'a.b.example.org/x blocked']],
    ['a.example.org:5000/x', DIGEST, ['near.example.com:5000/x', 'a.example.org:5000/x blocked']],
    ['example.org/x', DIGEST, ['example.org/x']],
    ['plain.example.net/x', DIGEST, ['plain.example.net/x insecure']],
    ['elsewhere.io/x', DIGEST, ['elsewhere.io/x']],
  ] as [string, string, string[]][])('of %s, %s', async (name, reference, expected) => {
    const { rules } = await parseRegistriesConf(CONF, 'registries.conf');
    expect(pullPlaces(parseRepositoryName(name), reference, rules).map(shown)).toEqual(expected);
  });

  it('are decided by an option that fits, but for what is insecure or blocked', async () => {
    const { rules } = await parseRegistriesConf(CONF, 'registries.conf');
    const options = [
      parseMirrorOption('quay.io=plain.example.net/quay'),
      parseMirrorOption('quay.io/b=x.example.org'),
    ];
    const places = (name: string): string[] =>
      pullPlaces(parseRepositoryName(name), DIGEST, rules, options).map(shown);
    expect(places('quay.io/a/b')).toEqual(['plain.example.net/quay/a/b insecure']);
    expect(places('quay.io/b/c')).toEqual(['x.example.org/c blocked']);
    expect(places('example.com/bar/c')).toEqual(['example.com/foo/c insecure']);
  });

  it('are refused where nothing is left of the name', () => {
    const options = [parseMirrorOption('quay.io/a=mirror.example.com')];
    expect(() => pullPlaces(parseRepositoryName('quay.io/a'), DIGEST, [], options)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION' }) as Error,
    );
  });
});

it('pushPlace rewrites nothing, and knows what is blocked and insecure', async () => {
  const { rules } = await parseRegistriesConf(CONF, 'registries.conf');
  const place = (name: string): string => shown(pushPlace(parseRepositoryName(name), rules));
  expect(place('quay.io/a/b')).toBe('quay.io/a/b');
  expect(place('plain.example.net/a')).toBe('plain.example.net/a insecure');
  expect(place('a.example.org/a')).toBe('a.example.org/a blocked');
});

it('looks at no capitals of a host', async () => {
  const place = (text: string, name: string): string => {
    const rules = [{ ...parseMirrorOption('unused.example.com=x.io'), ...{ location: undefined } }];
    const blocks = text.split(' ').map((prefix) => ({ ...rules[0]!, prefix, blocked: true }));
    const free = { ...rules[0]!, prefix: text.split(' ')[0]!.toUpperCase() };
    return shown(pushPlace(parseRepositoryName(name), [free, ...blocks]));
  };
  expect(place('a.example.org', 'A.Example.org/a')).toBe('A.Example.org/a blocked');
  expect(place('A.EXAMPLE.ORG:5000/a', 'a.example.org:5000/a')).toBe(
    'a.example.org:5000/a blocked',
  );
  expect(place('*.Example.org', 'a.eXAMPLE.org/a')).toBe('a.eXAMPLE.org/a blocked');
});

it.each([
  '',
  'quay.io',
  '=x.io',
  'quay.io=',
  'quay.io=https://x.io',
  'quay.io=mirror/quay',
  'quay=x.io',
  'a.io=b.io=c.io',
  'quay.io/=x.io',
])('%j is no mirror option', (text) => {
  expect(() => parseMirrorOption(text)).toThrow(
    expect.objectContaining({ code: 'USAGE' }) as Error,
  );
});
