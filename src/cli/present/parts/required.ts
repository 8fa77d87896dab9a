import { hexOf } from '../../../core/digest.ts';
import { formatBytes, leavesText } from '../../../core/text.ts';
import type { AuditedRequired } from '../../../opening/incomplete/audit-required.ts';
import type { Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import { distinct, ONE_IS_ENOUGH } from './increment.ts';

/**
 * What an audit says of blobs that the bundle leaves out.
 * @param again the bundle, and options, as words for a command line; none of a pipe.
 */
export function requiredText(
  required: readonly AuditedRequired[],
  again: readonly string[],
  screen: Screen,
): Section {
  if (required.length === 0) return [];
  const unread = required.filter((one) => one.unread.length > 0);
  const named = (some: readonly AuditedRequired[]): string =>
    some.map(({ name, bundle }) => `${name} (${shortened(bundle, screen)})`).join(', ');
  const sum = (of: (one: AuditedRequired) => number): number =>
    required.reduce((total, one) => total + of(one), 0);
  const words = (blobs: number, bytes: number): string =>
    `${leavesText(blobs)} (${formatBytes(bytes)})`;
  if (unread.length === 0) {
    const all = words(
      sum(({ good }) => good),
      sum(({ goodBytes }) => goodBytes),
    );
    const from = named(required.filter(({ good }) => good > 0));
    return [{ text: `It leaves out ${all}. They were read from ${from}, and are good.` }];
  }
  const [path, ...options] = again;
  const { blobs, bytes, isShared } = distinct(unread.map((one) => one.unread));
  return [
    {
      text:
        `NOT CHECKED: ${words(blobs, bytes)} that it leaves out, which are in ${named(unread)}. ` +
        'unpack looks for them at the target before it pushes anything. ' +
        (isShared ? `${ONE_IS_ENOUGH} ` : '') +
        `To check them, too, name these bundles beside it${path === undefined ? '.' : ':'}`,
    },
    ...(path === undefined
      ? []
      : [{ commands: [['bundle verify', path, 'OTHER_BUNDLE', ...options].join(' ')] }]),
  ];
}

export function requiredJson(required: readonly AuditedRequired[]): object {
  if (required.length === 0) return {};
  return {
    required: required.map(({ bundle, isAssumed, unread, ...one }) => ({
      ...one,
      ...{ unread: unread.length, unreadBytes: distinct([unread]).bytes },
      ...{ digest: hexOf(bundle), assumed: isAssumed },
    })),
  };
}
