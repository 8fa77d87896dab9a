import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { temporaryFolder, User } from '../support/user.ts';

const GOOD = projectPath('fixtures/image-sets/happy_path/isc-happy-path.yaml');
const BAD = projectPath('fixtures/image-sets/exit_codes/isc-generic-error.yaml');

describe('the file of an image set', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  beforeAll(async () => {
    temporary = await temporaryFolder('image-sets');
    user = await User.new(temporary.path);
  });
  afterAll(() => temporary.remove());

  it('is checked without a network', async () => {
    const { status, stdout } = await user.bundle(['imageset', 'check', GOOD]);
    expect(status).toBe(0);
    expect(stdout).toContain('is good');
    expect(stdout).toContain('quay.io/oc-mirror/release/test-release-index:v0.0.1');
  });

  it('is refused with the line of what is wrong', async () => {
    const { status, stdout } = await user.bundle(['imageset', 'check', BAD]);
    expect(status).toBe(2);
    expect(stdout).toContain(`${BAD}:3:1: error: storageConfig is a key of oc-mirror v1`);
  });

  it('is refused in JSON, too', async () => {
    const { status, stdout } = await user.bundle(['imageset', 'check', BAD, '--output', 'json']);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ file: BAD, usable: false },
      findings: [{ level: 'error', code: 'changed-key', line: 3, column: 1 }],
    });
  });

  it.each([
    ['is not there', 'missing.yaml', undefined, 23],
    ['is larger than any', 'large.yaml', '#'.repeat(1_100_000), 2],
    ['is a bomb', 'bomb.yaml', bomb(), 2],
    ['is no text', 'binary.yaml', '\0'.repeat(100), 2],
  ])('ends with its own status where it %s', async (_, name, text, expected) => {
    const path = join(temporary.path, name);
    if (text !== undefined) await writeFile(path, text);
    const { status } = await user.bundle(['imageset', 'check', path]);
    expect(status).toBe(expected);
  });

  it('is written for options, and asked for only on a terminal', async () => {
    const path = join(temporary.path, 'new.yaml');
    const options = ['--channel', 'stable-4.17', '--min-version', '4.17.1', '--graph'];
    expect(await user.bundle(['imageset', 'init', path, ...options])).toMatchObject({ status: 0 });
    expect(await readFile(path, 'utf8')).toContain('name: stable-4.17');
    expect(await user.bundle(['imageset', 'check', path])).toMatchObject({ status: 0 });
    const again = await user.bundle(['imageset', 'init', path, ...options, '--image', 'a.io/b:1']);
    expect(again).toMatchObject({ status: 2 });
    const { status, stderr } = await user.bundle(['imageset', 'init', `${path}.other`]);
    expect(status).toBe(2);
    expect(stderr).toContain('nobody can be asked');
  });
});

/** A few lines that are billions of operators, for a reader that follows each alias. */
function bomb(): string {
  const lists = ['a0: &a0 [{name: x, channels: [{name: y}]}]'];
  for (let level = 1; level < 9; level += 1)
    lists.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(',')}]`,
    );
  const channels = `c: &c [${Array(500).fill('{name: y}').join(',')}]`;
  const packages = `p: &p [${Array(500).fill('{name: x, channels: *c}').join(',')}]`;
  return [...lists, channels, packages]
    .join('\n')
    .concat(
      '\nkind: ImageSetConfiguration\nmirror:\n  operators:\n',
      '  - {catalog: "r.example.com/i:1", packages: *p}\n',
    );
}
