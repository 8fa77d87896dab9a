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
