import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { checkCatalog } from '../../../../src/catalogs/check/check.ts';
import type { Rule } from '../../../../src/catalogs/check/finding.ts';
import { documentsOf, readDocument } from '../../../../src/catalogs/reading/documents.ts';
import { streamOf } from '../../../../src/core/bytes.ts';
import type { Json } from '../../../../src/core/json.ts';
import { catalogOf, CATALOGS } from '../../../support/catalogs.ts';

interface Verdict {
  readonly base: string;
  readonly patch: readonly Operation[];
  /** What `opm validate` said; null where it accepted the catalog. */
  readonly opm: string | null;
}

interface Operation {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string;
  readonly value?: Json;
}

/** What a message of opm is about: the object, and the rules of ours that say the same. */
interface About {
  readonly package?: string | undefined;
  readonly channel?: string | undefined;
  readonly bundle?: string | undefined;
  readonly rules: readonly Rule[];
}

const TEXT = '"((?:[^"\\\\]|\\\\.)*)"';
const said = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll('%q', TEXT)}`);

/** What opm says at once, when it finds the first fault. */
const SENTENCES: readonly [RegExp, (groups: readonly string[]) => About][] = [
  [said('config contains package with no name'), () => ({ package: '', rules: ['package-name'] })],
  [said('duplicate package %q'), ([p]) => ({ package: p, rules: ['package-twice'] })],
  [said('invalid package name %q'), ([p]) => ({ package: p, rules: ['package-name'] })],
  [
    said('unknown package %q for channel %q'),
    ([p, c]) => ({ package: p, channel: c, rules: ['package-unknown'] }),
  ],
  [
    said('unknown package %q for bundle %q'),
    ([p, b]) => ({ package: p, bundle: b, rules: ['package-unknown'] }),
  ],
  [
    said('package %q has duplicate channel %q'),
    ([p, c]) => ({ package: p, channel: c, rules: ['channel-twice'] }),
  ],
  [
    said('invalid package %q, channel %q: duplicate entry %q'),
    ([p, c, b]) => ({ package: p, channel: c, bundle: b, rules: ['entry-twice'] }),
  ],
  [
    said('package %q has duplicate bundle %q'),
    ([p, b]) => ({ package: p, bundle: b, rules: ['bundle-twice'] }),
  ],
  [
    said('package %q bundle %q must have exactly 1 "olm.package" property'),
    ([p, b]) => ({ package: p, bundle: b, rules: ['bundle-properties'] }),
  ],
  [
    said('package %q does not match "olm.package" property %q'),
    ([p]) => ({ package: p, rules: ['bundle-package'] }),
  ],
  [said('error parsing bundle %q version'), ([b]) => ({ bundle: b, rules: ['bundle-version'] })],
  [
    said('package %q bundle %q image: invalid image pull spec'),
    ([p, b]) => ({ package: p, bundle: b, rules: ['bundle-image'] }),
  ],
  [
    said('package %q, bundle %q not found in any channel entries'),
    ([p, b]) => ({ package: p, bundle: b, rules: ['bundle-in-no-channel'] }),
  ],
  [
    said(String.raw`no olm\.bundle blobs found in package %q for olm\.channel entries \[([^\] ]*)`),
    ([p, b]) => ({ package: p, bundle: b, rules: ['entry-without-bundle'] }),
  ],
  [
    said('cannot deprecate (?:bundle|channel) %q for package %q'),
    ([, p]) => ({ package: p, rules: ['deprecation'] }),
  ],
  [
    said('cannot deprecate object .* for package %q: object schema unknown'),
    ([p]) => ({ package: p, rules: ['deprecation'] }),
  ],
  [
    said('package name must be empty for deprecated package %q'),
    ([p]) => ({ package: p, rules: ['deprecation'] }),
  ],
];

/** What opm says at the leaves of a tree of faults. */
const LEAVES: readonly [RegExp, readonly Rule[]][] = [
  [said('default channel must be set'), ['default-channel']],
  // A default channel that is not there is made by opm, and found empty.
  [said('channel must contain at least one bundle'), ['channel-empty', 'default-channel']],
  [said('no channel head found|multiple channel heads found'), ['channel-head']],
  [said('channel contains one or more stranded bundles'), ['channel-stranded']],
  [said('detected cycle'), ['channel-cycle']],
  [said('invalid skipRange'), ['entry-skip-range']],
  // An entry without a bundle is such a bundle for opm, where it does not say so itself.
  [said('must be exactly one property with type'), ['entry-without-bundle']],
  [said('bundle image must be set'), ['bundle-image', 'entry-without-bundle']],
];

function abouts(message: string): readonly About[] {
  if (message.startsWith('invalid index:')) return leavesOf(message);
  for (const [pattern, about] of SENTENCES) {
    const match = pattern.exec(message);
    if (match !== null) return [about(match.slice(1))];
  }
  throw new Error(`no rule for: ${message}`);
}

/** The branches of a tree are objects within one another; four characters are a level. */
function leavesOf(tree: string): readonly About[] {
  const path: Partial<Record<string, string>>[] = [{}];
  return tree
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const text = line.replace(/^[│├└─ ]+/, '');
      const depth = (line.length - text.length) / 4;
      const object = new RegExp(`^invalid (package|channel|bundle) ${TEXT}:`).exec(text);
      if (object !== null) {
        path[depth] = { ...path[depth - 1], [object[1]!]: object[2]! };
        return [];
      }
      const leaf = LEAVES.find(([pattern]) => pattern.test(text));
      if (leaf === undefined) throw new Error(`no rule for: ${text}`);
      const { bundle, ...above } = path[depth - 1]!;
      // A bundle without an image is told of once, not once for each channel.
      const isOfBundle = leaf[1].includes('bundle-image');
      const { channel, ...ofPackage } = above;
      return [
        {
          ...(isOfBundle ? ofPackage : { ...ofPackage, ...(channel !== undefined && { channel }) }),
          ...(bundle !== undefined && { bundle }),
          rules: leaf[1],
        },
      ];
    });
}

/** Applies a patch to the list of documents. */
function patched(documents: readonly Json[], patch: readonly Operation[]): readonly Json[] {
  const root = structuredClone(documents) as unknown as Json[];
  for (const { op, path, value } of patch) {
    const keys = path.split('/').slice(1);
    const last = keys.pop()!;
    let at: unknown = root;
    for (const key of keys) at = (at as Record<string, unknown>)[key];
    if (Array.isArray(at)) {
      const list = at as Json[];
      const index = last === '-' ? list.length : Number(last);
      if (op === 'add') list.splice(index, 0, value!);
      else if (op === 'remove') list.splice(index, 1);
      else list[index] = value!;
    } else if (op === 'remove') Reflect.deleteProperty(at as object, last);
    else (at as Record<string, Json>)[last] = value!;
  }
  return root;
}

async function documentsIn(file: string): Promise<readonly Json[]> {
  const documents: Json[] = [];
  const content = streamOf(await readFile(join(CATALOGS, 'real', file)));
  for await (const document of documentsOf(content, file)) documents.push(readDocument(document));
  return documents;
}

describe('the check of a catalog', async () => {
  const lines = (await readFile(join(CATALOGS, 'opm-verdicts.jsonl'), 'utf8')).trim().split('\n');
  const verdicts = lines.map((line) => JSON.parse(line) as Verdict);
  const bases = new Map<string, readonly Json[]>();
  for (const { base } of verdicts) if (!bases.has(base)) bases.set(base, await documentsIn(base));

  it('has verdicts to be compared with', () => {
    expect(verdicts).toHaveLength(320);
    expect(verdicts.filter(({ opm }) => opm === null)).toHaveLength(65);
  });

  it.each(verdicts.map((verdict, index) => ({ ...verdict, index })))(
    'agrees with opm: catalog $index, $opm',
    async ({ base, patch, opm }) => {
      const findings = checkCatalog(await catalogOf(patched(bases.get(base)!, patch)));
      if (opm === null) {
        expect(findings).toEqual([]);
        return;
      }
      for (const { rules, ...object } of abouts(opm)) {
        const found = findings.filter(
          (finding) =>
            rules.includes(finding.rule) &&
            Object.entries(object).every(([kind, name]) => finding[kind as 'package'] === name),
        );
        expect({ object, rules, found: found.length > 0, findings }).toMatchObject({ found: true });
      }
    },
  );
});
