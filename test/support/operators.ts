import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { publishImage } from './base-image.ts';
import { documentEntry, publishDocuments } from './catalog-image.ts';

export interface PublishedOperators {
  /** The digest of the catalog. */
  readonly index: Digest;
  /** The digests of the images of its bundles, by the last part of their repository. */
  readonly images: ReadonlyMap<string, Digest>;
}

/**
 * Puts a catalog of two operators, foo and bar, and all of their images where they are at `quay.io`:
 * the catalog is `ops/index:v4.22`. Beside it is `ops/odd:v1`, of one operator, whose newest version
 * names an image that is none, and has a channel of its own.
 * @param isNext the next month: foo has one version more, and another image under its tag.
 */
export async function publishOperators(host: string, isNext = false): Promise<PublishedOperators> {
  const images = new Map<string, Digest>();
  const names = ['foo-bundle', 'foo-old', 'foo-operator', 'bar-bundle'];
  for (const name of isNext ? [...names, 'foo-next'] : names)
    images.set(
      name,
      await publishImage(
        host,
        { registry: 'quay.io', repository: `ops/${name}`, tag: 'v1' },
        { seed: isNext && name === 'foo-operator' ? 'foo-operator of the next month' : name },
      ),
    );
  const byDigest = (name: string): string => `quay.io/ops/${name}@${images.get(name)!}`;
  const bundle = (name: string, version: string, own: string, related: readonly string[]) => ({
    ...{ schema: 'olm.bundle', package: name, name: `${name}.v${version}`, image: own },
    properties: [
      { type: 'olm.package', value: { packageName: name, version } },
      // The newest foo needs bar beside it.
      ...(version === '1.1.0'
        ? [
            {
              type: 'olm.package.required',
              value: { packageName: 'bar', versionRange: '>=0.1.0' },
            },
          ]
        : []),
    ],
    relatedImages: related.map((image) => ({ name: '', image })),
  });
  const channel = (name: string, versions: readonly string[]) => ({
    ...{ schema: 'olm.channel', package: name, name: 'stable' },
    entries: versions.map((version, at) => ({
      name: `${name}.v${version}`,
      ...(at > 0 && { replaces: `${name}.v${versions[at - 1]!}` }),
    })),
  });
  const documents = (name: string, more: readonly object[]): Uint8Array =>
    Buffer.from(
      [{ schema: 'olm.package', name, defaultChannel: 'stable' }, ...more]
        .map((document) => `${JSON.stringify(document)}\n`)
        .join(''),
    );
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    const index = await publishDocuments(
      client.repository({ registry: host, repository: 'ops/index' }),
      [
        documentEntry(
          'foo/catalog.json',
          documents('foo', [
            channel('foo', ['1.0.0', '1.1.0', ...(isNext ? ['1.2.0'] : [])]),
            bundle('foo', '1.0.0', byDigest('foo-old'), []),
            // Its own image is among the related ones or not; one of these has a tag alone.
            bundle('foo', '1.1.0', byDigest('foo-bundle'), ['quay.io/ops/foo-operator:v1']),
            ...(isNext
              ? [bundle('foo', '1.2.0', byDigest('foo-next'), ['quay.io/ops/foo-operator:v1'])]
              : []),
          ]),
        ),
        documentEntry(
          'bar/catalog.json',
          documents('bar', [
            channel('bar', ['0.1.0']),
            bundle('bar', '0.1.0', byDigest('bar-bundle'), [byDigest('bar-bundle')]),
          ]),
        ),
      ],
      'v4.22',
    );
    const odd = (version: string, own: string, related: readonly object[]): object => ({
      ...{ schema: 'olm.bundle', package: 'odd', name: `odd.v${version}`, image: byDigest(own) },
      properties: [{ type: 'olm.package', value: { packageName: 'odd', version } }],
      relatedImages: related,
    });
    await publishDocuments(
      client.repository({ registry: host, repository: 'ops/odd' }),
      [
        documentEntry(
          'odd/catalog.json',
          documents('odd', [
            channel('odd', ['1.0.0', '1.1.0']),
            {
              ...{ schema: 'olm.channel', package: 'odd', name: 'candidate' },
              entries: [{ name: 'odd.v1.1.0' }],
            },
            odd('1.0.0', 'foo-old', [{ name: 'extra-tool', image: byDigest('bar-bundle') }]),
            odd('1.1.0', 'foo-bundle', [{ name: 'broken', image: 'quay.io/ops/No Image' }]),
          ]),
        ),
      ],
      'v1',
    );
    return { index, images };
  } finally {
    await client.close();
  }
}
