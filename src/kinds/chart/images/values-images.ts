import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import type { Chart } from '../files/chart.ts';
import { yamlValue } from '../yaml-value.ts';

/** An image that default values name, and the key that it stands at: `sidecar.image`. */
export interface ValuesImage {
  readonly reference: string;
  readonly key: string;
}

/**
 * The images that the default values of a chart name, by the forms that most charts have: maps with
 * a repository and a tag or a digest, and texts under `image`. They are for a comparison alone: an
 * image here that no manifest runs may be one that other values switch on.
 * @throws BundleError UNSUPPORTED_CONTENT for a values.yaml that is no YAML.
 */
export function valuesImages(chart: Chart): readonly ValuesImage[] {
  const bytes = chart.files.get('values.yaml');
  if (bytes === undefined) return [];
  const found: ValuesImage[] = [];
  const open: { readonly value: Json; readonly key: string }[] = [
    { value: yamlValue(bytes, `values.yaml of ${chart.name}`), key: '' },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, key } = next;
    if (!isObject(value)) continue;
    const reference = imageOf(value, chart.appVersion);
    if (reference !== undefined) found.push({ reference, key });
    for (const [name, inner] of Object.entries(value)) {
      const at = key === '' ? name : `${key}.${name}`;
      if (name === 'image' && typeof inner === 'string' && /[:@]/.test(inner))
        found.push({ reference: inner, key: at });
      open.push({ value: inner, key: at });
    }
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function imageOf(value: JsonObject, appVersion: string | undefined): string | undefined {
  const { registry, repository, image, name, tag, digest, version } = value;
  const path =
    textOf(repository) ?? textOf(image) ?? (tag === undefined ? undefined : textOf(name));
  const hasVersion = [tag, digest, version].some((entry) => entry !== undefined);
  if (path === undefined || !hasVersion || !/^[\w.-]+(?::\d+)?(?:\/[\w.-]+)*$/.test(path))
    return undefined;
  const host = textOf(registry);
  const full = host === undefined ? path : `${host}/${path}`;
  const label = textOf(tag) ?? textOf(version) ?? appVersion;
  const byDigest = textOf(digest);
  const tagged = label === undefined ? full : `${full}:${label}`;
  return byDigest === undefined ? tagged : `${tagged}@${byDigest}`;
}

function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * The values' images whose repository no other finding has. Templates may put a registry before it.
 */
export function unusedValues(
  values: readonly ValuesImage[],
  found: readonly { readonly reference: string }[],
): readonly ValuesImage[] {
  const used = found.map(({ reference }) => `/${nameOf(reference)}`);
  return values.filter(({ reference }) => {
    const name = `/${nameOf(reference)}`;
    return !used.some((other) => other.endsWith(name));
  });
}

/** The name of an image without tag and digest. */
function nameOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}
