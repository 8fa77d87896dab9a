import { execPath } from 'node:process';

import { describe, expect, it } from 'vitest';

import { askPlugin } from '../../../src/cluster/exec-plugin.ts';

const FOREVER = 60_000_000;
/** Starts a program that says `x` for ever to one stream, and waits for it. */
const shouting = (stream: 'stdout' | 'stderr'): string => {
  const shout = `setInterval(() => process.${stream}.write('x'.repeat(65536)), 0)`;
  return `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(shout)}],
    { stdio: 'inherit' })`;
};

describe('a plugin for credentials', () => {
  const ask = async (
    script: string,
    { signal = new AbortController().signal, patienceMs = FOREVER } = {},
  ): Promise<unknown> => {
    const plugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: execPath,
      args: ['-e', script],
    };
    const user = { name: 'somebody', said: { exec: plugin }, file: '/kubeconfig' };
    const cluster = { name: 'one', said: {}, file: '/kubeconfig' };
    const environment = { env: { ...process.env }, home: '/', uid: 0 };
    return askPlugin(plugin, user, {
      ...{ cluster, environment, signal, canAsk: false, patienceMs },
    }).catch((error: unknown) => error);
  };

  it.each(['stdout', 'stderr'] as const)(
    'that never stops to write to %s is ended, whatever it has started',
    async (stream) => {
      expect(await ask(shouting(stream))).toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining(`writes more than 1048576 bytes to ${stream}`) as string,
        hint: expect.stringContaining('Run it by hand') as string,
      });
    },
  );

  it('that never ends is ended', async () => {
    expect(await ask(shouting('stdout'), { patienceMs: 1 })).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('has not ended within 1 seconds') as string,
    });
  });

  it('is ended with the run', async () => {
    const reason = new Error('interrupted');
    const controller = new AbortController();
    const asked = ask(
      `process.stderr.write('x'.repeat(10)); ${shouting('stderr').replace("'x'", "''")}`,
      controller,
    );
    controller.abort(reason);
    expect(await asked).toBe(reason);
  });
});
