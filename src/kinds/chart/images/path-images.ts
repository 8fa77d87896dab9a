import { JSONPath } from 'jsonpath-plus';

import { BundleError } from '../../../core/errors.ts';
import type { FoundImage } from './found-image.ts';
import { type Manifest, placeOf } from './manifest-images.ts';

/**
 * The images at paths of manifests, as `imagePaths` of an image set names them: JSONPath in braces,
 * as `kubectl` takes it.
 * @throws BundleError USAGE for a path that is none.
 */
export function imagesAtPaths(
  paths: readonly string[],
  manifests: readonly Manifest[],
): readonly FoundImage[] {
  const found: FoundImage[] = [];
  for (const path of paths) {
    for (const manifest of manifests) {
      for (const value of valuesAt(path, manifest)) {
        if (typeof value !== 'string' || !looksLikeImage(value)) continue;
        found.push({
          reference: value,
          how: 'image path',
          where: `${path} in ${placeOf(manifest)}`,
        });
      }
    }
  }
  return found;
}

function valuesAt(path: string, { object }: Manifest): readonly unknown[] {
  const inner = /^\{\s*\$?(?<inner>.*?)\s*\}$/s.exec(path.trim())?.groups?.['inner'] ?? path.trim();
  const query = inner.startsWith('.') || inner.startsWith('[') ? `$${inner}` : `$.${inner}`;
  try {
    // Filters are evaluated by the library's own reader of expressions: nothing of a path is code.
    const values: unknown = JSONPath({ path: query, json: object, eval: 'safe', wrap: true });
    return Array.isArray(values) ? values : [];
  } catch (cause) {
    throw new BundleError('USAGE', `not a path of images: ${path}`, {
      cause,
      expected: 'a JSONPath, as in {.spec.template.spec.containers[*].env[*].value}',
      hint: 'Check imagePaths of the chart.',
    });
  }
}

const IMAGE =
  /^(?<name>[\w.-]+(?::\d+)?(?:\/[\w.-]+)*?)(?::(?<tag>\w[\w.-]{0,127}))?(?<digest>@sha256:[0-9a-f]{64})?$/;

/**
 * Paths lead to values of all sorts, as those of environment variables. As oc-mirror has it, a value
 * is an image if it has a tag or a digest; but `localhost:8080` is a port.
 */
function looksLikeImage(text: string): boolean {
  const { name, tag, digest } = IMAGE.exec(text)?.groups ?? {};
  if (name === undefined) return false;
  return digest !== undefined || (tag !== undefined && (name.includes('/') || /\D/.test(tag)));
}
