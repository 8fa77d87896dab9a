import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { madeReleasePart } from '../../scripts/lib/made-release-part.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { makeReleaseSigner, type ReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { BundledImage } from '../../src/bundle/format/manifest.ts';
import type { BundleContents } from '../../src/bundle/format/plan.ts';
import { type Digest, digestFromHex, digestOf, hexOf } from '../../src/core/digest.ts';
import { BundleError } from '../../src/core/errors.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/core/media-types.ts';
import { signatureConfigMap } from '../../src/kinds/release/config-map.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import type { Context } from '../../src/core/context.ts';
import { asArray, type Json, type JsonObject } from '../../src/core/json.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { refuseFault } from '../../src/bundle/reading/fault.ts';
import { type OpenRequest, surveyBundle } from '../../src/opening/open-bundle.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import { verify } from '../../src/workflows/verify.ts';
import { craft, type Deviation, type Ingredients, partsOf } from '../support/crafted-bundle.ts';
import { contextIn } from '../support/context.ts';
import { describeWith } from '../support/needs.ts';
import { type OpenedBundle, openedBundle } from '../support/opened-bundle.ts';
import { planned, seededBytes } from '../support/sample-bundle.ts';
import { secondVerdicts } from '../support/second-reader.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';

interface Opening {
  readonly path: string;
  readonly more: Partial<OpenRequest>;
  readonly opening: Promise<OpenedBundle>;
}

interface Blob {
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
  };
  readonly bytes: Uint8Array;
}

describe('a bundle that is genuine in every byte but', () => {
  let folder: string;
  let made: MadeRelease;
  let releaseSigner: ReleaseSigner;
  let genuine: string;
  let parts: Omit<Ingredients, 'key'>;
  const packer = SigningKey.generate('ecdsa-p256');
  const stranger = SigningKey.generate('ed25519');
  let packerPub: string;
  let cases = 0;
  /** What users without keys of their own were given. */
  const opened: Opening[] = [];

  /** A user of their own, who has no key and trusts nobody. */
  const newUser = async (): Promise<Context> => contextIn(await mkdtemp(join(folder, 'user-')));
  const request = (path: string, more: Partial<OpenRequest> = {}): OpenRequest => ({
    paths: [path],
    kinds: KINDS,
    trustedKeyFiles: [packerPub],
    releaseKeyFiles: [made.releaseKey],
    ...more,
  });
  const write = async (bytes: Uint8Array, name = NAME): Promise<string> => {
    const path = join(await mkdtemp(join(folder, `case-${(cases += 1)}-`)), name);
    await writeFile(path, bytes);
    return path;
  };
  const open = async (
    path: string,
    more: Partial<OpenRequest> = {},
    user?: Context,
  ): Promise<OpenedBundle> => {
    const opening = openedBundle(request(path, more), user ?? (await newUser()));
    if (user === undefined) opened.push({ path, more, opening });
    return opening;
  };
  const crafted = async (
    contents: BundleContents,
    { blobs = [], deviation = {}, key = packer }: Craft = {},
  ): Promise<string> => {
    const more = blobs.map(({ descriptor, bytes }): [Digest, Uint8Array] => [
      descriptor.digest,
      bytes,
    ]);
    return write(craft({ contents, blobs: new Map([...parts.blobs, ...more]), key }, deviation));
  };

  interface Craft {
    readonly blobs?: readonly Blob[];
    readonly deviation?: Deviation;
    readonly key?: SigningKey;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-hostile-'));
    packerPub = join(folder, 'packer.pub');
    await writeFile(packerPub, packer.public.pem);
    await writeFile(join(folder, 'packer.pem'), packer.pem());
    releaseSigner = await makeReleaseSigner();
    made = await makeRelease({
      out: join(folder, 'release'),
      components: 4,
      scale: 0.0001,
      cosign: true,
      signer: releaseSigner,
    });
    const { path } = await pack(
      {
        parts: [madeReleasePart(made)],
        referrers: false,
        output: join(folder, 'media'),
        key: { keyFile: join(folder, 'packer.pem'), passphrase: async () => undefined },
        network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
        restart: false,
        dryRun: false,
      },
      await newUser(),
    );
    genuine = path;
    parts = await partsOf(genuine);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('(nothing) is taken, and made anew by the kit too', async () => {
    expect(basename(genuine)).toBe(NAME);
    expect(await open(genuine)).toMatchObject({
      standing: 'trusted',
      closure: {
        parts: [{ kind: 'release', facts: { version: '4.17.3', digest: made.release.digest } }],
      },
    });
    const report = await verify(request(await crafted(parts.contents)), await newUser());
    expect(report.blobs).toBe(parts.contents.manifests.length + parts.contents.blobs.length);
  });

  const withRelease = (contents: BundleContents, change: JsonObject): BundleContents => ({
    ...contents,
    parts: contents.parts.map(({ kind, claim }) => ({ kind, claim: { ...claim, ...change } })),
  });
  const withImage = (
    contents: BundleContents,
    index: number,
    change: (image: BundledImage) => Partial<BundledImage>,
  ): BundleContents => ({
    ...contents,
    images: contents.images.with(index, {
      ...contents.images[index]!,
      ...change(contents.images[index]!),
    }),
  });
  const without = (contents: BundleContents, digest: Digest): BundleContents => ({
    ...contents,
    manifests: contents.manifests.filter(({ descriptor }) => descriptor.digest !== digest),
    blobs: contents.blobs.filter(({ descriptor }) => descriptor.digest !== digest),
  });
  const component = (contents: BundleContents): number =>
    contents.images.findIndex(({ role }) => role === 'component');
  const blob = (mediaType: string, content: object | Uint8Array): Blob => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
  };
  const manifestOf = (seed: string): { manifest: Blob; config: Blob; layer: Blob } => {
    const config = blob(OCI_CONFIG, { architecture: 'amd64', os: 'linux', author: seed });
    const layer = blob('application/octet-stream', seededBytes(seed, 100));
    const manifest = blob(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: config.descriptor,
      layers: [layer.descriptor],
    });
    return { manifest, config, layer };
  };

  describe('its bundle.json', () => {
    const lists: [string, (contents: BundleContents) => BundleContents, string?][] = [
      [
        'calls a component something else',
        (it) => withImage(it, component(it), ({ name }) => ({ name: `${name}-other` })),
      ],
      [
        'gives a component another tag',
        (it) => withImage(it, component(it), () => ({ tags: ['4.17.3-x86_64-etcd'] })),
      ],
      [
        'gives a component one tag more',
        (it) => withImage(it, component(it), ({ tags }) => ({ tags: [...tags, 'latest'] })),
      ],
      ['gives a component no tag', (it) => withImage(it, component(it), () => ({ tags: [] }))],
      [
        'gives the release another tag',
        (it) => withImage(it, 0, () => ({ tags: ['4.17.4-x86_64'] })),
      ],
      [
        'gives a component another source',
        (it) => withImage(it, component(it), () => ({ source: 'example.com/a/b' })),
      ],
      [
        'gives a component another role',
        (it) => withImage(it, component(it), () => ({ role: 'signature' })),
      ],
      [
        'gives a component a role that nobody knows',
        (it) => withImage(it, component(it), () => ({ role: 'sbom' })),
      ],
      ['gives the release another role', (it) => withImage(it, 0, () => ({ role: 'component' }))],
      [
        'gives a component a subject',
        (it) => withImage(it, component(it), () => ({ subject: made.release.digest })),
      ],
      [
        'gives a component another media type',
        (it) => withImage(it, component(it), () => ({ mediaType: OCI_INDEX })),
        'UNSUPPORTED_CONTENT',
      ],
      [
        'gives the release image another size',
        (it) => withImage(it, 0, ({ size }) => ({ size: size + 1 })),
        'CONTENT_MISMATCH',
      ],
      ['swaps the digests of two images', (it) => swappedDigests(it)],
      [
        'leaves a component out, but not its content',
        (it) => ({ ...it, images: it.images.toSpliced(component(it), 1) }),
      ],
      [
        'lists a component twice',
        (it) => ({ ...it, images: [...it.images, it.images[component(it)]!] }),
      ],
      [
        'lists images in another order',
        (it) => ({ ...it, images: [it.images[0]!, ...it.images.slice(1).toReversed()] }),
      ],
      ['lists no images', (it) => ({ ...it, images: [] })],
      [
        'calls a component by the digest of the release',
        (it) => withImage(it, component(it), () => ({ name: made.release.digest })),
      ],
      ['says another version', (it) => withRelease(it, { version: '4.17.4' }), 'CONTENT_MISMATCH'],
      [
        'says another architecture',
        (it) => withRelease(it, { architecture: 'aarch64' }),
        'CONTENT_MISMATCH',
      ],
      ['says an architecture that is none', (it) => withRelease(it, { architecture: 'z80' })],
      [
        'says another reference',
        (it) => withRelease(it, { reference: `example.com/a/b@${made.release.digest}` }),
      ],
      ['says a reference that is none', (it) => withRelease(it, { reference: 'hello' })],
      ['says another time', (it) => withRelease(it, { created: '2030-01-01T00:00:00Z' })],
      [
        'says another release signature',
        (it) => withRelease(it, { signatures: [digestOf('other')] }),
      ],
      [
        'says a release signature more',
        (it) => withRelease(it, { signatures: [...signaturesOf(it), digestOf('other')] }),
        'SIGNATURE_INVALID',
      ],
      ['says that there is no release signature', (it) => withRelease(it, { signatures: [] })],
      [
        'says the digest of a component is that of the release',
        (it) => withRelease(it, { digest: it.images[component(it)]!.digest }),
        'SIGNATURE_MISSING',
      ],
      ['says more of the release than follows from it', (it) => withRelease(it, { more: 'hello' })],
      [
        'lists a part of a kind that nobody knows',
        (it) => ({ ...it, parts: it.parts.map((part) => ({ ...part, kind: 'sbom' })) }),
        'BUNDLE_UNUSABLE',
      ],
      [
        'lists another part of a kind that nobody knows',
        (it) => ({ ...it, parts: [...it.parts, { kind: 'sbom', claim: {} }] }),
        'BUNDLE_UNUSABLE',
      ],
      ['lists the release twice', (it) => ({ ...it, parts: [it.parts[0]!, it.parts[0]!] })],
      [
        'lists the release twice, and its images as of both',
        (it) => ({
          ...it,
          parts: [it.parts[0]!, it.parts[0]!],
          images: it.images.map((image) => ({ ...image, parts: [0, 1] })),
        }),
      ],
      ['lists no release', (it) => ({ ...it, parts: [] }), 'BUNDLE_UNUSABLE'],
      [
        'lists no release and no images',
        (it) => ({ ...it, parts: [], images: [] }),
        'BUNDLE_UNUSABLE',
      ],
      [
        'lists nothing',
        ({ name }) => ({ name, parts: [], images: [], files: [], manifests: [], blobs: [] }),
        'BUNDLE_UNUSABLE',
      ],
      [
        'says another name than that of the file',
        (it) => ({ ...it, name: 'ocp-4.17.4-x86_64' }),
        'NOT_THE_EXPECTED_BUNDLE',
      ],
    ];
    it.each(lists)('%s, is refused', async (_, change, code = 'CLOSURE_MISMATCH') => {
      await expect(open(await crafted(change(parts.contents)))).rejects.toMatchObject({ code });
    });
  });

  const signaturesOf = ({ parts: [part] }: BundleContents): readonly Json[] =>
    asArray(part!.claim['signatures'], 'signatures');
  const swappedDigests = (contents: BundleContents): BundleContents => {
    const [one, other] = [component(contents), component(contents) + 1];
    const identity = ({ digest, size, mediaType }: BundledImage): Partial<BundledImage> => ({
      digest,
      size,
      mediaType,
    });
    const [first, second] = [contents.images[one]!, contents.images[other]!];
    return withImage(
      withImage(contents, one, () => identity(second)),
      other,
      () => identity(first),
    );
  };

  describe('its content', () => {
    it('lacks a component, is refused', async () => {
      const { digest } = parts.contents.images[component(parts.contents)]!;
      const rest = {
        ...parts.contents,
        images: parts.contents.images.filter((image) => image.digest !== digest),
      };
      await expect(open(await crafted(without(rest, digest)))).rejects.toMatchObject({
        code: 'CLOSURE_MISMATCH',
      });
    });

    it('lacks a config or a layer, is refused', async () => {
      for (const { descriptor } of parts.contents.blobs) {
        const { digest } = descriptor;
        await expect(open(await crafted(without(parts.contents, digest)))).rejects.toMatchObject({
          code: 'CLOSURE_MISMATCH',
        });
      }
    });

    it('has a component more, is refused', async () => {
      const { manifest, config, layer } = manifestOf('extra');
      const extra: BundledImage = {
        ...manifest.descriptor,
        name: '4.17.3-x86_64-extra',
        role: 'component',
        source: `quay.io/openshift-release-dev/ocp-v4.0-art-dev@${manifest.descriptor.digest}`,
        tags: ['4.17.3-x86_64-extra'],
        parts: [0],
      };
      const { images, manifests, blobs } = parts.contents;
      const contents = {
        ...parts.contents,
        images: [...images, extra],
        manifests: [...manifests, manifest],
        blobs: [...blobs, planned(config.descriptor), planned(layer.descriptor)],
      };
      await expect(
        open(await crafted(contents, { blobs: [manifest, config, layer] })),
      ).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
    });

    it('has something more that it says refers to the release, is taken if that says so too, from a signer who is trusted', async () => {
      const { images, manifests, blobs } = parts.contents;
      const release = images[0]!;
      const { config, layer } = manifestOf('extra');
      const about = (subject: Digest): Blob =>
        blob(OCI_MANIFEST, {
          ...{
            schemaVersion: 2,
            mediaType: OCI_MANIFEST,
            config: config.descriptor,
            layers: [layer.descriptor],
          },
          subject: { mediaType: release.mediaType, digest: subject, size: release.size },
        });
      const withReferrer = async (
        manifest: Blob,
        change: Partial<BundledImage> = {},
        key = packer,
      ): Promise<string> => {
        const { digest } = manifest.descriptor;
        const source = `${release.source.split('@')[0]!}@${digest}`;
        const referrer: BundledImage = {
          ...manifest.descriptor,
          name: digest,
          role: 'referrer',
          source,
          tags: [],
          subject: release.digest,
          parts: [0],
          ...change,
        };
        // Behind the release image and its cosign signature, and before the first component.
        const at = component(parts.contents);
        const first = manifests.findIndex(
          ({ descriptor }) => descriptor.digest === images[at]!.digest,
        );
        const configOfFirst = configOf(manifests[first]!.bytes);
        const before = blobs.findIndex(({ descriptor }) => descriptor.digest === configOfFirst);
        const own = [config, layer].map(({ descriptor }) => planned(descriptor));
        const contents = {
          ...parts.contents,
          images: images.toSpliced(at, 0, referrer),
          manifests: manifests.toSpliced(first, 0, manifest),
          blobs: blobs.toSpliced(before, 0, ...own),
        };
        return crafted(contents, { blobs: [manifest, config, layer], key });
      };
      const configOf = (bytes: Uint8Array): Digest =>
        (JSON.parse(Buffer.from(bytes).toString()) as { config: { digest: Digest } }).config.digest;

      const right = about(release.digest);
      expect(await open(await withReferrer(right))).toMatchObject({ standing: 'trusted' });
      await expect(
        open(await withReferrer(right, {}, stranger), { trustedKeyFiles: [] }),
      ).rejects.toMatchObject({
        code: 'SIGNER_UNKNOWN',
      });
      await expect(open(await withReferrer(about(images.at(-1)!.digest)))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      await expect(open(await withReferrer(manifestOf('extra').manifest))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      for (const change of [
        { role: 'sbom' },
        { role: 'component' },
        { tags: ['latest'] },
        { name: 'other' },
        { subject: images.at(-1)!.digest },
      ]) {
        const path = await withReferrer(right, change);
        await expect(open(path)).rejects.toMatchObject({ exitStatus: 20 });
      }
    });

    it('has a blob more that nothing needs, is refused', async () => {
      const { manifest, layer } = manifestOf('extra');
      const { manifests, blobs } = parts.contents;
      const last = await crafted(
        { ...parts.contents, blobs: [...blobs, planned(layer.descriptor)] },
        { blobs: [layer] },
      );
      await expect(open(last)).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
      const between = await crafted(
        { ...parts.contents, manifests: [...manifests, manifest] },
        { blobs: [manifest] },
      );
      await expect(open(between)).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
    });

    it('is in another order, is refused', async () => {
      const { manifests, blobs } = parts.contents;
      for (const contents of [
        { ...parts.contents, blobs: blobs.toReversed() },
        { ...parts.contents, manifests: [...manifests.slice(1), manifests[0]!] },
      ]) {
        await expect(open(await crafted(contents))).rejects.toMatchObject({
          code: 'CLOSURE_MISMATCH',
        });
      }
    });

    it('has a config among the manifests, or a manifest among the blobs, is refused', async () => {
      const { manifests, blobs } = parts.contents;
      const { descriptor } = blobs[0]!;
      const config = { descriptor, bytes: parts.blobs.get(descriptor.digest)! };
      const last = manifests.at(-1)!;
      for (const contents of [
        { ...parts.contents, manifests: [...manifests, config], blobs: blobs.slice(1) },
        {
          ...parts.contents,
          manifests: manifests.slice(0, -1),
          blobs: [planned(last.descriptor), ...blobs],
        },
      ]) {
        await expect(open(await crafted(contents))).rejects.toMatchObject({
          code: 'CLOSURE_MISMATCH',
        });
      }
    });

    it('has another manifest under the digest of one, is refused', async () => {
      const { digest } = parts.contents.images[component(parts.contents)]!;
      const blobs = new Map([
        ...parts.blobs,
        [digest, manifestOf('other').manifest.bytes] as const,
      ]);
      const manifests = parts.contents.manifests.map((entry) =>
        entry.descriptor.digest === digest
          ? {
              bytes: blobs.get(digest)!,
              descriptor: { ...entry.descriptor, size: blobs.get(digest)!.length },
            }
          : entry,
      );
      const path = await write(
        craft({ contents: { ...parts.contents, manifests }, blobs, key: packer }),
      );
      await expect(open(path)).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    });

    /**
     * Puts another image in the place of a cosign signature, which no digest of the release names.
     */
    const withSignatureImage = (top: Blob, more: readonly Blob[]): BundleContents => {
      const index = parts.contents.images.findIndex(({ role }) => role === 'signature');
      const contents = withImage(parts.contents, index, ({ source }) => ({
        ...top.descriptor,
        source: `${source.split('@')[0]!}@${top.descriptor.digest}`,
      }));
      return { ...contents, manifests: [...contents.manifests, top, ...more] };
    };

    it('has indexes that are nested too deep, is refused', async () => {
      const { manifest, config, layer } = manifestOf('deep');
      const nested = [manifest];
      for (let depth = 0; depth < 6; depth += 1) {
        nested.unshift(
          blob(OCI_INDEX, {
            schemaVersion: 2,
            mediaType: OCI_INDEX,
            manifests: [nested[0]!.descriptor],
          }),
        );
      }
      const contents = withSignatureImage(nested[0]!, nested.slice(1));
      const own = [config, layer].map(({ descriptor }) => planned(descriptor));
      const path = await crafted(
        { ...contents, blobs: [...contents.blobs, ...own] },
        { blobs: [...nested, config, layer] },
      );
      await expect(open(path)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    });

    it('has an index that lists what is not there, is refused', async () => {
      const child = { mediaType: OCI_MANIFEST, digest: digestOf('nothing'), size: 7 };
      const index = blob(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child] });
      await expect(
        open(await crafted(withSignatureImage(index, []), { blobs: [index] })),
      ).rejects.toMatchObject({
        code: 'CLOSURE_MISMATCH',
      });
    });

    it('has an index that claims to list itself, is refused', async () => {
      const own = digestOf('whatever the index would have');
      const index = blob(OCI_INDEX, {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI_INDEX, digest: own, size: 300 }],
      });
      const claimed = { descriptor: { ...index.descriptor, digest: own }, bytes: index.bytes };
      await expect(
        open(await crafted(withSignatureImage(claimed, []), { blobs: [claimed] })),
      ).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
    });
  });

  describe('its signature config map', () => {
    const withConfigMap = (
      bytes: Uint8Array,
      path = parts.contents.files[0]!.path,
    ): BundleContents => ({
      ...parts.contents,
      files: [{ path, role: 'release-signature', bytes }],
    });
    const textOf = (): string => Buffer.from(parts.contents.files[0]!.bytes).toString();

    it.each([
      [
        'has another document behind it',
        (text: string) => `${text}---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: extra\n`,
      ],
      [
        'has another document before it',
        (text: string) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: extra\n---\n${text}`,
      ],
      ['has a comment', (text: string) => `# hello\n${text}`],
      [
        'has an annotation',
        (text: string) => text.replace('  labels:', '  annotations:\n    a: b\n  labels:'),
      ],
      [
        'is for another namespace',
        (text: string) => text.replace('openshift-config-managed', 'default'),
      ],
      ['is of another kind', (text: string) => text.replace('kind: ConfigMap', 'kind: Secret')],
      [
        'has a key twice',
        (text: string) => text.replace('kind: ConfigMap', 'kind: ConfigMap\nkind: ConfigMap'),
      ],
      ['has an anchor that is used a lot', () => `a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n`],
      ['is no YAML', () => '{'],
      ['is empty', () => ''],
    ])('%s, is refused', async (_, change) => {
      await expect(
        open(await crafted(withConfigMap(Buffer.from(change(textOf()))))),
      ).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
    });

    it('has the signature of another release, is refused', async () => {
      const message = await releaseSigner.sign(digestOf('another release'), made.release.reference);
      const same = withConfigMap(signatureConfigMap(made.release.digest, [message]).text);
      await expect(
        open(await crafted(withRelease(same, { signatures: [digestOf(message)] }))),
      ).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
      const other = withConfigMap(signatureConfigMap(digestOf('another release'), [message]).text);
      await expect(
        open(await crafted(withRelease(other, { signatures: [digestOf(message)] }))),
      ).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
    });

    it('has the signature of a signer that nobody knows, is refused', async () => {
      const message = await (
        await makeReleaseSigner()
      ).sign(made.release.digest, made.release.reference);
      const contents = withConfigMap(signatureConfigMap(made.release.digest, [message]).text);
      await expect(
        open(await crafted(withRelease(contents, { signatures: [digestOf(message)] }))),
      ).rejects.toMatchObject({
        code: 'SIGNER_UNKNOWN',
      });
    });

    it('has a signature with a byte changed, is refused', async () => {
      const path = join(made.signatureStore, `sha256=${hexOf(made.release.digest)}`, 'signature-1');
      const message = await readFile(path);
      for (const at of [0, message.length >> 1, message.length - 1]) {
        const changed = Buffer.from(message);
        changed[at]! ^= 1;
        const contents = withConfigMap(signatureConfigMap(made.release.digest, [changed]).text);
        await expect(
          open(await crafted(withRelease(contents, { signatures: [digestOf(changed)] }))),
        ).rejects.toMatchObject({
          exitStatus: 21,
        });
      }
    });

    it('is missing, is refused', async () => {
      await expect(open(await crafted({ ...parts.contents, files: [] }))).rejects.toMatchObject({
        code: 'SIGNATURE_MISSING',
      });
    });

    it('has another beside it, is refused', async () => {
      const extra = {
        path: 'config/signature-sha256-0123456789abcdef.yaml',
        role: 'release-signature',
        bytes: Buffer.from('kind: Namespace\n'),
      };
      const contents = { ...parts.contents, files: [...parts.contents.files, extra] };
      await expect(open(await crafted(contents))).rejects.toMatchObject({
        code: 'CLOSURE_MISMATCH',
      });
    });
  });

  describe('its seal', () => {
    const sealed = async (
      publicKey: string,
      signature: (sums: Uint8Array) => Uint8Array,
    ): Promise<string> => {
      let sums: Uint8Array = new Uint8Array(0);
      return crafted(parts.contents, {
        deviation: {
          signed: (it) => (sums = it),
          signature: () => `${Buffer.from(signature(sums)).toString('base64')}\n`,
          publicKey: () => publicKey,
        },
      });
    };
    const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

    it('was made by another key than the one it names, is refused', async () => {
      const path = await sealed(packer.public.pem, (sums) =>
        SigningKey.generate('ecdsa-p256').sign(sums),
      );
      await expect(open(path)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    });

    it('was made over other bytes, is refused', async () => {
      const path = await crafted(parts.contents, {
        deviation: { signed: (sums) => sums.subarray(1) },
      });
      await expect(open(path)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    });

    it.each([
      ['RSA of 1,024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
      ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
      ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' })],
      ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ])('is of a key of a kind that is not used, is refused: %s', async (_, generate) => {
      const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } = generate();
      const path = await sealed(pem(publicKey), (sums) => sign('sha256', sums, privateKey));
      await expect(open(path, { trustedKeyFiles: [] })).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
    });

    it.each([
      ['carriage returns', (text: string) => text.replaceAll('\n', '\r\n'), 'BUNDLE_UNUSABLE'],
      ['an empty line more', (text: string) => `${text}\n`, 'BUNDLE_UNUSABLE'],
      ['no line feed at the end', (text: string) => text.trimEnd(), 'BUNDLE_UNUSABLE'],
      [
        'longer lines',
        (text: string) => text.replace(/([A-Za-z0-9+/]{64})\n/, '$1'),
        'BUNDLE_UNUSABLE',
      ],
      ['text before it', (text: string) => `hello\n${text}`, 'SIGNATURE_INVALID'],
      [
        'another key behind it',
        (text: string) => `${text}${stranger.public.pem}`,
        'SIGNATURE_INVALID',
      ],
      ['nothing', () => '', 'SIGNATURE_INVALID'],
    ])('names the key in another way, is refused: %s', async (_, change, code) => {
      const path = await crafted(parts.contents, { deviation: { publicKey: change } });
      await expect(open(path)).rejects.toMatchObject({ code });
    });
  });

  describe('its signer', () => {
    const unsigned = (): BundleContents => ({
      ...withRelease(parts.contents, { signatures: [] }),
      files: [],
    });

    it('is unknown where somebody is trusted, is refused', async () => {
      await expect(open(await crafted(parts.contents, { key: stranger }))).rejects.toMatchObject({
        code: 'SIGNER_UNKNOWN',
      });
    });

    it('is unknown where nobody is trusted yet, is taken, since the release proves its content', async () => {
      const path = await crafted(parts.contents, { key: stranger });
      expect(await open(path, { trustedKeyFiles: [] })).toMatchObject({
        standing: 'unknown',
        signer: { id: stranger.public.id },
      });
    });

    it('is unknown where nobody is trusted yet, and the release is not signed, is refused', async () => {
      const path = await crafted(unsigned(), { key: stranger });
      await expect(open(path, { trustedKeyFiles: [] })).rejects.toMatchObject({
        code: 'SIGNER_UNKNOWN',
      });
    });

    it('is unknown where nobody is trusted yet, and the release key is not known, is refused', async () => {
      const path = await crafted(parts.contents, { key: stranger });
      await expect(open(path, { trustedKeyFiles: [], releaseKeyFiles: [] })).rejects.toMatchObject({
        code: 'SIGNER_UNKNOWN',
      });
    });

    it('is trusted, and the release is not signed, is taken for the signer’s word', async () => {
      expect(await open(await crafted(unsigned()))).toMatchObject({
        standing: 'trusted',
        closure: { parts: [{ facts: { signatures: [] } }] },
      });
    });

    it('is this user, is taken', async () => {
      const user = await newUser();
      await writeFile(join(user.configFolder, 'signing-key.pub'), stranger.public.pem);
      const path = await crafted(parts.contents, { key: stranger });
      expect(await open(path, {}, user)).toMatchObject({ standing: 'own' });
    });

    it('is trusted by this user, is taken; not where a key there cannot be read', async () => {
      const user = await newUser();
      const keys = join(user.configFolder, 'trusted-keys');
      await mkdir(keys);
      await writeFile(join(keys, 'packer.pub'), packer.public.pem);
      expect(await open(genuine, { trustedKeyFiles: [] }, user)).toMatchObject({
        standing: 'trusted',
      });
      await writeFile(join(keys, 'broken.pub'), 'hello\n');
      await expect(open(genuine, { trustedKeyFiles: [] }, user)).rejects.toMatchObject({
        code: 'CONFIGURATION',
      });
    });
  });

  describe('its identity', () => {
    it.each([
      'ocp-4.17.4-x86_64.tar.zst',
      'ocp-4.17.3-aarch64.tar.zst',
      'ocp-4.17.3.tar.zst',
      'ocp-4.17.3-x86_64 (1).tar.zst',
      'OCP-4.17.3-x86_64.tar.zst',
      'usb-stick.tar.zst',
    ])('is called %s, is refused, and told what it has to be called', async (name) => {
      const path = join(await mkdtemp(join(folder, 'renamed-')), name);
      await copyFile(genuine, path);
      await expect(open(path)).rejects.toMatchObject({
        code: 'NOT_THE_EXPECTED_BUNDLE',
        exitStatus: 21,
        got: 'ocp-4.17.3-x86_64',
        hint: expect.stringContaining('ocp-4.17.3-x86_64.tar.zst') as string,
      });
    });

    it('has no name of its own in a pipe, is taken', async () => {
      const input = Readable.from([await readFile(genuine)]);
      const { close, closure, reader } = await surveyBundle(
        { ...request(''), paths: [], input },
        await newUser(),
        refuseFault,
      );
      await close();
      expect(reader.manifest.name).toBe('ocp-4.17.3-x86_64');
      expect(closure!.parts).toHaveLength(1);
    });

    it('is another than was asked for, is refused', async () => {
      const other = { code: 'NOT_THE_EXPECTED_BUNDLE', exitStatus: 21 };
      for (const expected of [['4.17.4'], ['4.17.3', '4.17.4'], ['4.17.3-aarch64'], ['4.17']]) {
        await expect(open(genuine, { expected })).rejects.toMatchObject({
          ...other,
          expected: expected.at(-1),
          got: '4.17.3 for x86_64',
        });
      }
      await expect(
        open(genuine, { expectedDigest: digestFromHex('0'.repeat(64)) }),
      ).rejects.toMatchObject(other);
      const { digest } = await open(genuine);
      const expected = ['4.17.3', '4.17.3-x86_64', made.release.digest];
      expect((await open(genuine, { expected, expectedDigest: digest })).digest).toBe(digest);
    });
  });

  it('a byte of a layer, is refused, and says which images need it', async () => {
    const bytes = await readFile(genuine);
    const { contents, blobs } = parts;
    const image = contents.images[component(contents)]!;
    const own = (
      JSON.parse(Buffer.from(blobs.get(image.digest)!).toString()) as {
        layers: { digest: Digest }[];
      }
    ).layers.at(-1)!;
    const content = blobs.get(own.digest)!;
    const at = bytes.indexOf(content.subarray(0, 100));
    expect(at).toBeGreaterThan(0);
    bytes[at + 50]! ^= 1;
    const path = await write(bytes);
    // Nobody asks the second reader about it: it reads all layers.
    await openedBundle(request(path), await newUser());
    const error: unknown = await verify(request(path), await newUser()).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(BundleError);
    expect(error).toMatchObject({
      code: 'CONTENT_MISMATCH',
      subject: expect.stringContaining(image.name) as string,
    });
  });

  describeWith(['python3', 'openssl'], 'is given to the second reader, with the same trust', () => {
    it('and it says the same of each that the tests before have opened', async () => {
      // It knows nothing of what is asked for by name.
      const asked = opened.filter(({ more }) => !asksForOne(more));
      expect(asked.length).toBeGreaterThan(0);
      const verdicts = await secondVerdicts(
        asked.map(({ path, more }) => {
          const { trustedKeyFiles = [packerPub], releaseKeyFiles = [made.releaseKey] } = more;
          return [
            ...trustedKeyFiles.flatMap((file) => ['--trusted-key', file]),
            ...releaseKeyFiles.flatMap((file) => ['--release-key', file]),
            path,
          ];
        }),
      );
      const different: string[] = [];
      for (const [index, { opening, path }] of asked.entries()) {
        const ours = await opening.then(
          () => 0,
          (error: unknown) => error,
        );
        const { status, message } = verdicts[index]!;
        const expected = ours instanceof BundleError ? ours.exitStatus : ours;
        if (status !== expected) {
          const why = ours instanceof BundleError ? ours.message : '';
          different.push(
            `${basename(path)}: ${status}, not ${String(expected)} (${why}): ${message}`,
          );
        }
      }
      expect(different).toEqual([]);
    });
  });
});

function asksForOne({ expected, expectedDigest }: Partial<OpenRequest>): boolean {
  return expected !== undefined || expectedDigest !== undefined;
}
