import { counted } from '../../../core/text.ts';
import type { JudgedSignature, SignatureFacts } from '../../../kinds/signatures/judged.ts';
import type { Rows } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/**
 * The lines of a report about signatures that are kept beside images, and about images that have no
 * signature at all. All of these are listed where somebody wants everything.
 * @param parts that stand above: where there are several, the lines belong to none of them.
 */
export function signatureRows(facts: SignatureFacts | undefined, screen: Screen, parts = 1): Rows {
  const rows = rowsOf(facts, screen);
  return parts > 1 && rows.some(([, value]) => value !== undefined) ? [['', ''], ...rows] : rows;
}

function rowsOf(facts: SignatureFacts | undefined, screen: Screen): Rows {
  if (facts === undefined) return [];
  const { lookaside, unsigned } = facts;
  const [first, ...others] = unsigned.map(({ name }) => shortened(name, screen));
  const count = counted(unsigned.length, 'image');
  // The name of a single one is as short as what would lead to it.
  const inShort = others.length === 0 ? `${count}: ${first}` : `${count} (--verbose lists them)`;
  return [
    ...byVerdict(lookaside).map(
      ([verdict, count], index) =>
        [
          index === 0 ? 'kept beside images' : '',
          `${counted(count, 'signature')}, ${verdict}`,
        ] as const,
    ),
    ['without signature', first === undefined ? undefined : screen.isVerbose ? count : inShort],
    ...(screen.isVerbose && first !== undefined
      ? [first, ...others].map((name) => ['', name] as const)
      : []),
  ];
}

/** The same for a machine. */
export function signaturesJson(facts: SignatureFacts | undefined): object {
  if (facts === undefined) return {};
  const { lookaside, unsigned } = facts;
  return {
    lookaside,
    unsigned: unsigned.map(({ name, descriptor, source }) => {
      return { name, digest: descriptor.digest, source };
    }),
  };
}

function byVerdict(signatures: readonly JudgedSignature[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { keyId, signer, why } of signatures) {
    const verdict = signer === undefined ? `by the key ${keyId}: ${why}` : `signed by ${signer}`;
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  }
  return [...counts];
}
