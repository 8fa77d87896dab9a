import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRegistriesConf } from '../../../src/mirrors/registries-conf-file.ts';
import { loadRegistriesConf } from '../../../src/mirrors/registries-conf.ts';
import { projectPath } from '../../../scripts/lib/project-root.ts';

const AT = 'registries.conf';

describe('parseRegistriesConf', () => {
  it('reads what matters, and passes over the rest', async () => {
    const text = `
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"
[[registry]]
location = "registry.com/"
[[registry.mirror]]
location = "mirror.registry.com"
[aliases]
"ubi8" = "registry.access.redhat.com/ubi8"
`;
    expect(await parseRegistriesConf(text, AT)).toEqual({
      credentialHelpers: undefined,
      rules: [
        {
          prefix: 'registry.com',
          location: 'registry.com',
          insecure: false,
          blocked: false,
          mirrors: [{ location: 'mirror.registry.com', insecure: false, pull: 'all' }],
          from: AT,
        },
      ],
    });
    expect(await parseRegistriesConf('', AT)).toEqual({ rules: [], credentialHelpers: undefined });
  });

  it.each([
    ['cred-helper.conf', ['helper-registry']],
    ['cred-helper-with-auth-files.conf', ['containers-auth.json', 'helper-registry']],
  ])('reads the credential helpers of %s', async (name, expected) => {
    const { credentialHelpers } = await parseRegistriesConf(
      readFileSync(projectPath('fixtures', 'auth', name), 'utf8'),
      name,
    );
    expect(credentialHelpers).toEqual(expected);
  });

  it.each([
    'registry = 1',
    '[[registry]]\nblocked = true',
    '[[registry]]\nlocation = 5',
    '[[registry]]\nlocation = "https://quay.io"',
    '[[registry]]\nprefix = "*.quay.io/a"',
    '[[registry]]\nprefix = "quay.*.io"',
    '[[registry]]\nlocation = "quay.io"\nblocked = "yes"',
    '[[registry]]\nlocation = "quay.io"\npull-from-mirror = "all"',
    '[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\ninsecure = true',
    '[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "a.io"\npull-from-mirror = "never"',
    '[[registry]]\nlocation = "quay.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "a.io"\npull-from-mirror = "all"',
    'credential-helpers = ["../x"]',
    'credential-helpers = "x"',
  ])('refuses %j', async (text) => {
    await expect(parseRegistriesConf(text, AT)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      subject: AT,
    });
  });

  it('says where it is not TOML', async () => {
    await expect(parseRegistriesConf('a = 1\nb = \n', AT)).rejects.toThrow(/line 2/);
  });
});

describe('loadRegistriesConf', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'bundle-conf-'));
  });
  afterEach(async () => {
    await rm(home, { recursive: true });
  });
  const put = async (path: string, text: string): Promise<string> => {
    await mkdir(join(home, path, '..'), { recursive: true });
    await writeFile(join(home, path), text);
    return join(home, path);
  };
  const registry = (location: string, more = ''): string =>
    `[[registry]]\nlocation = "${location}"\n${more}`;

  it('takes drop-ins of the user in order, where a later one wins', async () => {
    await put('.config/containers/registries.conf', `${registry('a.io')}${registry('b.io')}`);
    await put('.config/containers/registries.conf.d/20.conf', registry('a.io', 'blocked = true'));
    await put(
      '.config/containers/registries.conf.d/10.conf',
      `credential-helpers = ["x"]\n${registry('a.io', 'insecure = true')}`,
    );
    await put('.config/containers/registries.conf.d/30.txt', 'not TOML');
    const { rules, credentialHelpers } = await loadRegistriesConf({ env: {}, home });
    expect(rules.map(({ prefix, insecure, blocked }) => ({ prefix, insecure, blocked }))).toEqual([
      { prefix: 'a.io', insecure: false, blocked: true },
      { prefix: 'b.io', insecure: false, blocked: false },
    ]);
    expect(credentialHelpers).toEqual(['x']);
  });
});
