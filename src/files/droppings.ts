/** How such a file begins (AppleDouble, RFC 1740). */
const APPLE_DOUBLE = Buffer.from('00051607', 'hex');

/** Whether this is what a Mac puts beside a file, and neither the file nor anybody's text. */
export function isAppleDouble(content: Uint8Array): boolean {
  return APPLE_DOUBLE.equals(content.subarray(0, APPLE_DOUBLE.length));
}

/** Without regard to case: file systems of media have none. */
const LEFT_BEHIND = new Set([
  '$recycle.bin',
  '__macosx',
  'desktop.ini',
  'ehthumbs.db',
  'found.000',
  'lost+found',
  'recycler',
  'system volume information',
  'thumbs.db',
]);

/**
 * Whether a name is of what file systems, Windows and macOS leave on media by themselves: nobody
 * has put that there. A Mac puts `._NAME` beside each file NAME, and all else that begins with a dot
 * is hidden from people.
 */
export function isDropping(name: string): boolean {
  return name.startsWith('.') || LEFT_BEHIND.has(name.toLowerCase());
}
