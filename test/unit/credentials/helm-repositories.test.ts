import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  credentialsOf,
  type HelmRepositories,
  readHelmRepositories,
} from '../../../src/credentials/helm-repositories.ts';
import { temporaryFolder } from '../../support/user.ts';

/** As `helm repo add --username --password` writes it. */
const WRITTEN = `apiVersion: ""
generated: "0001-01-01T00:00:00Z"
repositories:
- caFile: ""
  certFile: ""
  insecure_skip_tls_verify: false
  keyFile: ""
  name: team
  pass_credentials_all: false
  password: 'se:cret #1'
  url: https://charts.example.com/team/
  username: me
- name: open
  url: https://open.example.com
`;

describe('the chart repositories of helm', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const read = async (text: string): Promise<HelmRepositories> => {
    await writeFile(join(folder.path, 'repositories.yaml'), text);
    return readHelmRepositories(join(folder.path, 'repositories.yaml'));
  };

  beforeAll(async () => {
    folder = await temporaryFolder('helm-repositories');
  });
  afterAll(() => folder.remove());

  it('have a user and a password for a repository, and for no other', async () => {
    const repositories = await read(WRITTEN);
    const found = credentialsOf(repositories, 'https://charts.example.com/team');
    expect([found?.username, found?.password]).toEqual(['me', 'se:cret #1']);
    for (const other of ['https://charts.example.com', 'http://charts.example.com/team'])
      expect(credentialsOf(repositories, other)).toBeUndefined();
    expect(credentialsOf(repositories, 'https://open.example.com/')).toBeUndefined();
  });

  it.each([
    ['no YAML', 'repositories: [\n  password: SECRET'],
    ['no list', 'password: SECRET'],
    ['an entry that is a text', 'repositories: [SECRET]'],
    ['a password that is a number', 'repositories: [{ url: "https://a", password: 12345 }]'],
  ])('are refused where the file has %s, and nothing of it is told', async (_, text) => {
    const error = await read(text).catch((failure: unknown) => failure as Error);
    expect(error).toMatchObject({ code: 'CONFIGURATION' });
    expect(JSON.stringify([error, (error as Error).message])).not.toMatch(/SECRET|12345/);
  });
});
