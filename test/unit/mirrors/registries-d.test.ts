import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { digestOf } from '../../../src/core/digest.ts';
import { loadRegistriesD, lookasideOf } from '../../../src/mirrors/registries-d.ts';

const DIGEST = digestOf('an image');
const FILE = `
docker:
  quay.io: {lookaside: "https://host"}
  quay.io/team: {sigstore: "https://old", lookaside-staging: "file:///own"}
  quay.io/team/tool: {lookaside-staging: "file:///own"}
  quay.io/team/web: {lookaside: "https://web", sigstore: "https://not-this"}
  "quay.io/team/web@${DIGEST}": {lookaside: "https://one"}
  "*.example.com": {lookaside: "https://wild"}
  "*.com": {lookaside: "https://wilder"}
  r.example.com:5000/a: {lookaside: "https://port"}
`;

describe('the places of signatures', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-registries-d-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const load = (named?: string) =>
    loadRegistriesD({
      ...(named !== undefined && { folder: join(folder, named) }),
      ...{ home: join(folder, 'home'), system: join(folder, 'etc') },
    });
  const of = async (name: string, builtIn = true): Promise<string | undefined> => {
    const [registry = '', ...path] = name.split('/');
    const rules = { ...(await load()), builtIn };
    return lookasideOf({ registry, repository: path.join('/') }, DIGEST, rules);
  };

  it.each([
    ['quay.io/other/tool', 'https://host'],
    ['quay.io/team', 'https://old'],
    ['quay.io/team/tool', 'https://old'],
    ['quay.io/team/tool/more', 'https://old'],
    ['quay.io/teams/tool', 'https://host'],
    ['quay.io/team/web/more', 'https://web'],
    ['quay.io/team/web', 'https://one'],
    ['r.example.com/a', 'https://wild'],
    ['r.example.com:5000/a/b', 'https://port'],
    ['r.example.com:5001/a', 'https://wild'],
    ['a.r.example.com/a', 'https://wild'],
    ['example.com/a', 'https://wilder'],
    ['registry.redhat.io/a', 'https://registry.redhat.io/containers/sigstore'],
    ['registry.access.redhat.com/a', 'https://wilder'],
    ['docker.io/a', undefined],
  ])('of %s are at %s', async (name, expected) => {
    await write('etc/some.yaml', FILE);
    expect(await of(name)).toBe(expected);
  });

  it('are the default where no namespace has one, and Red Hat’s only without that', async () => {
    await write('etc/default.yaml', 'default-docker: {lookaside: "https://default"}\n');
    await write('etc/staging.yaml', 'docker: {docker.io: {lookaside-staging: "file:///own"}}\n');
    await write('etc/not-read.yml', 'docker: {docker.io: {lookaside: "https://no"}}\n');
    expect(await of('docker.io/a')).toBe('https://default');
    expect(await of('registry.redhat.io/a')).toBe('https://default');
    await rm(join(folder, 'etc/default.yaml'));
    expect(await of('docker.io/a')).toBeUndefined();
    expect(await of('registry.redhat.io/a', false)).toBeUndefined();
  });

  it('are said by the user alone where they have a folder, and by nobody where none is', async () => {
    expect(await of('quay.io/a')).toBeUndefined();
    await write('etc/some.yaml', FILE);
    await write('home/.config/containers/registries.d/own.yaml', '# nothing\n');
    expect(await of('quay.io/a')).toBeUndefined();
    await expect(load('not-there')).rejects.toMatchObject({ code: 'NOT_FOUND', exitStatus: 23 });
  });

  it.each([
    ['a key twice', 'docker: {a.io: {}, a.io: {}}\n', 'a key stands twice'],
    ['no map', '- docker\n', 'it is not a map'],
    ['no YAML', 'docker: {\n', 'it is not YAML'],
    ['no namespaces', 'docker: [a.io]\n', 'docker is not a map'],
    ['a text for a namespace', 'docker: {a.io: text}\n', 'docker, a.io is not a map'],
    ['a URL of another kind', 'default-docker: {lookaside: "s3://a"}\n', 'lookaside is not a URL'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe]), 'etc/some.yaml'],
  ])('are refused for %s', async (_, text, message) => {
    await mkdir(join(folder, 'etc'), { recursive: true });
    await writeFile(join(folder, 'etc/some.yaml'), text);
    await expect(load()).rejects.toMatchObject({
      ...{ code: 'CONFIGURATION', exitStatus: 2 },
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([
    ['default-docker: {}\n', 'default-docker'],
    ['docker: {a.io: {}}\n', 'the namespace a.io'],
  ])('are refused where two files have %s', async (text, what) => {
    await write('etc/one.yaml', text);
    await write('etc/two.yaml', text);
    await expect(load()).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`two.yaml: ${what} stands in .*one.yaml`),
      ) as string,
    });
  });
});
