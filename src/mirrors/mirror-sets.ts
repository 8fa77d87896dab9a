import { utf8 } from '../core/bytes.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { MAX_CONFIGURATION_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import { parseAllDocuments } from '../yaml/documents.ts';
import { findRule, isPlace, isWildcard, type PullKind, type RegistryRule } from './rules.ts';

/**
 * The objects by which clusters are told of mirrors: where each keeps its list, and what its
 * mirrors are asked for.
 */
export const MIRROR_SETS = {
  ImageDigestMirrorSet: { list: 'imageDigestMirrors', pull: 'digest-only' },
  ImageTagMirrorSet: { list: 'imageTagMirrors', pull: 'tag-only' },
  ImageContentSourcePolicy: { list: 'repositoryDigestMirrors', pull: 'digest-only' },
} as const satisfies Readonly<Record<string, { list: string; pull: PullKind }>>;
export type MirrorSetKind = keyof typeof MIRROR_SETS;

/**
 * Reads ImageDigestMirrorSets, ImageTagMirrorSets and ImageContentSourcePolicies from files in YAML
 * or JSON, as `unpack` and oc-mirror write them and as `oc get … -o yaml` shows them. Mirrors of
 * one source add up.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION naming file and place.
 */
export async function loadMirrorSets(paths: readonly string[]): Promise<readonly RegistryRule[]> {
  const rules = new Map<string, RegistryRule>();
  for (const path of paths) {
    let text: string;
    try {
      text = utf8(await readGivenFile(path, MAX_CONFIGURATION_BYTES));
    } catch (error) {
      throw hasCode(error, 'CONFIGURATION') ? refused(path, error.message) : error;
    }
    for (const rule of parseMirrorSets(text, path)) {
      const known = rules.get(rule.prefix);
      rules.set(rule.prefix, known ? joined(known, rule) : rule);
    }
  }
  return [...rules.values()];
}

/**
 * Rules of mirror sets over those of registries.conf: mirrors of the former come first, all else is
 * kept. A source below a prefix that is blocked there stays blocked, as on a cluster.
 */
export function withMirrorSets(
  conf: readonly RegistryRule[],
  sets: readonly RegistryRule[],
): readonly RegistryRule[] {
  const rules = new Map(conf.map((rule) => [rule.prefix, rule]));
  for (const set of sets) {
    const known = rules.get(set.prefix);
    const above = known ?? findRule(set.prefix, conf);
    rules.set(set.prefix, {
      ...(known === undefined ? set : joined(set, known)),
      ...(known !== undefined && { location: known.location }),
      insecure: above?.insecure,
      ...(above?.blocked === true && { blocked: true, from: above.from }),
    });
  }
  return [...rules.values()];
}

function joined(first: RegistryRule, second: RegistryRule): RegistryRule {
  const known = new Set(first.mirrors.map(({ location, pull }) => `${location} ${pull}`));
  const more = second.mirrors.filter(({ location, pull }) => !known.has(`${location} ${pull}`));
  return {
    ...first,
    blocked: first.blocked || second.blocked,
    mirrors: [...first.mirrors, ...more],
  };
}

function parseMirrorSets(text: string, path: string): readonly RegistryRule[] {
  const objects: Json[] = [];
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error) {
      const [at] = error.linePos ?? [];
      throw refused(
        path,
        `${at === undefined ? '' : `line ${at.line}, column ${at.col}: `}it is not YAML`,
      );
    }
    objects.push(document.toJS() as Json);
  }
  const listed = objects.flatMap((object) =>
    isObject(object) && object['kind'] === 'List' ? listIn(object, 'items', path) : [object],
  );
  const sets = listed
    .filter((object) => object !== null)
    .filter((object) => isMirrorSet(kindOf(object)));
  if (sets.length === 0) {
    throw refused(path, `it holds none of ${Object.keys(MIRROR_SETS).join(', ')}`);
  }
  return sets.flatMap((set) => rulesOf(set as JsonObject, path));
}

function isMirrorSet(kind: string): kind is MirrorSetKind {
  return Object.hasOwn(MIRROR_SETS, kind);
}

function kindOf(object: Json): string {
  return isObject(object) && typeof object['kind'] === 'string' ? object['kind'] : '';
}

function rulesOf(set: JsonObject, path: string): readonly RegistryRule[] {
  const { list, pull } = MIRROR_SETS[kindOf(set) as MirrorSetKind];
  const spec = set['spec'] ?? {};
  if (!isObject(spec)) throw refused(path, 'spec is not an object');
  return listIn(spec, list, path).map((entry, index): RegistryRule => {
    const where = `${list}[${index}]`;
    if (!isObject(entry)) throw refused(path, `${where} is not an object`);
    const { source, mirrorSourcePolicy } = entry;
    if (typeof source !== 'string' || !(isPlace(source) || isWildcard(source)))
      throw refused(path, `${where}.source is not HOST[:PORT][/PATH]`);
    const mirrors = listIn(entry, 'mirrors', path).map((location) => {
      if (typeof location === 'string' && isPlace(location))
        return { location, insecure: undefined, pull };
      throw refused(path, `${where}.mirrors holds something else than HOST[:PORT][/PATH]`);
    });
    const location = source.startsWith('*.') ? undefined : source;
    return {
      prefix: source,
      location,
      insecure: undefined,
      blocked: mirrorSourcePolicy === 'NeverContactSource',
      mirrors,
      from: path,
    };
  });
}

function listIn(object: JsonObject, key: string, path: string): readonly Json[] {
  const list = object[key] ?? [];
  if (Array.isArray(list)) return list as readonly Json[];
  throw refused(path, `${key} is not a list`);
}

function refused(path: string, why: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use the mirror sets of ${path}: ${why}`, {
    hint:
      'Name a file as oc get imagedigestmirrorset -o yaml shows it, ' +
      'or as unpack and oc-mirror write it.',
    subject: path,
  });
}
