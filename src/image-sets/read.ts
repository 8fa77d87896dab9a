import { isMap, isScalar, LineCounter, type YAMLMap } from 'yaml';

import { BundleError } from '../core/errors.ts';
import { few, oneLine } from '../core/text.ts';
import { parseDocument } from '../yaml/documents.ts';
import { blocker, readBlocked } from './blocked.ts';
import { readCharts } from './charts.ts';
import { Fields } from './fields.ts';
import type { Finding } from './findings.ts';
import { IMAGE_SET_KINDS, type ImageSet, type ImageSetKind } from './image-set.ts';
import { namesOf, readImages } from './images.ts';
import { readOperators } from './operators.ts';
import { readPlatform } from './platform.ts';
import { Reading, Unreadable, Value } from './reading.ts';

const VERSION = 'mirror.openshift.io/v2alpha1';

/** A file, read. */
export interface ReadImageSet {
  /** `undefined` where there are errors among the findings. */
  readonly set?: ImageSet | undefined;
  readonly findings: readonly Finding[];
}

/** Reads the text of a file for oc-mirror v2. It fetches nothing, and never fails. */
export function readImageSet(text: string): ReadImageSet {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    // The reader of the mappings finds keys that are there twice, in whatever case.
    uniqueKeys: false,
    prettyErrors: false,
  });
  const reading = new Reading(document, lines);
  const [fault] = document.errors;
  let set: ImageSet | undefined;
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    const [message, hint] = explained(fault.code, fault.message);
    const place = { line: Math.max(line, 1), column: Math.max(col, 1) };
    reading.findings.add({ level: 'error', code: 'syntax', ...place, path: '', message, hint });
  } else {
    try {
      set = readRoot(new Value(document.contents, '', reading));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
  }
  const findings = reading.findings.sorted();
  const isUsable = findings.every(({ level }) => level === 'warning');
  return { set: isUsable ? set : undefined, findings };
}

/**
 * The image set of a file that has no errors.
 * @param name of the file.
 * @throws BundleError CONFIGURATION with the first error.
 */
export function requireImageSet({ set, findings }: ReadImageSet, name: string): ImageSet {
  if (set !== undefined) return set;
  const errors = findings.filter(({ level }) => level === 'error');
  const [first] = errors;
  const more =
    errors.length > 1
      ? ` bundle imageset check ${name} lists ${errors.length - 1} more.`
      : ` bundle imageset check ${name} checks the file again.`;
  throw new BundleError('CONFIGURATION', `${name}, line ${first!.line}: ${first!.message}`, {
    subject: name,
    hint: `${first!.hint ?? ''}${more}`.trim(),
  });
}

function explained(code: string, message: string): readonly [string, string] {
  if (code === 'MULTIPLE_DOCS') {
    const hint = 'oc-mirror reads the first one alone: put each into a file of its own.';
    return ['the file holds more than one document', hint];
  }
  if (code === 'RESOURCE_EXHAUSTION')
    return [
      'its lists and mappings are too deep',
      'No image set is like that: check where it is from.',
    ];
  const hint = 'Compare the indentation and the quotes of this line with those around it.';
  return [`it is not YAML: ${oneLine(message, 200)}`, hint];
}

function readRoot(root: Value): ImageSet | undefined {
  const { node, reading } = root;
  if (!isMap(node)) {
    const hint = `Write apiVersion: ${VERSION} and kind: ImageSetConfiguration first.`;
    root.error('kind', 'the file holds no image set', hint);
    return undefined;
  }
  reading.kind = writtenKind(node) ?? reading.kind;
  const fields = Fields.of(root)!;
  const kind = fields.requiredText('kind');
  if (kind !== undefined && !Object.hasOwn(IMAGE_SET_KINDS, kind.value)) {
    const hint = `This program reads ${Object.keys(IMAGE_SET_KINDS).join(' and ')}.`;
    kind.at.error('kind', `the file is of the kind ${oneLine(kind.value, 60)}`, hint);
  }
  const archiveSize = readArchiveSize(fields);
  const key = IMAGE_SET_KINDS[reading.kind];
  const asked = fields.fields(key);
  if (asked === undefined) {
    if (fields.value(key) === undefined) root.error('missing', `the file needs ${key}`);
    return undefined;
  }
  const platform = asked.fields('platform');
  const images = asked.mappings('additionalImages');
  const set: ImageSet = {
    kind: reading.kind,
    ...(archiveSize !== undefined && { archiveSize }),
    ...(platform !== undefined && { platform: readPlatform(platform) }),
    operators: readOperators(asked.mappings('operators')),
    images: readImages(images),
    charts: readCharts(asked.fields('helm')),
    blocked: readBlocked(asked.mappings('blockedImages')),
  };
  const samples = asked.value('samples');
  samples?.warn('no-effect', 'samples have no effect, in oc-mirror v2 neither', 'Remove them.');
  checkVersion(fields);
  if (reading.findings.hasErrors) return undefined;
  const blockedBy = blocker(set.blocked);
  for (const [index, image] of set.images.entries()) {
    const blocked = blockedBy(namesOf(image));
    const message = `${image.name} is left out: line ${blocked?.line ?? 0} blocks it`;
    if (blocked !== undefined) images[index]!.value('name')!.warn('no-effect', message);
  }
  return blocksWhole(set, asked.mappings('blockedImages')) ? undefined : set;
}

/**
 * Whether a pattern blocks what all else of a part hangs on, which cannot be left out, and says so.
 * The rest shows when it is read.
 */
function blocksWhole(
  { operators, platform, blocked }: ImageSet,
  entries: readonly Fields[],
): boolean {
  let isHit = false;
  const { release } = platform ?? {};
  const whole = [
    ...operators.map(({ catalog }) => ({ what: 'the catalog', name: catalog })),
    ...(release === undefined ? [] : [{ what: 'the release', name: release }]),
  ];
  for (const [index, pattern] of blocked.entries()) {
    const blocks = blocker([pattern]);
    const hit = whole.find(({ name }) => blocks([name]) !== undefined);
    if (hit === undefined) continue;
    const message = `blockedImages blocks ${hit.what} ${hit.name}, which cannot be left out`;
    const hint =
      'Releases, catalogs and the images of their bundles are always whole. Write the pattern so ' +
      String.raw`that it does not fit: \. for a dot, $ for the end.`;
    entries[index]!.value('name')!.error('contradiction', message, hint);
    isHit = true;
  }
  return isHit;
}

/** Looked for first: the keys that the rest may have depend on it. */
function writtenKind({ items }: YAMLMap): ImageSetKind | undefined {
  const pair = items.find(({ key }) => isScalar(key) && /^kind$/i.test(String(key.value)));
  const kind = isScalar(pair?.value) ? pair.value.value : undefined;
  return typeof kind === 'string' && Object.hasOwn(IMAGE_SET_KINDS, kind)
    ? (kind as ImageSetKind)
    : undefined;
}

function readArchiveSize(fields: Fields): number | undefined {
  const size = fields.whole('archiveSize');
  if (size === undefined || size.value === 0) return undefined;
  if (size.value > 0) return size.value;
  const hint = 'Write how many GiB a volume has at most.';
  size.at.error('invalid-value', `archiveSize is ${size.value}`, hint);
  return undefined;
}

/** oc-mirror takes any version: what matters is whether the keys are those of v2. */
function checkVersion(fields: Fields): void {
  const version = fields.text('apiVersion');
  if (version?.value === VERSION) return;
  const { findings } = fields.at.reading;
  const changed = findings.sorted().filter(({ code }) => code === 'changed-key');
  const hint = `Write apiVersion: ${VERSION}.`;
  const at = version?.at ?? fields.at;
  const written = version === undefined ? 'is missing' : `is ${oneLine(version.value, 60)}`;
  if (changed.length === 0) {
    const message = `apiVersion ${written}: the file is read as ${VERSION}, as oc-mirror v2 does`;
    at.warn('kind', message, hint);
    return;
  }
  const lines = few([...new Set(changed.map(({ line }) => String(line)))]).join(', ');
  const message = `the file is for oc-mirror v1, whose keys in line ${lines} have changed`;
  at.error('kind', message, `${hint} What became of the other keys is said with each.`);
}
