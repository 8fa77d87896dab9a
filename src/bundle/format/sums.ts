import { type Digest, digestFromHex, hexOf } from '../../core/digest.ts';
import { TextPieces } from '../../core/bytes.ts';
import { blobPath, isEntryPath } from './paths.ts';
import { unusable } from './unusable.ts';

/** One line of SHA256SUMS. */
export interface Sum {
  readonly digest: Digest;
  readonly path: string;
}

/** `<hex>␠␠<path>` LF for each: what `sha256sum -c` and `shasum -c` read. */
export function formatSums(sums: Iterable<Sum>): Uint8Array {
  const text = new TextPieces();
  for (const { digest, path } of sums) text.add(`${hexOf(digest)}  ${path}\n`);
  return text.bytes();
}

const LINE = /^([0-9a-f]{64}) {2}(\S+)$/;

/**
 * Reads SHA256SUMS back. Only paths that a bundle can hold are accepted, each once, and a blob's
 * path must be its digest.
 * @throws BundleError BUNDLE_UNUSABLE naming the line.
 */
export function parseSums(bytes: Uint8Array): readonly Sum[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const lines = text.split('\n');
  if (lines.pop() !== '') throw unusable('SHA256SUMS does not end with a line feed');
  const seen = new Set<string>();
  const sums = lines.map((line, index) => {
    const [, hex, path] = LINE.exec(line) ?? [];
    const where = `line ${index + 1} of SHA256SUMS`;
    if (hex === undefined || path === undefined || !isEntryPath(path)) {
      throw unusable(`${where} names a path that no bundle may hold`);
    }
    if (seen.has(path)) throw unusable(`${where} names ${path} a second time`);
    const digest = digestFromHex(hex);
    if (path.startsWith('blobs/') && path !== blobPath(digest)) {
      throw unusable(`${where}: ${path} does not contain its digest`);
    }
    seen.add(path);
    return { digest, path };
  });
  if (sums[0]?.path !== 'bundle.json') {
    throw unusable('SHA256SUMS does not begin with bundle.json');
  }
  return sums;
}
