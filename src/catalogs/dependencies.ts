import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { oneLine } from '../core/text.ts';
import { type Api, type CatalogBundle, type Requirement, versionOf } from './catalog.ts';
import { parseRange } from './versions/range.ts';
import { parseVersion } from './versions/version.ts';

/** What a bundle needs beside it, and whether it is there. */
export interface Dependency {
  readonly package: string;
  readonly bundle: string;
  /** In words: `package odf-operator >=4.17.0`, `API Foo.v1.example.com`. */
  readonly requires: string;
  /**
   * `kept`: something that is kept satisfies it. `available`: only something that is left out does.
   * `not-evaluated`: it is an expression (CEL), or something that this program does not know.
   */
  readonly state: 'kept' | 'available' | 'missing' | 'not-evaluated';
  /** The packages that satisfy it, kept or not; OLM takes one of them. */
  readonly providers: readonly string[];
}

/** A requirement as a question to a bundle; `undefined` where it cannot be asked. */
export type Test = (bundle: CatalogBundle) => boolean;

/**
 * What kept bundles require, each requirement of a bundle once. In OLM one bundle has to satisfy a
 * requirement, a combined one (`all`, `any`, `not`), too.
 * @param available all bundles of all catalogs of the set.
 */
export function dependenciesOf(
  kept: readonly CatalogBundle[],
  available: readonly CatalogBundle[],
): readonly Dependency[] {
  const found: Dependency[] = [];
  const known = new Map<string, { readonly kept: boolean; readonly providers: string[] }>();
  for (const { package: ofPackage, name, requires } of kept) {
    const seen = new Set<string>();
    for (const requirement of requires) {
      const words = describeRequirement(requirement);
      if (seen.has(words)) continue;
      seen.add(words);
      const about = { package: ofPackage, bundle: name, requires: words };
      const test = testOf(requirement);
      if (test === undefined) {
        found.push({ ...about, state: 'not-evaluated', providers: [] });
        continue;
      }
      const answer = known.get(words) ?? {
        kept: kept.some(test),
        providers: [...new Set(available.filter(test).map((own) => own.package))].sort(),
      };
      known.set(words, answer);
      const state = answer.kept ? 'kept' : answer.providers.length > 0 ? 'available' : 'missing';
      found.push({ ...about, state, providers: answer.providers });
    }
  }
  return found;
}

export function testOf(requirement: Requirement): Test | undefined {
  switch (requirement.type) {
    case 'package':
      return packageTest(requirement.name, requirement.range);
    case 'api':
      return apiTest(requirement.api);
    case 'constraint':
      return constraintTest(requirement.value);
  }
}

export function describeRequirement(requirement: Requirement): string {
  switch (requirement.type) {
    case 'package':
      return `package ${oneLine(`${requirement.name} ${requirement.range}`)}`;
    case 'api':
      return `API ${oneLine(describeApi(requirement.api))}`;
    case 'constraint':
      return describeConstraint(requirement.value);
  }
}

function describeApi({ group, version, kind }: Api): string {
  return [kind, version, group].filter((part) => part !== '').join('.');
}

function packageTest(name: string, text: string): Test | undefined {
  const range = parseRange(text);
  if (range === undefined) return undefined;
  return (bundle) => {
    const version = parseVersion(versionOf(bundle));
    return bundle.package === name && version !== undefined && range(version);
  };
}

function apiTest({ group, version, kind }: Api): Test {
  return ({ provides }) =>
    provides.some((api) => api.group === group && api.version === version && api.kind === kind);
}

/** Constraints may be nested; deeper than this nobody writes them. */
const MOST_LEVELS = 64;

function constraintTest(value: Json | undefined, level = 0): Test | undefined {
  if (!isObject(value) || level > MOST_LEVELS) return undefined;
  const { gvk, all, any, not } = value;
  if (isObject(value['package']))
    return packageTest(
      textOf(value['package'], 'packageName'),
      textOf(value['package'], 'versionRange'),
    );
  if (isObject(gvk)) return apiTest(apiOf(gvk));
  const parts = [all, any, not].find(isObject)?.['constraints'];
  if (!Array.isArray(parts)) return undefined;
  const tests = (parts as readonly Json[]).map((part) => constraintTest(part, level + 1));
  if (tests.some((test) => test === undefined)) return undefined;
  const known = tests as readonly Test[];
  if (isObject(all)) return (bundle) => known.every((test) => test(bundle));
  if (isObject(any)) return (bundle) => known.some((test) => test(bundle));
  return (bundle) => !known.some((test) => test(bundle));
}

function describeConstraint(value: Json | undefined, level = 0): string {
  if (!isObject(value) || level > MOST_LEVELS) return 'a constraint of a kind that is not known';
  const { gvk, cel } = value;
  if (isObject(value['package']))
    return `package ${oneLine(
      `${textOf(value['package'], 'packageName')} ${textOf(value['package'], 'versionRange')}`,
    )}`;
  if (isObject(gvk)) return `API ${oneLine(describeApi(apiOf(gvk)))}`;
  if (isObject(cel)) return `expression ${oneLine(textOf(cel, 'rule'), 80)}`;
  for (const kind of ['all', 'any', 'not'] as const) {
    const group = value[kind];
    const parts = isObject(group) ? group['constraints'] : undefined;
    if (Array.isArray(parts))
      return `${kind} of (${(parts as readonly Json[])
        .map((part) => describeConstraint(part, level + 1))
        .join('; ')})`;
  }
  return 'a constraint of a kind that is not known';
}

function apiOf(value: JsonObject): Api {
  return {
    group: textOf(value, 'group'),
    version: textOf(value, 'version'),
    kind: textOf(value, 'kind'),
  };
}

function textOf(value: JsonObject, key: string): string {
  const text = value[key];
  return typeof text === 'string' ? text : '';
}
