import { JSONPath } from 'jsonpath-plus';

import { BundleError } from '../../../core/errors.ts';
import { oneLine } from '../../../core/text.ts';
import type { FoundImage } from './found-image.ts';
import { type Manifest, placeOf } from './manifest-images.ts';

/**
 * The images at paths of manifests, as `imagePaths` of an image set names them: JSONPath in braces,
 * as `kubectl` takes it.
 * @param what the chart is, for messages.
 * @throws BundleError USAGE for a path that is none; NOT_FOUND for one that leads to no image: what
 * it was written for would be missed on the other side alone.
 */
export function imagesAtPaths(
  paths: readonly string[],
  manifests: readonly Manifest[],
  what: string,
): readonly FoundImage[] {
  return paths.flatMap((path) => {
    const found: FoundImage[] = [];
    const others: unknown[] = [];
    for (const manifest of manifests) {
      const where = `${path} in ${placeOf(manifest)}`;
      for (const value of valuesAt(path, manifest)) {
        if (typeof value === 'string' && looksLikeImage(value))
          found.push({ reference: value, how: 'image path', where });
        else others.push(value);
      }
    }
    if (found.length === 0) throw leadsNowhere(path, what, others);
    return found;
  });
}

function leadsNowhere(path: string, what: string, others: readonly unknown[]): BundleError {
  const shown = others.slice(0, SHOWN).map((value) => oneLine(JSON.stringify(value), 60));
  const more = others.length > SHOWN ? ` and ${others.length - SHOWN} more` : '';
  return new BundleError(
    'NOT_FOUND',
    `the chart ${what} has no image at ${path}, which imagePaths names`,
    {
      expected: 'the name of an image with a tag or a digest, in at least one manifest',
      got: others.length === 0 ? 'nothing is there' : `${shown.join(', ')}${more}`,
      hint: 'Look at what helm template writes for the chart. Correct the path, or remove it if the chart has no such image any more.',
      subject: what,
    },
  );
}

/** As many values as fit into two lines. */
const SHOWN = 3;

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
