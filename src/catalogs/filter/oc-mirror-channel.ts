import { BundleError } from '../../core/errors.ts';
import { few } from '../../core/text.ts';
import type { CatalogChannel } from '../catalog.ts';
import type { Range } from '../versions/range.ts';
import { formatVersion, type Version } from '../versions/version.ts';
import type { Reason } from './result.ts';

/** A name in a channel: an entry, or one that entries replace or skip and that is none itself. */
interface Node {
  readonly name: string;
  replaces: Node | undefined;
  readonly skips: Set<Node>;
  /** What replaces or skips it. */
  readonly above: Set<Node>;
}

/** A channel as oc-mirror walks it: `skipRange` never counts. */
export class OcMirrorChannel {
  readonly #nodes = new Map<string, Node>();
  readonly #channel: CatalogChannel;
  readonly #head: Node;

  /** @throws BundleError UNSUPPORTED_CONTENT for a channel without exactly one head, or a cycle */
  constructor(channel: CatalogChannel) {
    this.#channel = channel;
    const entered = new Set<string>();
    for (const { name, replaces, skips } of channel.entries) {
      if (entered.has(name)) throw this.#refused(`entry ${name} is there twice`);
      if (name === replaces || skips.includes(name))
        throw this.#refused(`entry ${name} replaces or skips itself`);
      entered.add(name);
      const node = this.#node(name);
      if (replaces !== '') {
        node.replaces = this.#node(replaces);
        node.replaces.above.add(node);
      }
      for (const skip of skips) {
        const skipped = this.#node(skip);
        node.skips.add(skipped);
        skipped.above.add(node);
      }
    }
    const heads = [...entered].filter((name) => this.#node(name).above.size === 0);
    const [head] = heads;
    if (head === undefined || heads.length > 1)
      throw this.#refused(
        head === undefined ? 'it has no head' : `it has heads ${few(heads).join(', ')}`,
      );
    this.#head = this.#node(head);
    this.#refuseCycle();
  }

  get head(): string {
    return this.#head.name;
  }

  /**
   * The bundles in a range, and those that link them. The new head is the lowest of the chain of
   * replacements that has all of them at or below it; the chain ends where none is below.
   */
  keptIn(range: Range, versions: ReadonlyMap<string, Version>): ReadonlyMap<string, Reason> {
    const channel = this.#channel.name;
    const isIn = ({ name }: Node): boolean => {
      const version = versions.get(name);
      return version !== undefined && range(version);
    };
    const chain: Node[] = [];
    for (let node: Node | undefined = this.#head; node !== undefined; node = node.replaces)
      chain.push(node);
    const counts = new Map<Node, number>();
    const seen = new Set<Node>();
    for (const node of chain.toReversed()) {
      for (const own of [node, ...node.skips]) if (isIn(own)) seen.add(own);
      counts.set(node, seen.size);
    }
    const most = seen.size;
    const first = chain.findLastIndex((node) => counts.get(node) === most);
    const kept = new Map<string, Reason>();
    let linked = '';
    for (const node of chain
      .slice(first)
      .filter((own) => counts.get(own)! > 0)
      .toReversed()) {
      for (const own of [...node.skips].filter(isIn)) {
        kept.set(own.name, { type: 'in-range', channel });
        linked = textOf(versions, own.name);
      }
      if (isIn(node)) {
        kept.set(node.name, { type: 'in-range', channel });
        linked = textOf(versions, node.name);
      } else kept.set(node.name, { type: 'links', channel, version: linked });
    }
    return kept;
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name) ?? {
      name,
      replaces: undefined,
      skips: new Set<Node>(),
      above: new Set<Node>(),
    };
    this.#nodes.set(name, node);
    return node;
  }

  /** Takes away what has nothing above it, from the head on; what is left is a cycle. */
  #refuseCycle(): void {
    const above = new Map([...this.#nodes.values()].map((node) => [node, new Set(node.above)]));
    const open = [this.#head];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      above.delete(node);
      for (const below of [
        ...(node.replaces === undefined ? [] : [node.replaces]),
        ...node.skips,
      ]) {
        const rest = above.get(below);
        if (rest?.delete(node) === true && rest.size === 0) open.push(below);
      }
    }
    if (above.size > 0) throw this.#refused('its updates go in a circle');
  }

  #refused(why: string): BundleError {
    const { package: ofPackage, name } = this.#channel;
    return new BundleError(
      'UNSUPPORTED_CONTENT',
      `oc-mirror fails: package ${ofPackage}, channel ${name}: ${why}`,
    );
  }
}

function textOf(versions: ReadonlyMap<string, Version>, name: string): string {
  const version = versions.get(name);
  return version === undefined ? name : formatVersion(version);
}
