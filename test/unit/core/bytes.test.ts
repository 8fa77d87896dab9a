import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { TextPieces } from '../../../src/core/bytes.ts';

describe('TextPieces', () => {
  it('is the text in UTF-8', () => {
    const text = new TextPieces();
    for (const piece of ['a', '', 'ä', '→ b']) text.add(piece);
    expect(Buffer.from(text.bytes()).toString()).toBe('aä→ b');
    expect(new TextPieces().bytes()).toHaveLength(0);
  });

  it('takes a text that is longer than the room that it has at first', () => {
    const piece = 'abcdefg\n'.repeat(1024 * 1024);
    const text = new TextPieces();
    for (let count = 0; count < 9; count += 1) text.add(piece);
    expect(digestOf(text.bytes())).toBe(digestOf(piece.repeat(9)));
  });
});
