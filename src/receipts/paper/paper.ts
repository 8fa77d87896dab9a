import { join } from 'node:path';

import { writeOnce } from '../../files/write-once.ts';
import { receiptFileName } from '../file.ts';
import type { SignedReceipt } from '../signed.ts';
import { codesOf, paperId } from './codes.ts';
import { compactOf } from './compact.ts';
import { linesOf } from './lines.ts';
import { type Modules, modulesOf, pngOf } from './qr.ts';

/** A receipt as it goes onto paper. */
export interface PaperReceipt {
  /** Eight characters, by which papers are told apart. */
  readonly id: string;
  readonly codes: readonly PaperCode[];
  /** The lines to be typed; `undefined` for a receipt that is too long for that. */
  readonly lines: readonly string[] | undefined;
}

interface PaperCode {
  /** `code 1 of 3`, or `spare code`. */
  readonly name: string;
  readonly modules: Modules;
}

/** @throws BundleError USAGE for a receipt that is too long */
export function onPaper(signed: SignedReceipt): PaperReceipt {
  const compact = compactOf(signed);
  const texts = codesOf(compact);
  const codes = texts.map((text, at) => ({
    name: at === texts.length - 1 ? 'spare code' : `code ${at + 1} of ${texts.length - 1}`,
    modules: modulesOf(text),
  }));
  return { id: paperId(compact), codes, lines: linesOf(compact) };
}

/**
 * Writes the QR codes of a receipt as PNG files into a folder, and beside them a text file with the
 * lines that can be typed instead. Nothing is written over.
 * @returns the paths.
 * @throws BundleError USAGE, DISK
 */
export async function writePaper(
  folder: string,
  signed: SignedReceipt,
): Promise<readonly string[]> {
  const paper = onPaper(signed);
  const stem = receiptFileName(signed.receipt).replace(/\.json$/, '');
  const paths: string[] = [];
  for (const { name, modules } of paper.codes) {
    const path = join(folder, `${stem}-${name.replaceAll(' ', '-')}.png`);
    await writeOnce(path, pngOf(modules));
    paths.push(path);
  }
  if (paper.lines === undefined) return paths;
  const path = join(folder, `${stem}.txt`);
  await writeOnce(path, Buffer.from(typedText(signed, paper)));
  return [...paths, path];
}

/** What is printed for somebody who types: lines that begin with # are for people alone. */
export function typedText({ receipt }: SignedReceipt, { id, lines }: PaperReceipt): string {
  return [
    `# receipt ${id} of ${receipt.site}, ${receipt.time}`,
    '# to be typed into: bundle receipt enter',
    ...(lines ?? []),
    '',
  ].join('\n');
}
