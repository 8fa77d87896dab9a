import { BundleError } from '../core/errors.ts';
import type { Closure } from '../kinds/closure.ts';
import type { Kind, PartRequest } from '../kinds/kind.ts';
import { checkName, type Output } from './output.ts';

/** The user's options about the name. */
export interface NameRequest {
  readonly parts: readonly PartRequest[];
  /** `--name`. */
  readonly name?: string | undefined;
  /** Of what asks for the parts, where neither says one: it comes before a name made from them. */
  readonly usualName?: string | undefined;
  /** It leaves out what others have: a name that nobody chose says so. */
  readonly isIncrement?: boolean | undefined;
  /** It is one of several bundles, and for this site: its name says so, whoever chose it. */
  readonly site?: string | undefined;
}

/**
 * The name of a bundle, as far as it is known before its parts are found: the one that the user
 * chose, else one that follows from the request.
 */
export function nameBefore(request: NameRequest, output: Output): string | undefined {
  const { parts, name, usualName } = request;
  const kind = namingKind(parts);
  const own = parts.filter((part) => part.kind === kind);
  const usual = usualName ?? kind?.bundleName(own.map((part) => part.request));
  return ofSite(output.name ?? name ?? increment(usual, request), request);
}

/**
 * The name of a bundle: that of the file with `-o`, else `--name`, else one made from its parts. It
 * is signed with the rest.
 * @throws BundleError USAGE for a name that no bundle can have or that is another bundle's, or
 * where nothing says one.
 */
export function nameOf(request: NameRequest, output: Output, { parts }: Closure): string {
  const { name: asked } = request;
  const chosen = asked ?? (output.name === undefined ? request.usualName : undefined);
  if (chosen !== undefined) checkName(chosen);
  const kind = namingKind(request.parts);
  const own = parts.filter((part) => part.kind === kind?.name);
  const usual = kind?.bundleName(own.map(({ facts }) => facts));
  const unmarked = output.name ?? asked ?? increment(request.usualName ?? usual, request);
  const name = ofSite(unmarked, request);
  if (name === undefined) {
    throw new BundleError('USAGE', 'the bundle needs a name', {
      hint: 'Its parts are several, and none of them gives it a name: choose one with --name.',
    });
  }
  if (request.site !== undefined) checkName(name);
  if (/\.patch$/i.test(name)) {
    throw new BundleError('USAGE', `${name} is the name of a patch, not of a bundle`, {
      hint: 'Choose a name that does not end with .patch.',
    });
  }
  if (looksLikeAnother(name, usual)) {
    throw new BundleError('USAGE', `${name} looks like the name of another bundle`, {
      expected: usual,
      got: name,
      hint:
        'The name is signed, so it must not mislead: leave it out, ' +
        'or choose one without a version.',
    });
  }
  return name;
}

/** The name of a bundle with all of the same parts, and what it is. */
function increment(name: string | undefined, { isIncrement }: NameRequest): string | undefined {
  return name === undefined || isIncrement !== true ? name : `${name}-increment`;
}

/** What a name may hold of that of a site. */
function ofSite(name: string | undefined, { site }: NameRequest): string | undefined {
  return name === undefined || site === undefined ? name : `${name}-${site.replaceAll(':', '-')}`;
}

/**
 * Names that contain a version must not mislead their reader. More may follow version and
 * architecture.
 */
function looksLikeAnother(name: string, usual: string | undefined): boolean {
  if (!/^((ocp|okd)-\d|4\.\d)/i.test(name) || usual === undefined || name === usual) return false;
  return !(name.startsWith(usual) && /^[-._]/.test(name.slice(usual.length)));
}

/** The one kind that the name follows from; `undefined` where there are several. */
function namingKind(parts: readonly PartRequest[]): Kind | undefined {
  const kinds = [...new Set(parts.map((part) => part.kind))];
  const leading = kinds.filter(({ accompanies = false }) => !accompanies);
  const [kind, ...more] = leading.length > 0 ? leading : kinds;
  return more.length === 0 ? kind : undefined;
}
