import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { projectPath } from './project-root.ts';

/** The Go module that makes the API server. */
export const KUBE_APISERVER_MODULE = projectPath('test/peers/kube-apiserver');

/**
 * Where the API server lies that `npm run peers` makes: outside of this folder, since making it
 * takes minutes, and each clone can use the same one.
 */
export function kubeApiServerPath(): string {
  const module = readFileSync(join(KUBE_APISERVER_MODULE, 'go.mod'), 'utf8');
  const version = /k8s\.io\/kubernetes (v[0-9.]+)/.exec(module)![1]!;
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(caches, 'bundle-test-peers', `kube-apiserver-${version}-${process.arch}`);
}
