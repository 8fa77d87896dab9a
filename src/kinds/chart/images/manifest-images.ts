import { BundleError } from '../../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import { oneLine } from '../../../core/text.ts';
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
 * The manifests of what `helm template` writes. An empty map is none: templates write it where there
 * is nothing to say.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no YAML, and for a document that is no
 * manifest: an image in it would be missed.
 */
export function readManifests(rendered: string, what: string): readonly Manifest[] {
  return yamlDocuments(rendered, what).flatMap(({ value, comment }: YamlDocument, index) => {
    const template = /^ Source: (.+)$/m.exec(comment)?.[1] ?? '';
    if (isObject(value)) {
      const { kind } = value;
      if (typeof kind === 'string' && kind !== '') return [{ template, object: value }];
      if (Object.keys(value).length === 0) return [];
    }
    throw noManifest(value, template, `document ${index + 1} of ${what}`);
  });
}

/**
 * The images that run: those of every container of every pod's spec at any depth. So hooks, jobs of
 * CronJobs, and pods in custom resources count as well. Volumes that are images count too, and what
 * OpenShift's streams and builds take from registries.
 * @throws BundleError UNSUPPORTED_CONTENT for a container without an image in a pod of Kubernetes'
 * own kinds, and for a tag of a stream without one. What only looks like a pod may have none: a
 * patch, or a custom resource with a default.
 */
export function manifestImages(manifests: readonly Manifest[]): readonly FoundImage[] {
  return manifests.flatMap((manifest) => {
    const where = placeOf(manifest);
    const known = new Map(
      [...listedIn(manifest.object)].flatMap((object) =>
        runnersOf(object, placeOf({ ...manifest, object })),
      ),
    );
    return [...nodesOf(manifest.object)].flatMap((node) => {
      const runner = known.get(node);
      if (runner !== undefined) checkLists(node, runner);
      return [...runsIn(node)].flatMap(({ what, image }): FoundImage[] => {
        const reference = textOf(image);
        if (reference) return [{ reference, how: 'manifest', where }];
        if (runner === undefined || (reference === '' && runner.isFilledIn)) return [];
        throw noImage(`${what} of ${runner.where} names no image`, image);
      });
    });
  });
}

/** Something of a manifest that an image is named for. */
interface Run {
  /** `container web`, `volume 2`, `tag latest`. */
  readonly what: string;
  readonly image: Json | undefined;
}

function* runsIn(node: JsonObject): Generator<Run> {
  for (const key of CONTAINERS) {
    for (const [index, container] of listAt(node, key).entries()) {
      const name = isObject(container) ? container['name'] : undefined;
      yield {
        what: typeof name === 'string' ? `container ${name}` : `entry ${index + 1} of ${key}`,
        image: isObject(container) ? container['image'] : undefined,
      };
    }
  }
  for (const [index, volume] of listAt(node, 'volumes').entries()) {
    const image = isObject(volume) ? volume['image'] : undefined;
    if (image === undefined || image === null) continue;
    const what = `volume ${index + 1}`;
    yield { what, image: isObject(image) ? image['reference'] : image };
  }
  // As tags of image streams and strategies of builds have it (OpenShift API, image/v1, build/v1).
  const { from, name } = node;
  if (isObject(from) && from['kind'] === 'DockerImage')
    yield { what: typeof name === 'string' ? `tag ${name}` : 'from', image: from['name'] };
}

/** The name of an image, empty where there is none; `undefined` for what is no text. */
function textOf(image: Json | undefined): string | undefined {
  const text = image ?? '';
  return typeof text === 'string' ? text.trim() : undefined;
}

/** The objects of a list of Kubernetes, which may hold lists; an object alone stands for itself. */
function* listedIn(object: JsonObject): Generator<JsonObject> {
  const open: JsonObject[] = [object];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next['kind'] === 'List') open.push(...listAt(next, 'items').filter(isObject));
    else yield next;
  }
}

/** Where kinds of Kubernetes have their pod's spec, and their groups. */
const TEMPLATE = ['spec', 'template', 'spec'];
const PODS: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  PodTemplate: ['template', 'spec'],
  ReplicationController: TEMPLATE,
  ReplicaSet: TEMPLATE,
  Deployment: TEMPLATE,
  StatefulSet: TEMPLATE,
  DaemonSet: TEMPLATE,
  Job: TEMPLATE,
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};
/** Other groups have kinds of these names too, which are built otherwise. */
const OWN_GROUP = /^(?:(?:apps|batch|extensions)\/)?v\d\w*$/;
const STREAM_GROUP = /^(?:image\.openshift\.io\/)?v1$/;
/** OpenShift writes the image of a stream into such an object, over what stands there. */
const TRIGGERS = 'image.openshift.io/triggers';

/** A map whose form is known, and in which each image has a name. */
interface Runner {
  /** The object that it is in. */
  readonly where: string;
  /** OpenShift fills in the images that have no name. */
  readonly isFilledIn: boolean;
}

/** The pod's spec of an object of Kubernetes, the tags of a stream of OpenShift. */
function runnersOf(object: JsonObject, where: string): readonly (readonly [JsonObject, Runner])[] {
  const { kind, apiVersion, metadata, spec } = object;
  if (typeof kind !== 'string') return [];
  const group = typeof apiVersion === 'string' ? apiVersion : 'v1';
  if (kind === 'ImageStream' && STREAM_GROUP.test(group)) {
    const tags = isObject(spec) ? listAt(spec, 'tags') : [];
    return tags.filter(isObject).map((tag) => [tag, { where, isFilledIn: false }]);
  }
  if (!Object.hasOwn(PODS, kind) || !OWN_GROUP.test(group)) return [];
  const pod = PODS[kind]!.reduce<Json | undefined>(
    (value, key) => (isObject(value) ? value[key] : undefined),
    object,
  );
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
  const isFilledIn = isObject(annotations) && annotations[TRIGGERS] !== undefined;
  return isObject(pod) ? [[pod, { where, isFilledIn }]] : [];
}

/** @throws BundleError UNSUPPORTED_CONTENT */
function checkLists(spec: JsonObject, { where }: Runner): void {
  for (const key of [...CONTAINERS, 'volumes']) {
    const list = spec[key] ?? null;
    if (list !== null && !Array.isArray(list)) throw noImage(`${key} of ${where} is no list`, list);
  }
}

function noImage(message: string, got: Json | undefined): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    expected: 'the name of an image, as in quay.io/team/tool:1.4',
    got: got === undefined ? 'nothing' : oneLine(JSON.stringify(got), 200),
    hint: 'Kubernetes refuses that too. Check the values: --helm-values CHART=FILE gives others.',
  });
}

function noManifest(value: Json, template: string, what: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `${what}${template === '' ? '' : `, of ${template},`} is no manifest of Kubernetes`,
    {
      expected: 'a map with a kind',
      got: oneLine(JSON.stringify(value), 200),
      hint: 'Look at what helm template writes for the chart, and mend it or give other values.',
    },
  );
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
