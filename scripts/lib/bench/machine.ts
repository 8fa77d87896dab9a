import { cpus, release, totalmem, type } from 'node:os';

import { projectPath } from '../project-root.ts';
import { runProgram } from './run-program.ts';

/** On what, and of what, the measurements were made. */
export async function describeMachine(): Promise<Readonly<Record<string, string>>> {
  const first = async (program: string, args: readonly string[]): Promise<string> => {
    try {
      return (await runProgram(program, args)).stdout.split('\n')[0]!.trim();
    } catch {
      return 'not installed';
    }
  };
  const commit = await first('git', [
    '-C',
    projectPath(),
    'describe',
    '--always',
    '--dirty',
    '--abbrev=12',
  ]);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit,
    machine: `${cpus().length} cores, ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 1e9).toFixed(0)} GB memory, ${type()} ${release()}`,
    node: process.version,
    registry: await first('docker-registry', ['--version']),
    curl: (await first('curl', ['--version'])).split(' ').slice(0, 2).join(' '),
    openssl: await first('openssl', ['version']),
    skopeo: await first('skopeo', ['--version']),
  };
}
