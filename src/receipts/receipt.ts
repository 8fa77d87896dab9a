import { type Digest, digestOf, parseDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import {
  asArray,
  asObject,
  asString,
  formatJson,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../core/json.ts';

export const RECEIPT_FORMAT = 1;

/**
 * How somebody knows that a bundle is at the target: this run brought it there, or asked for each
 * of its blobs, or read each of them; or an earlier receipt of the same host says so.
 */
export const WAYS_OF_KNOWING = ['delivered', 'asked', 'read', 'earlier'] as const;
export type WayOfKnowing = (typeof WAYS_OF_KNOWING)[number];

/** A part of a bundle, by its number from 0 in `bundle.json`. */
export interface ReceiptPart {
  readonly number: number;
  readonly label: string;
}

/** A bundle that is at the target, with the parts that are whole there. */
export interface ReceiptBundle {
  readonly name: string;
  readonly digest: Digest;
  /** Whether all of its parts are there. */
  readonly whole: boolean;
  readonly known: WayOfKnowing;
  readonly parts: readonly ReceiptPart[];
}

/** The registry that the bundles are at, and where in it: without these, nothing can be asked for. */
export interface ReceiptTarget {
  readonly registry: string;
  readonly namespace: string | null;
  /** Repositories that have a purpose, as full paths. */
  readonly places: { readonly entry: string; readonly content: string; readonly graph: string };
  readonly maxNestedPaths: number | null;
}

/** What a site says about itself: which bundles are at its registry. */
export interface Receipt {
  readonly site: string;
  /** UTC, in whole seconds: `2026-11-28T23:05:00Z`. Each receipt of a site is later than the last. */
  readonly time: string;
  /** The receipt before this one of the same site and target; `null` where none is known. */
  readonly previous: Digest | null;
  /**
   * Whether this one counts alone: what earlier receipts of the site and target say, and this one
   * does not repeat, may be gone.
   */
  readonly replaces: boolean;
  readonly target: ReceiptTarget;
  readonly bundles: readonly ReceiptBundle[];
  /** Name and version of the program. */
  readonly program: string;
  /** The id of the key that has signed it. */
  readonly signer: string;
}

const SITE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const KEY_ID = /^[0-9a-f]{64}$/;

/** @throws BundleError USAGE */
export function checkSiteName(name: string): string {
  if (SITE.test(name)) return name;
  throw new BundleError('USAGE', `not a name for a site: ${JSON.stringify(name)}`, {
    expected: 'up to 63 letters, digits, dots, dashes, colons and underscores',
    hint: 'Write it with --site, as in --site plant-a.',
  });
}

/** A receipt to the byte: fixed order of keys, two-space indent, a line feed at the end. */
export function formatReceipt(receipt: Receipt): Uint8Array {
  const { site, time, previous, replaces, target, bundles, program, signer } = receipt;
  const { registry, namespace, places, maxNestedPaths } = target;
  const { entry, content, graph } = places;
  return formatJson({
    ...{ format: RECEIPT_FORMAT, site, time, previous, replaces },
    target: { registry, namespace, places: { entry, content, graph }, maxNestedPaths },
    bundles: bundles.map(({ name, digest, whole, known, parts }) => ({
      ...{ name, digest, whole, known },
      parts: parts.map(({ number, label }) => ({ number, label })),
    })),
    ...{ program, signer },
  });
}

/** How receipts name each other. */
export function receiptDigest(receipt: Receipt): Digest {
  return digestOf(formatReceipt(receipt));
}

/**
 * Reads a receipt; the bytes must be exactly those that {@link formatReceipt} makes of what they
 * say.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  const document = asObject(parseStrictJson(bytes, 'the receipt'), 'the receipt');
  const { format } = document;
  if (format !== RECEIPT_FORMAT) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the receipt has another format', {
      expected: `format ${RECEIPT_FORMAT}`,
      got: format === undefined ? 'none' : JSON.stringify(format).slice(0, 40),
      hint: 'Use a version of bundle that knows the format.',
    });
  }
  const receipt: Receipt = {
    site: matching(document, 'site', SITE),
    time: timeOf(document),
    previous: document['previous'] === null ? null : parseDigest(document['previous']),
    replaces: asBoolean(document['replaces'], 'replaces'),
    target: targetOf(asObject(document['target'], 'target')),
    bundles: asArray(document['bundles'], 'bundles').map((row, index) =>
      bundleOf(asObject(row, `bundles[${index}]`), `bundles[${index}]`),
    ),
    program: asString(document['program'], 'program'),
    signer: matching(document, 'signer', KEY_ID),
  };
  const rows = receipt.bundles.map(({ digest, known }) => `${digest} ${known === 'earlier'}`);
  if (new Set(rows).size < rows.length) throw malformed('it names a bundle twice');
  if (!Buffer.from(formatReceipt(receipt)).equals(bytes))
    throw malformed('it is not in its canonical form');
  return receipt;
}

function bundleOf(row: JsonObject, what: string): ReceiptBundle {
  const known = WAYS_OF_KNOWING.find((way) => way === row['known']);
  if (known === undefined)
    throw malformed(`${what}.known is none of ${WAYS_OF_KNOWING.join(', ')}`);
  const parts = asArray(row['parts'], `${what}.parts`).map((entry): ReceiptPart => {
    const { number, label } = asObject(entry, `a row of ${what}.parts`);
    return {
      number: asNumber(number, `the number of a part in ${what}`),
      label: asString(label, `the label of a part in ${what}`),
    };
  });
  if (parts.length === 0) throw malformed(`${what} has no part that is whole`);
  if (parts.some(({ number }, at) => at > 0 && number <= parts[at - 1]!.number))
    throw malformed(`the parts of ${what} are not in their order`);
  return {
    name: asString(row['name'], `${what}.name`),
    digest: parseDigest(row['digest']),
    whole: asBoolean(row['whole'], `${what}.whole`),
    known,
    parts,
  };
}

function targetOf(row: JsonObject): ReceiptTarget {
  const places = asObject(row['places'], 'places');
  const { namespace, maxNestedPaths } = row;
  return {
    registry: asString(row['registry'], 'registry'),
    namespace: namespace === null ? null : asString(namespace, 'namespace'),
    places: {
      entry: asString(places['entry'], 'places.entry'),
      content: asString(places['content'], 'places.content'),
      graph: asString(places['graph'], 'places.graph'),
    },
    maxNestedPaths: maxNestedPaths === null ? null : asNumber(maxNestedPaths, 'maxNestedPaths'),
  };
}

function timeOf(document: JsonObject): string {
  const time = matching(document, 'time', TIME);
  const read = Date.parse(time);
  // Of 30 February, Date.parse makes a day of March.
  if (Number.isNaN(read) || receiptTime(new Date(read)) !== time)
    throw malformed(`its time is none: ${time}`);
  return time;
}

function matching(document: JsonObject, key: string, form: RegExp): string {
  const text = asString(document[key], key);
  if (form.test(text)) return text;
  throw malformed(`${key} does not have its form`);
}

function asNumber(value: Json | undefined, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(`${what} is no whole number from 0 on`);
}

function asBoolean(value: Json | undefined, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw malformed(`${what} is neither true nor false`);
}

function malformed(why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the receipt cannot be used: ${why}`, {
    hint: 'Ask the site for it again, or have them make a new one.',
  });
}

/** Two receipts are about one registry: later ones of a site count for this target alone. */
export function targetName({ registry, namespace }: ReceiptTarget): string {
  return namespace === null ? registry : `${registry}/${namespace}`;
}

/** UTC in whole seconds, as receipts have it. */
export function receiptTime(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

const LAST_TIME = '9999-12-31T23:59:59Z';

/**
 * The time of a receipt that follows another: later, even where the clock was put back.
 * @throws BundleError USAGE where no time is later.
 */
export function timeAfter(now: Date, previous: Receipt | undefined): string {
  const time = receiptTime(now);
  if (previous === undefined || time > previous.time) return time;
  if (previous.time < LAST_TIME) return receiptTime(new Date(Date.parse(previous.time) + 1000));
  throw new BundleError('USAGE', `no receipt can be later than the last one of ${previous.site}`, {
    got: previous.time,
    hint: 'The clock was wrong when it was made. Take it out of the folder and of the history.',
  });
}
