import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { hexOf } from '../../src/core/digest.ts';
import { startBundle } from '../support/bundle-process.ts';
import { addClusterVersion } from '../support/cluster-version.ts';
import { describeWithKubeApi, type KubeApi, startKubeApi, TOKENS } from '../support/kube-api.ts';
import { describeWith } from '../support/needs.ts';
import { showOnTerminal } from '../support/terminal.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';
import type { Ran } from '../support/user.ts';

const VERSION = '4.17.3';
const CONFIG_MAPS = '/api/v1/namespaces/openshift-config-managed/configmaps';
const MIRROR_SETS = '/apis/config.openshift.io/v1/imagedigestmirrorsets';

interface Change {
  readonly object: string;
  readonly change: string;
  readonly nodes: string;
  readonly file: string;
  readonly fields: readonly { readonly field: string }[];
}

interface Cluster {
  readonly cluster: { readonly version: { readonly version: string } };
  readonly parts: readonly object[];
  readonly mirrored: object;
  readonly changes: readonly Change[];
  readonly left: readonly string[];
  readonly applied?: readonly Change[];
  readonly after?: { readonly updates: readonly { readonly version: string }[] };
}

/** Each test goes on from where the one before it ended. */
describeWithKubeApi('a bundle that is applied to a cluster', () => {
  describeWith(
    ['docker-registry', 'etcd', 'openssl', 'python3'],
    'from unpack to the update',
    () => {
      let sides: TwoSides;
      let api: KubeApi;
      let unpacking: readonly string[];
      let kubeconfig: string;
      let name: string;

      beforeAll(async () => {
        [sides, api] = await Promise.all([
          twoSides('apply', { version: VERSION, components: 2, scale: 0.0001 }),
          startKubeApi(),
        ]);
        const { made, packer, operator, medium, fetching, trust, target } = sides;
        name = `sha256-${hexOf(made.release.digest)}`;
        await addClusterVersion(api, {
          availableUpdates: [
            {
              version: VERSION,
              image: `quay.io/openshift-release-dev/ocp-release@${made.release.digest}`,
            },
          ],
        });
        kubeconfig = await api.kubeconfig('admin');
        await packer.json(['pack', VERSION, ...fetching, '-o', medium]);
        await operator.json(['trust', 'add', packer.publicKey]);
        unpacking = ['unpack', medium, '--to', `${target.host}/ocp4`, ...trust];
      });
      afterAll(() => Promise.all([api.stop(), sides.remove()]));

      const unpack = async (...more: readonly string[]): Promise<Ran> =>
        sides.operator.bundle([...unpacking, ...more]);
      const unpackJson = async (...more: readonly string[]): Promise<Cluster> => {
        const { delivery } = (await sides.operator.json([...unpacking, ...more])) as {
          readonly delivery: { readonly cluster: Cluster };
        };
        return delivery.cluster;
      };
      /** For a registry that nodes could reach; it is not asked. */
      const writing = (): readonly string[] => {
        const to = ['--to', 'registry.example.com:5000/ocp4'];
        return ['resources', sides.medium, ...to, ...sides.trust, '--apply', 'all'];
      };
      const writeJson = async (...more: readonly string[]): Promise<Cluster> => {
        const report = await sides.operator.json([...writing(), ...more]);
        return (report as { readonly cluster: Cluster }).cluster;
      };
      const names = async (path: string): Promise<readonly string[]> => {
        const { body } = await api.ask('GET', path);
        return body.items!.map(({ metadata }) => metadata.name);
      };
      /** Whether nothing has been pushed. */
      const targetIsEmpty = async (): Promise<boolean> => {
        const answer = await fetch(`${sides.target.url}/v2/_catalog`);
        return ((await answer.json()) as { repositories: unknown[] }).repositories.length === 0;
      };

      it.each([
        ['a token that the cluster does not know', () => ({ token: 'expired-token-of-e2e' }), 24],
        ['somebody who may not do it', () => ({ token: TOKENS.nobody }), 24],
        ['a file of a token that is not there', () => ({ tokenFile: 'missing' }), 24],
      ])('pushes and applies nothing with %s', async (_, user, status) => {
        const other = await api.kubeconfig('other', user());
        const ran = await unpack('--apply', '--kubeconfig', other, '--log-level', 'debug');
        expect(ran.status).toBe(status);
        expect(ran.stdout + ran.stderr).not.toMatch(/expired-token|token-of-nobody/);
        expect(await targetIsEmpty()).toBe(true);
        expect(await names(CONFIG_MAPS)).toEqual([]);
      });

      it('pushes and applies nothing without a kubeconfig that can be read', async () => {
        for (const more of [['--kubeconfig', '/nowhere'], []]) {
          const ran = await unpack('--apply', ...more);
          expect(ran.status).toBe(24);
          expect(ran.stderr).toContain('kubeconfig');
        }
        expect(await targetIsEmpty()).toBe(true);
      });

      it('does not ask where nobody can answer, and wants no options that do nothing', async () => {
        const all = await unpack('--apply', 'all', '--kubeconfig', kubeconfig);
        expect([all.status, all.stderr]).toEqual([2, expect.stringContaining('--yes')]);
        const idle = await unpack('--kubeconfig', kubeconfig);
        expect([idle.status, idle.stderr]).toEqual([2, expect.stringContaining('--apply')]);
        const layout = ['unpack', sides.medium, '--to', `oci:${join(sides.folder, 'layout')}`];
        const ran = await sides.operator.bundle([...layout, ...sides.trust, '--apply']);
        expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining('image layout')]);
        expect(await targetIsEmpty()).toBe(true);
      });

      it('that is interrupted says what was applied, and what may be', async () => {
        let arrived: () => void;
        const isSent = new Promise<void>((resolve) => (arrived = resolve));
        // It hands everything on but what is to be applied, of which nothing is heard again.
        const front = createServer((request, response) => {
          const { method = '', url = '', headers } = request;
          if (method === 'PATCH' && !url.includes('dryRun=All')) {
            arrived();
            return;
          }
          void (async () => {
            const body = await text(request);
            const said = body === '' ? undefined : (JSON.parse(body) as object);
            const answer = await api.ask(method, url, said, headers['content-type']);
            response.writeHead(answer.status).end(JSON.stringify(answer.body));
          })();
        });
        const server = `http://${await listenOnLoopback(front)}`;
        const held = join(sides.folder, 'held.kubeconfig');
        const config = {
          'current-context': 'held',
          contexts: [{ name: 'held', context: { cluster: 'held' } }],
          clusters: [{ name: 'held', cluster: { server } }],
        };
        await writeFile(held, JSON.stringify(config));
        const out = ['--resources-dir', join(sides.folder, 'held'), '--kubeconfig', held, '--yes'];
        const { child, ended } = await startBundle([...writing(), ...out], {
          folder: sides.operator.folder,
        });
        try {
          expect(await Promise.race([isSent, ended])).toBeUndefined();
          child.kill('SIGTERM');
          const { status, stderr } = await ended;
          expect(status).toBe(143);
          const said = stderr.replace(/\s+/g, ' ');
          expect(said).toMatch(
            /interrupted by SIGTERM\. Applied: nothing\. Perhaps applied: ConfigMap \S+\. Not applied: Image/,
          );
          expect(said).toContain('The files are written, and nothing was pushed');
        } finally {
          child.kill('SIGKILL');
          front.closeAllConnections();
          front.close();
        }
        expect(await names(CONFIG_MAPS)).toEqual([]);
      });

      it('sends no mirrors to a cluster that name an address of this machine', async () => {
        const more = ['--apply', 'all', '--yes', '--kubeconfig', kubeconfig];
        const ran = await unpack(...more);
        expect(ran.status).toBe(2);
        expect(ran.stderr).toContain('the name that nodes reach the registry by');
        const elsewhere = ['--to', sides.target.host, ...sides.trust, ...more];
        const written = await sides.operator.bundle(['resources', sides.medium, ...elsewhere]);
        expect([written.status, written.stderr]).toEqual([2, ran.stderr.replace('/ocp4', '')]);
        expect(await names(MIRROR_SETS)).toEqual([]);
        expect(await targetIsEmpty()).toBe(true);
      });

      it.each(['al', 'ALL', 'sig'])(
        'takes no path for what it is meant to be: %s',
        async (word) => {
          const ran = await unpack('--apply', word, '--kubeconfig', kubeconfig);
          expect([ran.status, ran.stderr]).toEqual([
            2,
            expect.stringContaining('none of signatures'),
          ]);
        },
      );

      it('shows on a dry run what would change, and changes nothing', async () => {
        const more = ['--dry-run', '--kubeconfig', kubeconfig];
        const planned = await writeJson(...more);
        const update = `oc adm upgrade --to ${VERSION} --kubeconfig ${kubeconfig}`;
        expect(planned).toMatchObject({
          ocOptions: ['--kubeconfig', kubeconfig],
          cluster: { version: { version: '4.16.20', channel: 'stable-4.17' } },
          parts: [{ standing: 'recommended', commands: [update] }],
          mirrored: { sources: 2, pointing: 0 },
        });
        expect(planned.changes.map(({ change, nodes }) => [change, nodes])).toEqual([
          ['new', 'nothing'],
          ['new', 'reload'],
        ]);
        expect(planned.applied).toBeUndefined();
        const { stdout } = await sides.operator.bundle([...writing(), ...more]);
        expect(stdout).toContain('Dry run: 2 objects would change');
        expect(stdout).toContain('+ .spec.imageDigestMirrors[0].source: quay.io/');
        expect(await names(CONFIG_MAPS)).toEqual([]);
        expect(await names(MIRROR_SETS)).toEqual([]);
        expect(await targetIsEmpty()).toBe(true);
      });

      it('applies the signatures, and nothing that nodes would do something about', async () => {
        const logging = ['--log-level', 'debug', '--verbose'];
        const more = ['--apply', '--kubeconfig', kubeconfig, ...logging];
        const { stdout, stderr, status } = await unpack(...more);
        expect(stdout + stderr).not.toContain(TOKENS.admin);
        expect([status, stderr]).toEqual([0, expect.any(String)]);
        expect(await names(CONFIG_MAPS)).toEqual([name]);
        expect(await names(MIRROR_SETS)).toEqual([]);
        expect(stdout).toContain('Applied 1 object to the cluster');
        expect(stdout).toContain('oc adm upgrade would say now:');
        expect(stdout).toMatch(/recommended +4\.17\.3/);
        expect(stdout).toMatch(/Upgradeable +False: AdminAckRequired: An API will be removed\./);
        // No cluster reaches the registry by an address of this machine.
        expect(stdout).toContain('is an address of this machine');
        expect(stdout).not.toMatch(/oc (?:diff|apply|adm upgrade --)/);
        const { body } = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
        const signature = await readFile(
          join(sides.made.signatureStore, `sha256=${name.slice('sha256-'.length)}`, 'signature-1'),
        );
        expect(body.binaryData).toEqual({ [`${name}-1`]: signature.toString('base64') });
        expect(body.metadata.labels).toEqual({
          'release.openshift.io/verification-signatures': '',
        });
      });

      it('leads to what is not applied yet, by commands that ask the same cluster', async () => {
        const folder = join(sides.folder, 'named');
        const more = ['--apply', 'signatures', '--kubeconfig', kubeconfig];
        const where = ['--resources-dir', folder];
        const ran = await sides.operator.bundle([...writing().slice(0, -2), ...more, ...where]);
        const { stdout } = ran;
        expect(stdout).toMatch(/oc diff -f \S*idms-\S+ --kubeconfig \S+/);
        expect(stdout).toMatch(/oc apply -f \S*idms-\S+ --kubeconfig \S+/);
        expect(stdout).not.toMatch(/oc apply -f \S*signature/);
        expect(stdout).toContain(`oc adm upgrade --to ${VERSION} --kubeconfig ${kubeconfig}`);
        expect(stdout).not.toContain('--allow-explicit-upgrade');
        const steps = await readFile(join(folder, 'next-steps.txt'), 'utf8');
        const asking = steps.split('\n').filter((line) => /^ +oc (?!adm release )/.test(line));
        expect(asking.length).toBeGreaterThan(5);
        for (const line of asking) expect(line).toContain(` --kubeconfig ${kubeconfig}`);
      });

      it('changes nothing the second time, by the name that oc has for it', async () => {
        const before = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
        const report = await unpackJson(
          '--apply-release-image-signature',
          '--kubeconfig',
          kubeconfig,
        );
        expect(report.applied).toMatchObject([{ change: 'same', nodes: 'nothing' }]);
        const after = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
        expect(after.body.metadata.resourceVersion).toBe(before.body.metadata.resourceVersion);
      });

      it('asks on a terminal, and takes no for an answer', async () => {
        const more = ['--kubeconfig', kubeconfig];
        const { status, written } = await showOnTerminal([...writing(), ...more], {
          columns: 100,
          env: { HOME: sides.operator.home, PATH: process.env['PATH'] ?? '', TERM: 'xterm' },
          cwd: sides.operator.folder,
          answer: { after: 'Apply this? [y/N]', text: 'n\r' },
        });
        expect(written).toContain('Nodes get a new list of mirrors');
        expect(status).toBe(130);
        expect(await names(MIRROR_SETS)).toEqual([]);
      });

      it('applies all that is there with --yes, and says what nodes do', async () => {
        const more = ['--yes', '--kubeconfig', kubeconfig];
        const report = await writeJson(...more);
        expect(report.applied?.map(({ change, nodes }) => [change, nodes])).toEqual([
          ['same', 'nothing'],
          ['new', 'reload'],
        ]);
        expect(report.after?.updates).toMatchObject([{ version: VERSION }]);
        expect(await names(MIRROR_SETS)).toHaveLength(1);
        const again = await writeJson(...more);
        expect(again).toMatchObject({ mirrored: { sources: 2, pointing: 2 } });
        expect(again.applied?.map(({ change }) => change)).toEqual(['same', 'same']);
      });

      it('says what somebody else has set, before it pushes anything', async () => {
        const key = `${name}-1`;
        const patch = { binaryData: { [key]: Buffer.from('theirs').toString('base64') } };
        await api.ask(
          ...(['PATCH', `${CONFIG_MAPS}/${name}?fieldManager=their-tool`, patch] as const),
          'application/merge-patch+json',
        );
        const ran = await unpack('--apply', '--kubeconfig', kubeconfig);
        expect(ran.status).toBe(25);
        expect(ran.stderr).toContain(`.binaryData.${key} (their-tool)`);
        expect(ran.stderr).toContain('--force-conflicts');
      });

      it('shows the token in no line of the progress for programs', async () => {
        const more = ['--apply', '--kubeconfig', kubeconfig, '--progress', 'json', '--dry-run'];
        const { stdout, stderr } = await unpack(...more, '--output', 'json');
        expect(stderr).toContain('asking the cluster');
        expect(stdout + stderr).not.toContain(TOKENS.admin);
      });

      it('is done by resources too, which pushes nothing', async () => {
        await api.ask('DELETE', `${CONFIG_MAPS}/${name}`);
        const to = `${sides.target.host}/elsewhere`;
        const more = ['--apply', '--kubeconfig', kubeconfig];
        const elsewhere = ['resources', sides.medium, '--to', to, ...sides.trust, ...more];
        const planned = (await sides.operator.json([...elsewhere, '--dry-run'])) as {
          readonly resources?: object;
          readonly cluster: Cluster;
        };
        expect(planned.resources).toBeUndefined();
        expect(planned.cluster.changes).toMatchObject([{ change: 'new' }]);
        expect(await names(CONFIG_MAPS)).toEqual([]);
        const { status, stdout } = await sides.operator.bundle(elsewhere);
        expect([status, stdout]).toEqual([0, expect.stringContaining('Applied 1 object')]);
        expect(await names(CONFIG_MAPS)).toEqual([name]);
      });

      it('is done by mirror too, without a bundle', async () => {
        await api.ask('DELETE', `${CONFIG_MAPS}/${name}`);
        const { operator, fetching, target } = sides;
        const to = ['--to', `${target.host}/mirrored`, '--apply', '--kubeconfig', kubeconfig];
        const ran = await operator.bundle(['mirror', VERSION, ...fetching, ...to]);
        expect([ran.status, ran.stderr]).toEqual([0, expect.any(String)]);
        expect(ran.stdout).toContain('Applied 1 object to the cluster');
        expect(await names(CONFIG_MAPS)).toEqual([name]);
      });
    },
  );
});
