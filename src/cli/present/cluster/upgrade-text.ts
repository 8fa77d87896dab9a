import type { VersionFacts } from '../../../cluster/facts.ts';
import type { Section } from '../layout.ts';

/** What `oc adm upgrade` would say, of the same facts. */
export function upgradeText(version: VersionFacts): Section {
  const { conditions, desired, channel, upstream, updates, risky } = version;
  const condition = (type: string): VersionFacts['conditions'][number] | undefined =>
    conditions.find((some) => some.type === type);
  const told = (type: string, isWorth: (status: string) => boolean): string | undefined => {
    const found = condition(type);
    if (found === undefined || !isWorth(found.status)) return undefined;
    return `${found.status}: ${found.reason}: ${found.message}`;
  };
  const progressing = condition('Progressing');
  const retrieved = told('RetrievedUpdates', (status) => status === 'False');
  const none = retrieved === undefined ? 'none' : `not known: ${retrieved}`;
  return [
    { text: 'oc adm upgrade would say now:' },
    {
      facts: [
        ['version', (progressing?.message ?? desired.version) || 'not known'],
        ['Failing', told('Failing', (status) => status !== 'False'), 'bad'],
        ['Invalid', told('Invalid', (status) => status === 'True'), 'bad'],
        ['Upgradeable', told('Upgradeable', (status) => status === 'False'), 'warning'],
        ['ReleaseAccepted', told('ReleaseAccepted', (status) => status !== 'True'), 'bad'],
        ['channel', channel ?? 'none'],
        ['upstream', upstream],
        ['recommended', updates.length === 0 ? none : versionsOf(updates)],
        ...risky.map(
          ({ version: name, recommended, reason, message }) =>
            ['known issues', `${name}: ${recommended}: ${reason}: ${message}`] as const,
        ),
      ],
    },
  ];
}

function versionsOf(updates: VersionFacts['updates']): string {
  return updates.map(({ version }) => version).join(', ');
}
