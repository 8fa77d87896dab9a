import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { anonymous } from '../../../src/core/credentials.ts';
import type { Digest } from '../../../src/core/digest.ts';
import type { ImageRequest } from '../../../src/transfer/image.ts';
import { planContent } from '../../../src/transfer/plan.ts';
import { ManifestWalker } from '../../../src/transfer/walk.ts';
import { RegistryClient } from '../../../src/stores/registry/client.ts';
import { makeRelease } from '../make-release.ts';
import { registryDestination } from '../registry-destination.ts';
import { serveRegistry, type ServedRegistry } from '../registry.ts';
import type { Shape } from '../shape.ts';
import type { PlacedBlob } from './floors.ts';

export const VERSION = '4.17.3';
export const NAMESPACE = 'openshift-release-dev';

/** A release in a real registry, and what is known of it. */
export interface Source {
  readonly host: string;
  /** Configs and layers, each once, the largest first. */
  readonly blobs: readonly PlacedBlob[];
  /** The layers among them that no release image has. */
  readonly componentLayers: ReadonlySet<Digest>;
  readonly images: readonly PlacedBlob[];
  /** Bytes of the blobs. */
  readonly bytes: number;
  /** The arguments of a pack from it, or from a line to it, into a folder. */
  readonly packArguments: (out: string, host?: string) => readonly string[];
  /** What proves the release, for every command. */
  readonly trust: readonly string[];
  readonly stop: () => Promise<void>;
}

/** Starts an empty registry that keeps its content in a folder. */
export async function emptyRegistry(folder: string): Promise<ServedRegistry> {
  await mkdir(folder, { recursive: true });
  return serveRegistry(folder, {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: '127.0.0.1:0', secret: 'for the bench' },
  });
}

/** Makes a release of a shape in a registry of its own. */
export async function makeSource(
  folder: string,
  shape: Shape,
  components: number | undefined,
): Promise<Source> {
  const registry = await emptyRegistry(join(folder, 'registry'));
  const { destination, close } = registryDestination(registry.host);
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    const made = await makeRelease({
      out: folder,
      version: VERSION,
      shape,
      destination,
      ...(components !== undefined && { components }),
    });
    const request = (
      name: string,
      descriptor: (typeof made.components)[number] | typeof made.release,
      repository: string,
    ): ImageRequest => ({
      ...{ name, role: 'component', descriptor, source: '', tags: [] },
      ...({ place: 'content', proof: 'signer', order: 'first' } as const),
      store: client.repository({
        registry: registry.host,
        repository: `${NAMESPACE}/${repository}`,
      }),
    });
    const requests = [
      request('release', made.release, 'ocp-release'),
      ...made.components.map((component) => request(component.name, component, 'ocp-v4.0-art-dev')),
    ];
    const images = await new ManifestWalker({ concurrency: 8 }).walk(requests);
    const plan = planContent([{ images, leading: [] }]);
    const placed = new Map<Digest, PlacedBlob>();
    for (const { blobs, store } of plan.images) {
      for (const descriptor of blobs)
        if (!placed.has(descriptor.digest))
          placed.set(descriptor.digest, { descriptor, repository: store.name });
    }
    const blobs = [...placed.values()].toSorted((a, b) => b.descriptor.size - a.descriptor.size);
    const [releaseImage] = plan.images;
    const ofRelease = new Set(releaseImage!.blobs.map(({ digest }) => digest));
    const trust = ['--release-key', made.releaseKey];
    return {
      host: registry.host,
      blobs,
      componentLayers: new Set(
        plan.blobs
          .map(({ descriptor: { digest } }) => digest)
          .filter((digest) => !ofRelease.has(digest)),
      ),
      images: plan.images.map(({ descriptor, store }) => ({ descriptor, repository: store.name })),
      bytes: blobs.reduce((total, { descriptor }) => total + descriptor.size, 0),
      packArguments: (out, host = registry.host) => [
        ...['pack', VERSION, '--mirror', `quay.io/${NAMESPACE}=${host}/${NAMESPACE}`],
        ...['--signature-store', made.signatureStore, ...trust, '-o', out],
      ],
      trust,
      stop: registry.stop,
    };
  } catch (error) {
    await registry.stop();
    throw error;
  } finally {
    await client.close();
    await close();
  }
}
