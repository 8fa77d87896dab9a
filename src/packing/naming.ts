import { BundleError } from '../core/errors.ts';
import type { Closure } from '../kinds/closure.ts';
import type { Kind, PartRequest } from '../kinds/kind.ts';
import { checkName, type Output } from './output.ts';

/** What the user said about the name. */
export interface NameRequest {
  readonly parts: readonly PartRequest[];
  /** `--name`. */
  readonly name?: string | undefined;
}

/**
 * What a bundle is called, as far as that is known before its parts are: what the user said, else
 * what follows from the request.
 */
export function nameBefore({ parts, name }: NameRequest, output: Output): string | undefined {
  const kind = onlyKind(parts);
  return output.name ?? name ?? kind?.bundleName(parts.map(({ request }) => request));
}

/**
 * What a bundle is called: the file that was named, else `--name`, else what its parts are called
 * together. It is signed with the rest.
 * @throws BundleError USAGE for a name that no bundle can have or that is another bundle's, or
 * where nothing says one.
 */
export function nameOf(request: NameRequest, output: Output, { parts }: Closure): string {
  const { name: asked } = request;
  if (asked !== undefined) checkName(asked);
  if (asked !== undefined && output.name !== undefined && asked !== output.name) {
    throw new BundleError('USAGE', `--name is ${asked}, but the file would be ${output.name}`, {
      hint: 'A bundle is called as its file: name a folder with -o, or leave --name out.',
    });
  }
  const usual = onlyKind(request.parts)?.bundleName(parts.map(({ facts }) => facts));
  const name = output.name ?? asked ?? usual;
  if (name === undefined) {
    throw new BundleError('USAGE', 'nothing says what the bundle is called', {
      hint: 'It holds parts of several kinds: give it a name with --name.',
    });
  }
  if (looksLikeAnother(name, usual)) {
    throw new BundleError('USAGE', `${name} reads like the name of another bundle than this`, {
      expected: usual,
      got: name,
      hint: 'Its name would be signed: leave it out, or choose one that names no version.',
    });
  }
  return name;
}

/** Names that say a version: whoever reads them must not be misled. More may follow version and architecture. */
function looksLikeAnother(name: string, usual: string | undefined): boolean {
  if (!/^((ocp|okd)-\d|4\.\d)/i.test(name) || usual === undefined || name === usual) return false;
  return !(name.startsWith(usual) && /^[-._]/.test(name.slice(usual.length)));
}

function onlyKind(parts: readonly PartRequest[]): Kind | undefined {
  const [kind, ...more] = new Set(parts.map((part) => part.kind));
  return more.length === 0 ? kind : undefined;
}
