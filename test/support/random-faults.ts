import { createHash } from 'node:crypto';
import type { Decide, Fault } from './fault-proxy.ts';

const STATUSES = [429, 500, 502, 503, 504];

/**
 * Lets that share of all requests go wrong, at random: a status, a reset before or instead of the
 * answer, a body cut anywhere.
 */
export function randomFaults(seed: string, share: number): Decide {
  let drawn = 0;
  const random = (): number => {
    drawn += 1;
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE() / 2 ** 32;
  };
  return () => {
    if (random() >= share) return undefined;
    const kinds: readonly Fault[] = [
      { kind: 'answer', status: STATUSES[Math.floor(random() * STATUSES.length)]! },
      { kind: 'reset' },
      { kind: 'reset-answer' },
      { kind: 'break', share: random() },
    ];
    return kinds[Math.floor(random() * kinds.length)];
  };
}
