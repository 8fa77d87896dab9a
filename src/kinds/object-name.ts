/** Kubernetes names are DNS labels here: 63 characters, as in RFC 1123. */
const MAX_NAME_LENGTH = 63;
const MARK_LENGTH = 8;

/**
 * A name for an object out of any text, as far as it fits, and the beginning of a checksum: texts
 * that are cut, or that differ in other characters, have different names.
 * @param checksum hex digits.
 */
export function marked(text: string, checksum: string): string {
  const mark = `-${checksum.slice(0, MARK_LENGTH)}`;
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_NAME_LENGTH - mark.length)
    .replace(/-+$/, '');
  return `${name}${mark}`;
}

/**
 * Whether an object can be called so, and what a cluster makes for it and calls after it: the name
 * of a service begins with a letter.
 */
export function isObjectName(text: string): boolean {
  return /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/.test(text) && text.length <= MAX_NAME_LENGTH;
}
