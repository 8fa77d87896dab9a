import { hexOf } from '../../../core/digest.ts';
import { counted } from '../../../core/text.ts';
import type { AuditedRequired } from '../../../opening/incomplete/audit-required.ts';
import { formatBytes } from '../../units.ts';
import type { Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** What an audit says of blobs that the bundle leaves out. */
export function requiredText(required: readonly AuditedRequired[], screen: Screen): Section {
  if (required.length === 0) return [];
  const unread = required.filter((one) => one.unread > 0);
  const named = (some: readonly AuditedRequired[]): string =>
    some.map(({ name, bundle }) => `${name} (${shortened(bundle, screen)})`).join(', ');
  const sum = (of: (one: AuditedRequired) => number): number =>
    required.reduce((total, one) => total + of(one), 0);
  const words = (blobs: number, bytes: number): string =>
    `${counted(blobs, 'blob')} (${formatBytes(bytes)})`;
  if (unread.length === 0) {
    const all = words(
      sum(({ good }) => good),
      sum(({ goodBytes }) => goodBytes),
    );
    return [
      { text: `It leaves out ${all}. They were read from ${named(required)}, and are good.` },
    ];
  }
  const rest = words(
    sum((one) => one.unread),
    sum((one) => one.unreadBytes),
  );
  return [
    {
      text:
        `It leaves out ${rest} of ${named(unread)}: NOT CHECKED, and this says nothing of them. ` +
        'Name these bundles beside it to check them, too. unpack looks for them at the target ' +
        'before it pushes anything.',
    },
  ];
}

export function requiredJson(required: readonly AuditedRequired[]): object {
  if (required.length === 0) return {};
  return {
    required: required.map(({ bundle, isAssumed, ...one }) => ({
      ...one,
      ...{ digest: hexOf(bundle), assumed: isAssumed },
    })),
  };
}
