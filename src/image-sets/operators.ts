import { isRepository, isTag, parseReference } from '../core/reference.ts';
import { hasBounds, readBounds } from './bounds.ts';
import type { Fields, Text } from './fields.ts';
import type { OperatorChannel, OperatorPackage, OperatorSet } from './image-set.ts';
import { readNamed } from './named.ts';
import { readPlatforms } from './platform.ts';

export function readOperators(entries: readonly Fields[]): readonly OperatorSet[] {
  const lines = new Map<string, number>();
  return entries.map((fields) => {
    const set = readCatalog(fields);
    if (set.catalog === '') return set;
    const name = targetOf(set);
    const before = lines.get(name);
    if (before === undefined) lines.set(name, set.line);
    else {
      const message = `the catalog of line ${before} would have the same name, ${name}`;
      const hint = 'Join their packages, or give one of them another targetCatalog or targetTag.';
      fields.value('catalog')!.error('duplicate', message, hint);
    }
    return set;
  });
}

/** The name that makes a catalog one of its own: its path and tag may be replaced. */
function targetOf({ catalog, targetCatalog, targetTag }: OperatorSet): string {
  const slash = catalog.indexOf('/');
  const host = slash === -1 ? '' : catalog.slice(0, slash);
  const rest = catalog.slice(slash + 1);
  const [, path = rest, end = ''] = /^([^:@]*)(.*)$/s.exec(rest) ?? [];
  return `${host}/${targetCatalog ?? path}${targetTag === undefined ? end : `:${targetTag}`}`;
}

function readCatalog(fields: Fields): OperatorSet {
  const catalog = fields.requiredText('catalog');
  if (catalog !== undefined) checkCatalog(catalog);
  const target = readTarget(fields, 'targetCatalog');
  const template = fields.text('targetCatalogSourceTemplate');
  const full = fields.flag('full');
  const packages = readNamed(fields.mappings('packages'), 'the package', (each, name) =>
    readPackage(each, name, full),
  );
  const skipped = fields.value('skipDependencies');
  if (skipped !== undefined) {
    fields.flag('skipDependencies');
    skipped.warn('no-effect', 'skipDependencies has no effect, in oc-mirror v2 neither');
  }
  return {
    ...{ line: fields.line, catalog: catalog?.value ?? '', full },
    ...(target.path !== undefined && { targetCatalog: target.path }),
    ...(target.tag !== undefined && { targetTag: target.tag }),
    packages,
    ...(template !== undefined && { targetCatalogSourceTemplate: template.value }),
    platforms: readPlatforms(fields),
  };
}

function checkCatalog({ value, at }: Text): void {
  if (value.startsWith('oci:')) {
    if (value.replace(/^oci:(\/\/)?/, '') !== '') return;
    at.error('invalid-value', 'oci:// names no folder', 'Write oci:// and the path of the folder.');
    return;
  }
  const reference = at.parsed(() => parseReference(value));
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined)
    return;
  at.error(
    'invalid-value',
    `catalog: ${value} has neither a tag nor a digest`,
    'Write the tag, as in registry.redhat.io/redhat/redhat-operator-index:v4.17.',
  );
}

/** Path and tag at the target, instead of those of the source. */
export function readTarget(
  fields: Fields,
  key: 'targetCatalog' | 'targetRepo',
): { readonly path: string | undefined; readonly tag: string | undefined } {
  const [path, tag] = [fields.text(key), fields.text('targetTag')];
  if (path !== undefined && !isRepository(path.value)) {
    const hint = 'Write the path without registry and tag, as in team/tool.';
    const message = `${key}: ${path.value} is not a repository path`;
    path.at.error('invalid-value', message, hint);
  }
  if (tag !== undefined && !isTag(tag.value)) {
    const hint = 'A tag has letters, digits, dots, dashes and underscores, 128 at most.';
    tag.at.error('invalid-value', `targetTag: ${tag.value} is not a tag`, hint);
  }
  return { path: path?.value, tag: tag?.value };
}

function readPackage(fields: Fields, name: string, full: boolean): OperatorPackage {
  const defaultChannel = fields.text('defaultChannel');
  const bounds = readBounds(fields, false);
  const entries = fields.mappings('channels');
  const channels = readNamed(entries, 'the channel', readChannel);
  const limited = entries[channels.findIndex(hasBounds)];
  if (hasBounds(bounds) && limited !== undefined) {
    const message = 'versions are limited for the package and for one of its channels';
    const hint = 'Keep minVersion and maxVersion in one of the two places.';
    limited.at.error('contradiction', message, hint);
  }
  if (full && (hasBounds(bounds) || limited !== undefined)) {
    const message = 'full: true takes all versions, and versions are limited';
    const hint = 'Leave out full, or minVersion and maxVersion.';
    (limited ?? fields).at.error('contradiction', message, hint);
  }
  const named = channels.map((channel) => channel.name);
  const isTaken = named.length === 0 || named.includes(defaultChannel?.value ?? '');
  if (defaultChannel !== undefined && !isTaken) {
    const { value, at } = defaultChannel;
    const message = `the default channel ${value} is none of the channels that are taken`;
    at.error('never-matches', message, `Add it to channels, or choose one of ${named.join(', ')}.`);
  }
  return {
    ...{ line: fields.line, name },
    ...(defaultChannel !== undefined && { defaultChannel: defaultChannel.value }),
    ...bounds,
    channels,
  };
}

function readChannel(fields: Fields, name: string): OperatorChannel {
  return { line: fields.line, name, ...readBounds(fields, false) };
}
