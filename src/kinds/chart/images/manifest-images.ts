import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import type { FoundImage } from './found-image.ts';
import { type YamlDocument, yamlDocuments } from '../yaml-value.ts';

/** What a rendered chart consists of. */
export interface Manifest {
  /** The template that it comes from, as Helm writes it; empty if it does not. */
  readonly template: string;
  readonly object: JsonObject;
}

/** The keys of a pod's spec that hold containers (Kubernetes API, core/v1 PodSpec). */
const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers'];

/**
 * The manifests of what `helm template` writes, with those in lists.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no YAML.
 */
export function readManifests(rendered: string, what: string): readonly Manifest[] {
  return yamlDocuments(rendered, what).flatMap(({ value, comment }: YamlDocument) => {
    const template = /^ Source: (.+)$/m.exec(comment)?.[1] ?? '';
    return isObject(value) ? [{ template, object: value }] : [];
  });
}

/**
 * The images that run: those of every container of every pod's spec at any depth. So hooks, jobs of
 * CronJobs, and pods in custom resources count as well. Volumes that are images count too.
 */
export function manifestImages(manifests: readonly Manifest[]): readonly FoundImage[] {
  return manifests.flatMap((manifest) => {
    const found: FoundImage[] = [];
    const add = (reference: Json | undefined): void => {
      if (typeof reference !== 'string' || reference.trim() === '') return;
      found.push({ reference: reference.trim(), how: 'manifest', where: placeOf(manifest) });
    };
    for (const node of nodesOf(manifest.object)) {
      for (const key of CONTAINERS)
        for (const container of listAt(node, key))
          add(isObject(container) ? container['image'] : undefined);
      for (const volume of listAt(node, 'volumes')) {
        const image = isObject(volume) ? volume['image'] : undefined;
        if (isObject(image)) add(image['reference']);
      }
    }
    return found;
  });
}

/** Where an image was found: the template, and the object in it. */
export function placeOf({ template, object }: Manifest): string {
  const { kind, metadata } = object;
  const name = isObject(metadata) ? metadata['name'] : undefined;
  const words = [kind, name].filter((word) => typeof word === 'string').join(' ');
  return template === '' ? words : words === '' ? template : `${template} (${words})`;
}

/** Every map in a value, from the top. Its depth has a limit of its own: the reader's of YAML. */
function* nodesOf(value: Json): Generator<JsonObject> {
  const open: Json[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (isObject(next)) {
      yield next;
      open.push(...Object.values(next).reverse());
    } else if (Array.isArray(next)) open.push(...(next as readonly Json[]).toReversed());
  }
}

function listAt(node: JsonObject, key: string): readonly Json[] {
  const value = node[key];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
