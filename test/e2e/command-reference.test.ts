import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';

it('the reference of commands says what the program says', async () => {
  const script = projectPath('scripts/command-reference.js');
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({
    stderr: '',
  });
});
