const MASK = '***';

const WHERE_TO =
  'Leave out the user and the password: bundle login HOST keeps them, and --authfile names a ' +
  'file that has them.';

/**
 * A text for messages in which somebody may have written a user and a password before the name of
 * a host, as in a URL: `user:***@quay.io/a/b`. References, places and URLs keep all the rest.
 */
export function withoutPasswords(text: string): string {
  if (!text.includes('@')) return text;
  return text
    .split(/([\s"'<>]+)/)
    .map((word) => (word.includes('@') ? withoutPassword(word) : word))
    .join('');
}

/** What to do with a reference, place or URL that has a user and a password; else `otherwise`. */
export function hintOnPassword(typed: string, otherwise: string): string {
  return withoutPassword(typed) === typed ? otherwise : WHERE_TO;
}

/** The same for the whole of a reference, place or URL: a password may have blanks in it. */
export function withoutPassword(word: string): string {
  const at = lastBorder(word);
  if (at === -1) return word;
  const [before, host] = [word.slice(0, at), word.slice(at)];
  const scheme = /^(?:[^:@]*[=([{,;])?[a-z][a-z0-9+.-]*:\/\//i.exec(before)?.[0];
  // `PREFIX=LOCATION`, or a word in brackets: what is before the user stays.
  const start = scheme?.length ?? before.search(/[^=([{,;:]*(?::|$)/);
  const info = before.slice(start);
  const colon = info.indexOf(':');
  const user = colon === -1 ? info : info.slice(0, colon);
  if (user.includes('/')) return word; // a path, and perhaps a tag behind it
  const lead = before.slice(0, start);
  // In a URL, a token may stand without a user.
  if (colon === -1) return scheme === undefined ? word : `${lead}${MASK}${host}`;
  const isPort = /^[0-9]{1,5}\//.test(info.slice(colon + 1)) && !host.includes('/');
  return isPort ? word : `${lead}${user}:${MASK}${host}`;
}

/** Where the last `@` is that is not the one before a digest. */
function lastBorder(word: string): number {
  let at = word.lastIndexOf('@');
  while (at !== -1 && /^@sha[0-9]+:/.test(word.slice(at, at + 9))) {
    at = at === 0 ? -1 : word.lastIndexOf('@', at - 1);
  }
  return at;
}
