/** Why a catalog could not be served: what it is about, and what is wrong with it. */
export interface Finding {
  readonly rule: Rule;
  /** The package, where there is one. */
  readonly package?: string;
  readonly channel?: string;
  readonly bundle?: string;
  /** Says what is wrong, in one clause without the object: `has two heads: a, b`. */
  readonly message: string;
}

export type Rule =
  | 'package-name'
  | 'package-twice'
  | 'package-unknown'
  | 'channel-name'
  | 'channel-twice'
  | 'channel-empty'
  | 'channel-head'
  | 'channel-cycle'
  | 'channel-stranded'
  | 'entry-twice'
  | 'entry-without-bundle'
  | 'entry-skips'
  | 'entry-skip-range'
  | 'bundle-twice'
  | 'bundle-properties'
  | 'bundle-package'
  | 'bundle-version'
  | 'bundle-name'
  | 'bundle-in-no-channel'
  | 'bundle-image'
  | 'version-twice'
  | 'default-channel'
  | 'deprecation';

/** The object that a finding is about, for messages: `package foo, channel stable`. */
export function objectOf(finding: Finding): string {
  const parts = (['package', 'channel', 'bundle'] as const).flatMap((kind) => {
    const name = finding[kind];
    return name === undefined ? [] : [`${kind} ${name === '' ? '(without a name)' : name}`];
  });
  return parts.length === 0 ? 'the catalog' : parts.join(', ');
}
