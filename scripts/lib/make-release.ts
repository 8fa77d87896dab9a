import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { formatJson } from '../../src/core/json.ts';
import { signatureTagOf } from '../../src/core/manifest.ts';
import type { Store } from '../../src/core/store.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { namesOf, platformsOf, type ReleaseArchitecture } from './architectures.ts';
import {
  type BaseLayers,
  type Component,
  type Ingredients,
  makeBaseLayers,
  makeComponents,
  type Rebuild,
} from './component-images.ts';
import { cosignSignature } from './cosign.ts';
import { type Destination, Publisher } from './destination.ts';
import { type Image, makeImage, makeIndex } from './image.ts';
import { type Layer, randomLayer } from './layer.ts';
import type { MadeRelease } from './made-release.ts';
import { Payload } from './payload.ts';
import { programComponents, type ProgramFlaw, programLayer } from './programs.ts';
import { SBOM, sbomOf, SIGSTORE_BUNDLE, sigstoreBundleOf } from './referrers.ts';
import { makeReleaseSigner, type ReleaseSigner } from './release-signer.ts';
import { realShape, type Shape } from './shape.ts';

export interface MakeReleaseOptions {
  /** Folder for the results, made if absent. */
  readonly out: string;
  /** The image layout that the images go to, where others may be already: `out/layout` if left out. */
  readonly layout?: string;
  /** Where the images go: the layout in `out/layout` if left out. */
  readonly destination?: Destination & { readonly registry: string };
  readonly version?: string;
  readonly architecture?: ReleaseArchitecture;
  /**
   * How many components the release has: the first ones of the real list, then made-up ones. All
   * real ones if left out.
   */
  readonly components?: number;
  /** Releases that can be updated to this one; those of the real 4.12.0 if left out. */
  readonly previous?: readonly string[];
  /** The same seed gives the same bytes, whatever the version. */
  readonly seed?: string;
  /**
   * Makes a light z-stream of the release with the same seed: some of its components were built
   * again, everything else is the same, base layers included. Another seed is a mass rebuild.
   */
  readonly rebuild?: Rebuild;
  /** Sizes of layers as a share of those of a real release. */
  readonly scale?: number;
  /** Sizes of layers, where they are not those of a real release at {@link scale}. */
  readonly shape?: Shape;
  /** Adds images as cosign makes them for signatures. */
  readonly cosign?: boolean;
  /** Adds SBOMs, and signatures as cosign 3 makes them, over images and SBOMs. */
  readonly referrers?: boolean;
  /** Adds client programs, and the components whose images have them: all, or those named. */
  readonly programs?: boolean | readonly string[];
  /** What is wrong with the programs of a component, by its name. */
  readonly programFlaws?: Readonly<Partial<Record<string, ProgramFlaw>>>;
  /** Adds an image for each architecture that virtual machines of KubeVirt boot from. */
  readonly kubeVirt?: boolean;
  /** Signs the release; a key made on the spot if left out. */
  readonly signer?: ReleaseSigner;
}

const DISK_BYTES = 20_000;
const RELEASE_REPOSITORY = 'quay.io/openshift-release-dev/ocp-release';
const COMPONENT_REPOSITORY = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';

/**
 * Makes a release with the names, the payload and the shape of a real one, and layers of random
 * bytes; without a network.
 * @throws RangeError for a number of components that is not a positive integer.
 */
export async function makeRelease(options: MakeReleaseOptions): Promise<MadeRelease> {
  const {
    out,
    version = '4.17.3',
    architecture = 'x86_64',
    seed = '1',
    scale = 0.002,
    cosign = false,
    referrers: withReferrers = false,
    kubeVirt: withKubeVirt = false,
  } = options;
  const layout = options.layout ?? join(out, 'layout');
  const { releases, components: componentStore } =
    options.destination ?? (await layoutDestination(layout));
  const payload = await Payload.read();
  const some = payload.componentNames(options.components);
  const withPrograms = programComponents(options.programs);
  const names = [...new Set([...some, ...withPrograms])];

  const publisher = new Publisher();
  const ingredients: Ingredients = {
    seed,
    shape: options.shape ?? realShape(scale),
    platforms: platformsOf(architecture),
    ...(options.rebuild && { rebuild: options.rebuild }),
    programs: (component, platform) =>
      withPrograms.includes(component)
        ? programLayer(component, platform, options.programFlaws?.[component])
        : undefined,
  };
  const base = await makeBaseLayers(ingredients);
  // Before the components, that no two of them push the same layer at once.
  for (const layers of base.values()) await publisher.publishLayers(componentStore, layers);
  const components = await makeComponents(names, ingredients, base, async (image) =>
    publisher.publish(componentStore, image),
  );

  const named = components.map(({ name, image }) => ({
    name,
    reference: `${COMPONENT_REPOSITORY}@${image.descriptor.digest}`,
  }));
  const metadata =
    architecture === 'multi' ? { 'release.openshift.io/architecture': 'multi' } : undefined;
  const disks: { readonly name: ReleaseArchitecture; readonly image: Image }[] = [];
  for (const name of withKubeVirt ? namesOf(architecture) : [])
    disks.push({ name, image: await diskImage(seed, name) });
  for (const { image } of disks) await publisher.publish(componentStore, image);
  const kubeVirt = disks.map(({ name, image }) => ({
    name: `kube-virt-container${disks.length > 1 ? `-${name}` : ''}`,
    reference: `${COMPONENT_REPOSITORY}@${image.descriptor.digest}`,
    ...image.descriptor,
  }));
  const top = payload.layer(
    version,
    named,
    { ...metadata, previous: options.previous },
    new Map(disks.map(({ name }, at) => [name, kubeVirt[at]!.reference])),
  );
  const release = releaseImage(version, ingredients, base, top);
  const tag = `${version}-${architecture}`;
  await publisher.publish(releases, release, tag);

  const signatureImages: MadeRelease['signatureImages'][number][] = [];
  const addSignature = async (store: Store, subject: Digest, repository: string): Promise<void> => {
    const image = cosignSignature(subject, repository);
    const signatureTag = signatureTagOf(subject);
    await publisher.publish(store, image, signatureTag);
    signatureImages.push({ ...image.descriptor, tag: signatureTag, subject });
  };
  if (cosign) {
    await addSignature(releases, release.descriptor.digest, RELEASE_REPOSITORY);
    for (const subject of signedSubjects(components))
      await addSignature(componentStore, subject, COMPONENT_REPOSITORY);
  }

  const referrers: MadeRelease['referrers'][number][] = [];
  const addReferrer = async (
    store: Store,
    subject: Descriptor,
    artifactType: string,
  ): Promise<Descriptor> => {
    const { descriptor, contents } =
      artifactType === SBOM ? sbomOf(subject) : sigstoreBundleOf(subject);
    await publisher.publish(store, { descriptor, contents });
    referrers.push({ ...descriptor, artifactType, subject: subject.digest });
    return descriptor;
  };
  if (withReferrers) {
    await addReferrer(releases, release.descriptor, SIGSTORE_BUNDLE);
    await addReferrer(
      releases,
      await addReferrer(releases, release.descriptor, SBOM),
      SIGSTORE_BUNDLE,
    );
    for (const { image } of components.filter((_, index) => index % 2 === 0)) {
      await addReferrer(componentStore, image.descriptor, SIGSTORE_BUNDLE);
      await addReferrer(
        componentStore,
        await addReferrer(componentStore, image.descriptor, SBOM),
        SIGSTORE_BUNDLE,
      );
    }
  }

  const reference = `${RELEASE_REPOSITORY}:${tag}`;
  const signed = await writeSignature(
    out,
    release.descriptor.digest,
    reference,
    options.signer ?? (await makeReleaseSigner()),
  );
  const made: MadeRelease = {
    version,
    architecture,
    seed,
    scale,
    release: { ...release.descriptor, tag, reference },
    components: components.map(({ image }, index) => ({ ...named[index]!, ...image.descriptor })),
    ...(withKubeVirt && { kubeVirt }),
    signatureImages,
    referrers,
    ...(options.destination ? { registry: options.destination.registry } : { layout }),
    ...signed,
    blobs: publisher.blobs,
    bytes: publisher.bytes,
  };
  await writeFile(join(out, 'summary.json'), formatJson(made));
  return made;
}

/** An image of one layer, in which virtual machines have their disk. */
async function diskImage(seed: string, architecture: ReleaseArchitecture): Promise<Image> {
  const disk = await randomLayer(`${seed} disk ${architecture}`, 'disk', DISK_BYTES);
  return makeImage('oci', platformsOf(architecture)[0]!, [disk], { name: 'rhcos-kubevirt' });
}

async function layoutDestination(dir: string): Promise<Destination> {
  const store = await ImageLayout.create(dir);
  return { releases: store, components: store };
}

/**
 * In a release image of several architectures every child has the same payload, which names the
 * components' indexes.
 */
function releaseImage(
  version: string,
  { platforms }: Ingredients,
  base: BaseLayers,
  top: Layer,
): Image {
  const labels = { 'io.openshift.release': version };
  const images = platforms.map((architecture) => ({
    architecture,
    image: makeImage('docker', architecture, [...base.get(architecture)!, top], labels),
  }));
  return images.length === 1 ? images[0]!.image : makeIndex('docker', images);
}

/** Every third component, and one child of every sixth where components are indexes. */
function signedSubjects(components: readonly Component[]): ReadonlySet<Digest> {
  const subjects = components.flatMap(({ image, children }, index) => [
    ...(index % 3 === 0 ? [image.descriptor.digest] : []),
    ...(index % 6 === 0 ? children.slice(0, 1).map(({ descriptor }) => descriptor.digest) : []),
  ]);
  return new Set(subjects);
}

async function writeSignature(
  out: string,
  digest: Digest,
  reference: string,
  signer: ReleaseSigner,
): Promise<Pick<MadeRelease, 'releaseKey' | 'signatureStore'>> {
  const releaseKey = join(out, 'release-key.asc');
  const signatureStore = join(out, 'signatures');
  const folder = join(signatureStore, `sha256=${hexOf(digest)}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'signature-1'), await signer.sign(digest, reference));
  await writeFile(releaseKey, signer.publicKeyArmored);
  return { releaseKey, signatureStore };
}
