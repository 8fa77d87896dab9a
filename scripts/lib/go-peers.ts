import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { projectPath } from './project-root.ts';

/** A program of others that tests run against, which no package of Debian has, and Go makes. */
export interface GoPeer {
  readonly name: string;
  /** Folder of the Go module that pins its version. */
  readonly folder: string;
  /** What `go build` makes. */
  readonly target: string;
  /** The module whose version it has. */
  readonly module: string;
}

export const KUBE_APISERVER: GoPeer = {
  name: 'kube-apiserver',
  folder: projectPath('test/peers/kube-apiserver'),
  target: '.',
  module: 'k8s.io/kubernetes',
};

export const HELM: GoPeer = {
  name: 'helm',
  folder: projectPath('test/peers/helm'),
  target: 'helm.sh/helm/v3/cmd/helm',
  module: 'helm.sh/helm/v3',
};

/**
 * Where the program lies that `npm run peers` makes: outside of this folder, since making it takes
 * minutes, and each clone can use the same one.
 */
export function pathOfPeer({ name, folder, module }: GoPeer): string {
  const pinned = readFileSync(join(folder, 'go.mod'), 'utf8');
  const line = pinned
    .split(/\s*\n\s*/)
    .find((text) => text.replace(/^require /, '').startsWith(`${module} v`))!;
  const version = line.split(' ').find((word) => /^v\d/.test(word))!;
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(caches, 'bundle-test-peers', `${name}-${version}-${process.arch}`);
}
