import { few, oneLine } from '../../core/text.ts';
import type { CatalogChannel, ChannelEntry } from '../catalog.ts';
import { parseRange } from '../versions/range.ts';
import type { Finding } from './finding.ts';

/**
 * What is wrong with the update graph of a channel. It has one head, which no other entry replaces
 * or skips; the chain of replacements from the head on reaches all entries that none skips.
 */
export function* checkChannelGraph({ entries }: CatalogChannel): Generator<Finding> {
  if (entries.length === 0) yield { rule: 'channel-empty', message: 'has no entry' };
  const byName = new Map<string, ChannelEntry>();
  for (const entry of entries) {
    const bundle = entry.name;
    if (byName.has(bundle))
      yield { rule: 'entry-twice', bundle, message: 'is twice an entry of the channel' };
    byName.set(bundle, entry);
    if (entry.skips.includes(''))
      yield { rule: 'entry-skips', bundle, message: 'skips an empty name' };
    if (entry.skipRange !== '' && parseRange(entry.skipRange) === undefined)
      yield {
        rule: 'entry-skip-range',
        bundle,
        message: `has a skipRange that is none: ${oneLine(entry.skipRange)}`,
      };
  }
  if (entries.length > 0) yield* checkChain(byName);
}

function* checkChain(entries: ReadonlyMap<string, ChannelEntry>): Generator<Finding> {
  const skipped = new Set<string>();
  const behind = new Set<string>();
  for (const { replaces, skips } of entries.values()) {
    if (replaces !== '') behind.add(replaces);
    for (const skip of skips) {
      skipped.add(skip);
      behind.add(skip);
    }
  }
  const heads = [...entries.keys()].filter((name) => !behind.has(name)).sort();
  const [head] = heads;
  if (head === undefined || heads.length > 1) {
    yield {
      rule: 'channel-head',
      message:
        head === undefined
          ? 'has no head: each entry is replaced or skipped by another one'
          : `has ${heads.length} heads: ${few(heads).join(', ')}`,
    };
    return;
  }
  const chain = new Set([head]);
  for (let entry = entries.get(head); entry !== undefined;) {
    const { replaces } = entry;
    if (skipped.has(replaces)) break;
    if (chain.has(replaces)) {
      yield {
        rule: 'channel-cycle',
        message: `has a cycle: ${replaces} replaces itself in the end`,
      };
      return;
    }
    chain.add(replaces);
    entry = entries.get(replaces);
  }
  const stranded = [...entries.keys()].filter((name) => !chain.has(name) && !skipped.has(name));
  if (stranded.length > 0)
    yield {
      rule: 'channel-stranded',
      message: `has entries that no update leads from: ${few(stranded.sort()).join(', ')}`,
    };
}
