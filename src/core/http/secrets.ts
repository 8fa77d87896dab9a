import { oneLine } from '../text.ts';

const REDACTED = '[redacted]';
/** Anything shorter is in every other word, and no secret. */
const SHORTEST = 4;
/** A run of days gets many tokens, and the first of them are worth nothing any more. */
const MOST_KEPT = 200;

/** What this run has shown to servers to be let in, the latest last. */
const sent = new Set<string>();
/** How those may be written, the longest first: a password may be a part of what holds it. */
let forms: readonly string[] | undefined;

/** From now on, no text of a server is shown with this in it. */
export function keepSecret(secret: string): void {
  if (secret.length < SHORTEST) return;
  const isKnown = sent.delete(secret);
  sent.add(secret);
  if (isKnown) return;
  const [oldest] = sent;
  if (sent.size > MOST_KEPT) sent.delete(oldest!);
  forms = undefined;
}

/** The same for an Authorization header: a token; or user and password, encoded or not. */
export function keepAuthorization(header: string): void {
  const [, scheme = '', value = ''] = /^(\S+) +(.*)$/s.exec(header) ?? [];
  keepSecret(value);
  if (scheme.toLowerCase() !== 'basic') return;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  keepSecret(pair);
  keepSecret(pair.slice(pair.indexOf(':') + 1));
}

/**
 * A text of a server for a message, as one line, without what it was sent: some servers, and the
 * proxies before them, repeat the request that they refuse.
 */
export function serverText(text: string, limit?: number): string {
  return oneLine(withoutSecrets(text), limit);
}

export function withoutSecrets(text: string): string {
  forms ??= [...sent].flatMap(formsOf).toSorted((a, b) => b.length - a.length);
  return forms.reduce((rest, form) => rest.replaceAll(form, REDACTED), text);
}

/** As it is, and as it is written in JSON, in a URL, in a form, and in the base64 of URLs. */
function formsOf(secret: string): readonly string[] {
  const bare = secret.replace(/=+$/, '');
  const ofUrl = bare.replaceAll('+', '-').replaceAll('/', '_');
  const all = [secret, bare, ofUrl].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    ...urlForms(text),
  ]);
  return [...new Set(all)].filter((form) => form.length >= SHORTEST);
}

function urlForms(text: string): readonly string[] {
  const form = new URLSearchParams([['', text]]).toString().slice(1);
  const lower = (encoded: string): string =>
    encoded.replace(/%[0-9A-F]{2}/g, (each) => each.toLowerCase());
  // Half a surrogate pair would make encodeURIComponent throw.
  const whole = encodeURIComponent(Buffer.from(text).toString());
  return [form, whole, lower(form), lower(whole)];
}
