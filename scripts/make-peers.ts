// Makes the programs of others that tests run against, and that no package of Debian has, with Go.
// One that is there already is kept.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { FLATTEN, type GoPeer, HELM, KUBE_APISERVER, pathOfPeer } from './lib/go-peers.ts';

for (const peer of [FLATTEN, HELM, KUBE_APISERVER]) {
  try {
    make(peer);
  } catch (error) {
    // The others can be made all the same.
    process.stderr.write(`${peer.name} cannot be made: ${String(error)}\n`);
    process.exitCode = 1;
  }
}

function make(peer: GoPeer): void {
  const path = pathOfPeer(peer);
  if (existsSync(path)) {
    process.stdout.write(`there already: ${path}\n`);
    return;
  }
  const begun = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    process.stdout.write(`making ${path}: this takes some minutes\n`);
    execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', begun, peer.target], {
      cwd: peer.folder,
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    renameSync(begun, path);
  } finally {
    rmSync(begun, { force: true });
  }
}
