import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Publisher } from '../../scripts/lib/destination.ts';
import { makeImage } from '../../scripts/lib/image.ts';
import { textLayer } from '../../scripts/lib/layer.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, parseDigest } from '../../src/core/digest.ts';
import { BundleError } from '../../src/core/errors.ts';
import { asArray, asObject, type Json, type JsonObject } from '../../src/core/json.ts';
import type { FetchOptions } from '../../src/core/store.ts';
import { KINDS } from '../../src/kinds/all.ts';
import type { Closure } from '../../src/kinds/closure.ts';
import { imageKind } from '../../src/kinds/image/image.ts';
import { imageRequest } from '../../src/kinds/image/request.ts';
import { partRequest } from '../../src/kinds/kind.ts';
import { wholeContent } from '../../src/packing/content.ts';
import { findParts } from '../../src/packing/find-parts.ts';
import { packLeavingHoles } from '../../src/packing/incomplete.ts';
import type { FileJob } from '../../src/packing/to-files.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { verify } from '../../src/workflows/verify.ts';
import { contextIn } from '../support/context.ts';
import { craft, type Ingredients } from '../support/crafted-bundle.ts';
import { describeWith } from '../support/needs.ts';
import { ingredientsOf, sourcesOf } from '../support/sample-parts.ts';
import { secondVerdicts } from '../support/second-reader.ts';

const NAMES = ['one', 'two', 'three'] as const;
const IMAGES = new Map(
  NAMES.map((name) => {
    const file = { name, type: 'file', mode: 0o644, mtime: 0, size: name.length } as const;
    const layer = textLayer([{ ...file, content: [Buffer.from(name)] }]);
    return [name, makeImage('oci', 'amd64', [layer], { name })];
  }),
);
const digestOf = (name: (typeof NAMES)[number]) => IMAGES.get(name)!.descriptor.digest;

type Holes = readonly JsonObject[];

/** The hole of an image that is known by its digest, of one that is not, and what is told of them. */
interface Listed {
  readonly byDigest: JsonObject;
  readonly byTag: JsonObject;
  readonly row: JsonObject;
}

/** What is done to the list, and how everybody has to end. */
const EDITS: Readonly<Record<string, readonly [number, (listed: Listed) => Holes | undefined]>> = {
  'as it was': [30, ({ byDigest, byTag }) => [byDigest, byTag]],
  'for another reason': [
    30,
    ({ byDigest, byTag }) => [{ ...byDigest, reason: 'unreadable' }, byTag],
  ],
  'that is not there': [20, () => undefined],
  'without an image that has no digest': [20, ({ byDigest }) => [byDigest]],
  'without an image that has one': [20, ({ byTag }) => [byTag]],
  'in another order': [20, ({ byDigest, byTag }) => [byTag, byDigest]],
  'with an image twice': [20, ({ byDigest, byTag }) => [byDigest, byDigest, byTag]],
  'with an image that the bundle has': [20, ({ byDigest, byTag, row }) => [byDigest, byTag, row]],
  'with an image of no part': [
    20,
    ({ byDigest, byTag }) => [
      byDigest,
      byTag,
      { ...byTag, name: 'quay.io/team/odd:1', source: 'quay.io/team/odd:1' },
    ],
  ],
  'of another part': [20, ({ byDigest, byTag }) => [{ ...byDigest, part: 0 }, byTag]],
  'of a part that is not there': [22, ({ byDigest, byTag }) => [byDigest, { ...byTag, part: 3 }]],
  'under another name': [
    20,
    ({ byDigest, byTag }) => [{ ...byDigest, name: 'quay.io/team/odd:1' }, byTag],
  ],
  'of another source': [
    20,
    ({ byDigest, byTag }) => [
      { ...byDigest, source: `quay.io/team/odd@${digestOf('two')}` },
      byTag,
    ],
  ],
  'in another role': [
    20,
    ({ byDigest, byTag }) => [{ ...byDigest, role: 'operator-image' }, byTag],
  ],
  'in a role that nothing can lack': [
    20,
    ({ byDigest, byTag }) => [{ ...byDigest, role: 'release' }, byTag],
  ],
  'for no known reason': [22, ({ byDigest, byTag }) => [{ ...byDigest, reason: 'mood' }, byTag]],
  'with a key more': [22, ({ byDigest, byTag }) => [{ ...byDigest, odd: 1 }, byTag]],
  'that is empty': [22, () => []],
};

describeWith(['python3', 'openssl'], 'a list of what a bundle lacks, for both readers', () => {
  let folder: string;
  let trusted: string;
  let ingredients: Ingredients;
  const key = SigningKey.generate('ed25519');

  /** One image is there, one has lost its manifest, one its tag. */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-listed-holes-'));
    trusted = join(folder, 'packer.pub');
    await writeFile(trusted, key.public.pem);
    const store = new MemoryStore('content');
    await new Publisher().publish(store, IMAGES.get('one')!);
    const parts = [
      `quay.io/team/one@${digestOf('one')}`,
      `quay.io/team/two@${digestOf('two')}`,
      'quay.io/team/zzz:1',
    ].map((name) => partRequest(imageKind, imageRequest(name)));
    const asked = { parts, referrers: false, incomplete: true };
    const closure = await findParts(
      asked,
      sourcesOf(() => store),
      contextIn('/'),
    );
    ingredients = await ingredientsOf('lacking', closure, key);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const ours = async (path: string): Promise<number> => {
    try {
      const keys = { trustedKeyFiles: [trusted], releaseKeyFiles: [] };
      const { bundle } = await verify({ paths: [path], kinds: KINDS, ...keys }, contextIn(folder));
      return bundle.closure.parts.some(({ holes = [] }) => holes.length > 0) ? 30 : 0;
    } catch (error) {
      if (error instanceof BundleError) return error.exitStatus;
      throw error;
    }
  };
  const edited = (text: string, edit: (listed: Listed) => Holes | undefined): string => {
    const { holes: given, ...manifest } = JSON.parse(text) as JsonObject;
    const [byDigest, byTag] = asArray(given, 'holes').map((hole) => asObject(hole, 'a hole'));
    const [image] = asArray(manifest['images'], 'images').map((one) => asObject(one, 'an image'));
    const { name, role, source, digest } = image!;
    const row: JsonObject = {
      ...{ part: 0, name: name!, role: role!, source: source!, digest: digest! },
      reason: 'not-found',
    };
    const holes = edit({ byDigest: byDigest!, byTag: byTag!, row });
    const entries = Object.entries(manifest).flatMap(([own, value]): [string, Json][] =>
      own === 'files' && holes !== undefined
        ? [
            ['holes', holes],
            [own, value],
          ]
        : [[own, value]],
    );
    return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
  };

  it('is refused where it is not what the parts lack', async () => {
    const files = new Map<string, string>();
    for (const [what, [, edit]] of Object.entries(EDITS)) {
      // A file is called as its bundle.
      const own = join(folder, what.replaceAll(' ', '-'));
      await mkdir(own);
      const path = join(own, 'lacking.tar.zst');
      await writeFile(path, craft(ingredients, { bundleJson: (text) => edited(text, edit) }));
      files.set(what, path);
    }
    const commands = [...files.values()].map((path) => ['--trusted-key', trusted, path]);
    const verdicts = await secondVerdicts(commands);
    const found: Record<string, readonly number[]> = {};
    for (const [at, [what, path]] of [...files].entries())
      found[what] = [await ours(path), verdicts[at]!.status];
    const expected = Object.entries(EDITS).map(([what, [status]]) => [what, [status, status]]);
    expect(found).toEqual(Object.fromEntries(expected));
  });

  it('is made while it is told how many blobs were asked for, and tried again', async () => {
    const store = new LosingStore('content');
    for (const name of ['one', 'two'] as const)
      await new Publisher().publish(store, IMAGES.get(name)!);
    const parts = (['one', 'two'] as const).map((name) =>
      partRequest(imageKind, imageRequest(`quay.io/team/${name}@${digestOf(name)}`)),
    );
    const told: string[] = [];
    const context = contextIn(folder, {
      observe: (event) => {
        if (event.type === 'phase') told.push(event.what);
        if (event.type === 'counted' && event.what === 'blobs')
          told.push(`${event.done} of ${event.total}`);
      },
    });
    const asked = { parts, referrers: false, incomplete: true };
    const found = await findParts(
      asked,
      sourcesOf(() => store),
      context,
    );
    const { content } = found;
    store.lost = content.blobs[0]!.descriptor.digest;
    const after = content.blobs.length - 1;
    expect(after).toBeGreaterThan(1);
    const path = join(folder, 'counted.tar.zst');
    const jobOf = (closure: Closure): FileJob => ({
      ...{ path, key, made: undefined, closure, restart: false },
      ...wholeContent(closure, 'counted'),
    });
    const job = { path, key, restart: false, isCarriedAway: false, jobOf };
    for (const [what, total] of [
      ['asking for all other blobs', after],
      ['trying again what was missing', 1],
    ] as const) {
      told.length = 0;
      const report = await packLeavingHoles(found, job, context);
      expect(report.closure.parts.flatMap(({ holes = [] }) => holes)).toHaveLength(1);
      const from = told.indexOf(what) + 1;
      const counted = Array.from({ length: total }, (_, at) => `${at + 1} of ${total}`);
      expect(told.slice(from, from + total), what).toEqual(counted);
    }
  });
});

/** Does not give a blob any more. */
class LosingStore extends MemoryStore {
  lost: Digest | undefined;

  override fetch(descriptor: Descriptor, options?: FetchOptions): AsyncGenerator<Uint8Array> {
    const { digest } = descriptor;
    const isLost = digest === this.lost;
    return super.fetch(isLost ? { ...descriptor, digest: NOWHERE } : descriptor, options);
  }
}

const NOWHERE = parseDigest(`sha256:${'0'.repeat(64)}`);
