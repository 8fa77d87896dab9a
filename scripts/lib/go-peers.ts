import { createHash } from 'node:crypto';
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
  /** Files of the folder that are more than a start of that module: another one is another peer. */
  readonly sources?: readonly string[];
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

/** Shows what go-containerregistry, containerd, CRI-O and overlayfs see in an image. */
export const FLATTEN: GoPeer = {
  name: 'flatten',
  folder: projectPath('test/peers/flatten'),
  target: '.',
  module: 'github.com/google/go-containerregistry',
  sources: ['main.go', 'go.sum'],
};

/**
 * Where the program lies that `npm run peers` makes: outside of this folder, since making it takes
 * minutes, and each clone can use the same one.
 */
export function pathOfPeer({ name, folder, module, sources = [] }: GoPeer): string {
  const pinned = readFileSync(join(folder, 'go.mod'), 'utf8');
  const line = pinned
    .split(/\s*\n\s*/)
    .find((text) => text.replace(/^require /, '').startsWith(`${module} v`))!;
  const version = line.split(' ').find((word) => /^v\d/.test(word))!;
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const hash = createHash('sha256');
  for (const source of sources) hash.update(readFileSync(join(folder, source)));
  const own = sources.length === 0 ? '' : `-${hash.digest('hex').slice(0, 12)}`;
  return join(caches, 'bundle-test-peers', `${name}-${version}${own}-${process.arch}`);
}
