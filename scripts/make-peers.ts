// Makes the programs of others that tests run against, and that no package of Debian has, with Go.
// One that is there already is kept.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { KUBE_APISERVER_MODULE, kubeApiServerPath } from './lib/kube-apiserver.ts';

const path = kubeApiServerPath();
if (existsSync(path)) {
  process.stdout.write(`there already: ${path}\n`);
} else {
  const begun = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    process.stdout.write(`making ${path}: this takes some minutes\n`);
    execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', begun, '.'], {
      cwd: KUBE_APISERVER_MODULE,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    renameSync(begun, path);
  } finally {
    rmSync(begun, { force: true });
  }
}
