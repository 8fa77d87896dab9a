import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { Credentials } from '../../src/core/credentials.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry, USER } from '../support/registry.ts';
import {
  startTokenServer,
  type TokenServer,
  type TokenServerOptions,
} from '../support/token-server.ts';
import { temporaryFolder, User } from '../support/user.ts';

/**
 * `npm run token-run` lets tokens of a minute run out, in a pack and an unpack of so many seconds
 * each.
 */
const SECONDS = Number(process.env['BUNDLE_TOKEN_SECONDS'] ?? 0);
const MINUTES = 60_000;
/** In the short run a token is good for so many requests instead. */
const USES = 25;

/** What the token server says, and how the registry takes it: it adds a minute of its own. */
const KINDS: [string, TokenServerOptions][] =
  SECONDS === 0
    ? [['good for a few requests', {}]]
    : [
        ['of 60 s', { life: () => 60, validFor: 0 }],
        ['that say they last for 300 s, and last for 60', { life: () => 300, validFor: 0 }],
      ];

for (const [name, options] of KINDS)
  describeWith(['docker-registry', 'openssl'], `a run with tokens ${name}`, () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let ca: PrivateCa;
    let tokens: TokenServer;
    let source: TestRegistry;
    let target: TestRegistry;
    let made: MadeRelease;
    let user: User;
    let medium: string;
    let trust: readonly string[];

    beforeAll(async () => {
      [folder, ca] = await Promise.all([temporaryFolder('token-run'), makePrivateCa()]);
      tokens = await startTokenServer(ca, options);
      const { realm, service, issuer } = tokens;
      const token = { realm, service, issuer, certificate: ca.certificate };
      [source, target] = await Promise.all([startRegistry({ token }), startRegistry({ token })]);
      const credentials = {
        lookup: async () => new Credentials(USER.username, USER.password),
        places: [],
      };
      const client = new RegistryClient({ credentials, ca: [] });
      const open = (repository: string) =>
        client.repository({
          registry: source.host,
          repository: `openshift-release-dev/${repository}`,
        });
      const destination = {
        registry: source.host,
        releases: open('ocp-release'),
        components: open('ocp-v4.0-art-dev'),
      };
      const size = SECONDS === 0 ? { components: 12, scale: 0.0005 } : {};
      made = await makeRelease({
        out: join(folder.path, 'release'),
        destination,
        cosign: true,
        ...size,
      });
      await client.close();
      user = await User.new(folder.path);
      medium = join(folder.path, 'medium');
      trust = ['--release-key', made.releaseKey, '--progress', 'json'];
    }, 5 * MINUTES);
    afterAll(async () => {
      await Promise.all([source.stop(), target.stop(), tokens.stop()]);
      await Promise.all([folder.remove(), ca.remove()]);
    });

    /**
     * Refuses each token once it was used for so many requests, but no upload twice: none is so
     * short that it would outlast two.
     */
    const usedUp = (): Decide => {
      const uses = new Map<string, number>();
      const refused = new Set<string>();
      return ({ method, url, headers: { authorization } }) => {
        if (SECONDS > 0 || authorization === undefined) return undefined;
        const path = url.replace(/\?.*/, '');
        const isOfUpload = method === 'PATCH' || method === 'PUT';
        if (isOfUpload && refused.has(path)) return undefined;
        uses.set(authorization, (uses.get(authorization) ?? 0) + 1);
        const challenge = `Bearer realm="${tokens.realm}",service="${tokens.service}"`;
        if (uses.get(authorization)! <= USES) return undefined;
        if (isOfUpload) refused.add(path);
        return { kind: 'answer', status: 401, headers: { 'www-authenticate': challenge } };
      };
    };
    /** Credentials for the proxy, whose port nobody knows before. */
    const knowing = async ({ host }: FaultProxy): Promise<readonly string[]> => {
      const auth = Buffer.from(`${USER.username}:${USER.password}`).toString('base64');
      const authfile = join(folder.path, `${host.replace(':', '-')}.json`);
      await writeFile(authfile, JSON.stringify({ auths: { [host]: { auth } } }));
      return ['--authfile', authfile];
    };
    const tally = (
      what: string,
      { requests }: FaultProxy,
      { begun, given }: { begun: number; given: number },
      stderr: string,
    ): { refused: number } => {
      const refused = requests.filter(
        ({ status, headers }) => status === 401 && headers.authorization !== undefined,
      ).length;
      const retried = stderr.split('\n').filter((line) => line.includes('"type":"retried"')).length;
      const failed = requests.filter(
        ({ status = 0 }) => status >= 400 && status !== 401 && status !== 404,
      ).length;
      process.stderr.write(
        `tokens ${name}: ${what} in ${Math.round((performance.now() - begun) / 1000)} s, ${requests.length} requests, ` +
          `${tokens.requests.length - given} tokens, ${refused} answers 401 to a token, ${failed} other failures, ${retried} retries\n`,
      );
      return { refused };
    };

    it(
      'comes to its end, whenever they run out',
      async () => {
        const outgoing = await startFaultProxy(source.url, usedUp());
        const limit =
          SECONDS === 0 ? [] : ['--limit-rate', String(Math.ceil(made.bytes / SECONDS))];
        const mirror = [
          '--mirror',
          `quay.io=${outgoing.host}`,
          '--signature-store',
          made.signatureStore,
        ];
        let before = { begun: performance.now(), given: tokens.requests.length };
        const packed = await user.bundle([
          'pack',
          made.version,
          '-o',
          medium,
          ...mirror,
          ...limit,
          ...trust,
          ...(await knowing(outgoing)),
        ]);
        await outgoing.stop();
        const pack = tally('pack', outgoing, before, packed.stderr);
        expect(packed).toMatchObject({ status: 0 });

        const incoming = await startFaultProxy(
          target.url,
          usedUp(),
          SECONDS === 0 ? undefined : made.bytes / SECONDS,
        );
        before = { begun: performance.now(), given: tokens.requests.length };
        const unpacked = await user.bundle([
          'unpack',
          medium,
          '--to',
          `${incoming.host}/ocp4`,
          ...trust,
          ...(await knowing(incoming)),
        ]);
        await incoming.stop();
        const unpack = tally('unpack', incoming, before, unpacked.stderr);
        expect(unpacked).toMatchObject({ status: 0 });
        if (SECONDS === 0) expect(Math.min(pack.refused, unpack.refused)).toBeGreaterThan(0);
      },
      2 * SECONDS * 1000 + 10 * MINUTES,
    );
  });
