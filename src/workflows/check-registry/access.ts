import { BundleError, hasCode } from '../../core/errors.ts';
import type { RepositoryProbe } from '../../stores/registry/probe.ts';
import type { Finding, Findings } from './findings.ts';

/**
 * Whether the repositories may be read and written to. Some registries refuse to be read where a
 * repository does not exist, and make it when somebody may push there. So one that cannot be read
 * is asked again after the push.
 */
export async function findAccess(
  probes: readonly RepositoryProbe[],
  findings: Findings,
): Promise<boolean> {
  const { signal } = findings;
  const pulls = new Map<RepositoryProbe, Finding>();
  const pushes = new Map<RepositoryProbe, Finding>();
  const pull = async (probe: RepositoryProbe): Promise<Finding> =>
    findings.look('pull', probe.name, async () => ({
      verdict: 'good',
      fact: (await probe.pull(signal)) ? 'can be read' : 'does not exist yet; access is allowed',
    }));
  for (const probe of probes) pulls.set(probe, await pull(probe));
  for (const probe of probes) {
    const push = await findings.look('push', probe.name, async () => {
      await probe.push(signal);
      return { verdict: 'good', fact: 'an upload was started and cancelled' };
    });
    pushes.set(probe, push);
    const isRefused = hasCode(pulls.get(probe)!.error, 'NOT_ALLOWED');
    if (isRefused && push.verdict === 'good') pulls.set(probe, unlessRefused(await pull(probe)));
  }
  for (const [check, found] of [
    ['pull', pulls],
    ['push', pushes],
  ] as const)
    for (const [{ name }, finding] of found) findings.tell(check, name, finding);
  return [...pushes.values()].every(({ verdict }) => verdict === 'good');
}

/** A push was allowed: what may not be read is not there yet, or can only be written to. */
function unlessRefused(finding: Finding): Finding {
  if (!hasCode(finding.error, 'NOT_ALLOWED')) return finding;
  const fact = `can be written to, but not read, so only with --replace-tags: ${finding.fact}`;
  return { verdict: 'unknown', fact };
}

/** A cluster that can write to its mirror could be made to replace its own images. */
export async function findClusterAccess(probe: RepositoryProbe, findings: Findings): Promise<void> {
  const { signal } = findings;
  await findings.find('cluster', probe.name, async () => {
    const isThere = await readable(probe, signal);
    try {
      await probe.push(signal);
    } catch (error) {
      if (!hasCode(error, 'NOT_ALLOWED')) throw error;
      return {
        verdict: 'good',
        fact: isThere
          ? 'can read, and cannot write'
          : 'can read when the repository exists, and cannot write',
      };
    }
    // Nothing that a pull secret holds can mend that.
    if ((await probe.meet()).asks === 'nothing')
      throw new BundleError('CONFIGURATION', `anybody can write to ${probe.name}`, {
        hint:
          'The registry asks nobody who they are, so that anybody who reaches it can replace what ' +
          'clusters install. Let it ask for a password, and give clusters an account that can only ' +
          'pull.',
      });
    throw new BundleError('CONFIGURATION', `the cluster's pull secret can write to ${probe.name}`, {
      hint:
        'Give clusters an account that can only pull: with this one, ' +
        'anybody who reads the pull secret can replace what clusters install.',
    });
  });
}

/** Whether the repository exists; the advice is for a pull secret, which is to read alone. */
async function readable(probe: RepositoryProbe, signal: AbortSignal): Promise<boolean> {
  try {
    return await probe.pull(signal);
  } catch (error) {
    if (!hasCode(error, 'NOT_ALLOWED')) throw error;
    throw error.withHint(
      `The pull secret needs an account that may read ${probe.name}, and must not be able to ` +
        'write to it. Add such an account to the file.',
    );
  }
}
