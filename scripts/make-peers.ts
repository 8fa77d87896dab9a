// Makes the programs of others that tests run against, and that no package of Debian has, with Go.
// One that is there already is kept.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { type GoPeer, HELM, KUBE_APISERVER, pathOfPeer } from './lib/go-peers.ts';

for (const peer of [HELM, KUBE_APISERVER]) make(peer);

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
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    renameSync(begun, path);
  } finally {
    rmSync(begun, { force: true });
  }
}
