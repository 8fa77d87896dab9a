import { hexOf } from '../core/digest.ts';
import { formatReference } from '../core/reference.ts';
import type { Fields } from './fields.ts';
import type { ExtraImage } from './image-set.ts';
import { readTarget } from './operators.ts';
import { readPlatforms } from './platform.ts';
import { parseShortReference, type WrittenReference } from './short-reference.ts';

export function readImages(entries: readonly Fields[]): readonly ExtraImage[] {
  const names = new Map<string, number>();
  const targets = new Map<string, { readonly line: number; readonly digest: string | undefined }>();
  return entries.map((fields) => {
    const image = readImage(fields);
    const at = fields.value('name');
    const target = image.written && targetOf(image.extra, image.written);
    if (at === undefined || target === undefined) return image.extra;
    const { digest } = image.written!.reference;
    const before = names.get(image.extra.name);
    const taken = targets.get(target);
    if (before !== undefined && taken !== undefined)
      at.warn('duplicate', `${image.extra.name} is listed in line ${before} already`);
    else if (taken !== undefined && (digest === undefined || digest !== taken.digest)) {
      const isSure = digest !== undefined && taken.digest !== undefined;
      const message = `the image of line ${taken.line} goes to the same place, ${target}`;
      const hint = 'Give one of them a targetRepo or a targetTag.';
      if (isSure) at.error('contradiction', message, hint);
      else at.warn('contradiction', `${message}: it must be the same image`, hint);
    }
    if (before === undefined) names.set(image.extra.name, image.extra.line);
    if (taken === undefined) targets.set(target, { line: image.extra.line, digest });
    return image.extra;
  });
}

/** Everything by which patterns may know an image: as it was written, in full, and its target. */
export function namesOf(image: ExtraImage): readonly string[] {
  const written = parseShortReference(image.name);
  return [image.name, formatReference(written.reference), targetOf(image, written)];
}

/** Path and tag at a target, after the rules of oc-mirror. */
function targetOf(
  { targetRepo, targetTag }: ExtraImage,
  { reference, path }: WrittenReference,
): string {
  const { tag, digest } = reference;
  const own = tag ?? (digest === undefined ? '' : `sha256-${hexOf(digest)}`);
  return `${targetRepo ?? path}:${targetTag ?? own}`;
}

function readImage(fields: Fields): {
  readonly extra: ExtraImage;
  readonly written: WrittenReference | undefined;
} {
  const name = fields.requiredText('name');
  const target = readTarget(fields, 'targetRepo');
  const extra = {
    ...{ line: fields.line, name: name?.value ?? '' },
    ...(target.path !== undefined && { targetRepo: target.path }),
    ...(target.tag !== undefined && { targetTag: target.tag }),
    platforms: readPlatforms(fields),
  };
  if (name === undefined) return { extra, written: undefined };
  if (/^(oci|dir):/.test(name.value)) {
    const hint = 'Push it to a registry, and write its reference.';
    name.at.error('invalid-value', `${name.value} is a folder, and no reference`, hint);
    return { extra, written: undefined };
  }
  const written = name.at.parsed(() => parseShortReference(name.value));
  const { tag, digest } = written?.reference ?? {};
  if (written !== undefined && tag === undefined && digest === undefined) {
    const hint = `No tag is assumed. Write the one that you want, as in ${name.value}:latest.`;
    const message = `${name.value} has neither a tag nor a digest`;
    name.at.error('invalid-value', message, hint);
    return { extra, written: undefined };
  }
  return { extra, written };
}
