import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { listenOnLoopback } from '../../../../scripts/lib/loopback.ts';
import { clusterSections } from '../../../../src/cli/present/cluster/apply-report.ts';
import { laidOut } from '../../../../src/cli/present/layout.ts';
import type { Context } from '../../../../src/core/context.ts';
import type { BundleError } from '../../../../src/core/errors.ts';
import { type Appliable, Applying } from '../../../../src/delivering/applying/applying.ts';
import type { ApplyReport } from '../../../../src/delivering/applying/request.ts';
import { EFFECTS, resourceFile } from '../../../../src/kinds/resource-file.ts';

const object = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'sha256-1', namespace: 'openshift-config-managed' },
};
const made = { ...object, metadata: { ...object.metadata, uid: 'one', resourceVersion: '1' } };
const file = resourceFile('signature.yaml', [object], EFFECTS.releaseSignature);

describe('an application', () => {
  let folder: string;
  let server: Server;
  let kubeconfig: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'applying-'));
    // It knows config maps alone, checks one that is to be made, and does not make it.
    server = createServer((request, response) => {
      const { url = '', method } = request;
      const isChecked = method === 'PATCH' && url.includes('dryRun=All');
      const resources = [{ name: 'configmaps', kind: 'ConfigMap', namespaced: true, verbs: [] }];
      const list = { kind: 'APIResourceList', groupVersion: 'v1', resources };
      const isGroup = /^\/api\/v1\/?$/.test(url);
      const status =
        isGroup || isChecked ? 200 : method === 'GET' && url.startsWith('/api/') ? 404 : 403;
      response.writeHead(url.includes('nodes') ? 403 : status, {
        'content-type': 'application/json',
      });
      const refusal = { kind: 'Status', message: 'not for you' };
      response.end(JSON.stringify(isGroup ? list : isChecked ? made : refusal));
    });
    const host = await listenOnLoopback(server);
    kubeconfig = join(folder, 'config');
    const text = {
      'current-context': 'lab',
      contexts: [{ name: 'lab', context: { cluster: 'lab' } }],
      clusters: [{ name: 'lab', cluster: { server: `http://${host}` } }],
    };
    await writeFile(kubeconfig, JSON.stringify(text));
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  const plan = async (more: Partial<Appliable>): Promise<Applying> =>
    Applying.plan(
      {
        ...({ scope: 'signatures', kubeconfig, context: undefined, canAsk: false } as const),
        confirm: async () => true,
      },
      {
        ...({ closure: { parts: [] }, kinds: [], files: [file], by: 'delivery' } as const),
        destinations: {} as Appliable['destinations'],
        ...more,
      },
      {
        environment: { env: {}, home: folder, uid: 0 },
        signal: new AbortController().signal,
        observe: () => undefined,
      } as unknown as Context,
    );

  it.each([
    ['delivery', 'Everything is at the target'],
    ['writing', 'nothing was pushed'],
  ] as const)('that fails after %s says what is done', async (by, said) => {
    const applying = await plan({ by });
    const error = await applying.apply([file]).catch((thrown: unknown) => thrown);
    const { message, hint } = error as BundleError;
    expect(message).toContain('Applied: nothing');
    expect(hint).toContain(said);
    expect(hint).toContain(`--kubeconfig ${kubeconfig}`);
  });

  const text = (report: ApplyReport): string => {
    const screen = { width: 200, isVerbose: false, colors: 0 } as never;
    return laidOut(clusterSections(report, screen), screen);
  };

  it('without anything to apply does not say that all is there', async () => {
    const planned = (await plan({ files: [] })).planned;
    expect(text({ ...planned, applied: [] })).toContain('There is nothing to apply to the cluster');
  });

  it.each([[[]], [undefined]])(
    'of a release without signature is no success: %j',
    async (applied) => {
      const parts = [
        { ...({ kind: 'release', label: '4.17.3', isUnsigned: true } as const), commands: [] },
      ];
      const { planned } = await plan({ files: [] });
      const report = {
        ...planned,
        ...{ applied, parts: parts.map((part) => ({ ...part, standing: 'not-known' as const })) },
      };
      const said = text(report);
      expect(said).toContain('No release signature: there is nothing to apply');
      expect(said).toContain('the cluster will refuse the release');
      expect(said).toMatch(/4\.17\.3 +not known/);
      expect(said).not.toContain('everything already');
    },
  );
});
