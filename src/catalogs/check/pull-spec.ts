/** A name of an image as container tools read it, without a registry too: `busybox`, `a/b:tag`. */
const HOST = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?`;
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const TAG = String.raw`[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`;
const DIGEST = String.raw`[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`;
const PULL_SPEC = new RegExp(
  `^(?<name>(?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*)(?::${TAG})?(?:@(?<digest>${DIGEST}))?$`,
);
/** Hexadecimal digits of the digests that container tools know. */
const DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };
const MOST = 255;

/** Whether container tools can read the text as the name of an image. */
export function isPullSpec(text: string): boolean {
  // An identifier of an image, and no name.
  if (/^[a-f0-9]{64}$/.test(text)) return false;
  const groups = PULL_SPEC.exec(text)?.groups;
  if (groups === undefined || groups['name']!.length > MOST) return false;
  // Without a dot or a port the first part is no host, so that it has to be in lower case.
  const [first] = text.split('/', 1);
  const isHost = /[.:]/.test(first!) || first === 'localhost';
  if (text.includes('/') && !isHost && first !== first!.toLowerCase()) return false;
  const [algorithm = '', digits = ''] = groups['digest']?.split(':') ?? [];
  if (algorithm === '') return true;
  return DIGITS[algorithm] === digits.length && digits === digits.toLowerCase();
}
