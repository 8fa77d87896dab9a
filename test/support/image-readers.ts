import { gunzipSync } from 'node:zlib';

import { extract } from 'tar-stream';

/** An entry of a layer. */
interface Entry {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly text: string;
}

/** Files by path; a folder has the mode in place of a text. */
export type Flat = Readonly<Record<string, string>>;

/** The entries of a layer, in their order. */
export async function entriesIn(layer: Uint8Array): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const reading = extract();
  reading.end(gunzipSync(layer));
  for await (const entry of reading) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, type, mode } = entry.header;
    entries.push({
      name: name.replace(/^\.?\//, '').replace(/\/$/, ''),
      ...{ type, mode },
      text: Buffer.concat(chunks).toString(),
    });
  }
  return entries;
}

const baseOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
const folderOf = (name: string): string => name.slice(0, Math.max(name.lastIndexOf('/'), 0));
const valueOf = ({ type, mode, text }: Entry): string =>
  type === 'directory' ? `folder ${mode.toString(8)}` : text;

function removeBelow(files: Map<string, string>, folder: string, keepsFolder: boolean): void {
  for (const name of files.keys())
    if (name.startsWith(folder === '' ? '' : `${folder}/`) || (!keepsFolder && name === folder))
      files.delete(name);
}

/** As the engines of clusters do: whiteouts and opaque folders hide what lower layers have. */
export async function flattenAsOverlay(layers: readonly Uint8Array[]): Promise<Flat> {
  const files = new Map<string, string>();
  for (const layer of layers) {
    const entries = await entriesIn(layer);
    for (const { name } of entries) {
      const base = baseOf(name);
      if (base === '.wh..wh..opq') removeBelow(files, folderOf(name), true);
      else if (base.startsWith('.wh.'))
        removeBelow(files, `${folderOf(name)}/${base.slice(4)}`.replace(/^\//, ''), false);
    }
    for (const entry of entries)
      if (!baseOf(entry.name).startsWith('.wh.')) files.set(entry.name, valueOf(entry));
  }
  return Object.fromEntries([...files].sort());
}

/**
 * As go-containerregistry does, and with it crane and oc-mirror: from the top down, with whiteouts,
 * and without a thought of opaque folders.
 */
export async function flattenAsGgcr(layers: readonly Uint8Array[]): Promise<Flat> {
  const files = new Map<string, string>();
  const seen = new Map<string, boolean>();
  const isHidden = (name: string): boolean => {
    for (let at = name; at !== ''; at = folderOf(at)) if (seen.get(at) === true) return true;
    return false;
  };
  for (const layer of layers.toReversed())
    for (const entry of await entriesIn(layer)) {
      const base = baseOf(entry.name);
      const isTombstone = base.startsWith('.wh.');
      const name = isTombstone
        ? `${folderOf(entry.name)}/${base.slice(4)}`.replace(/^\//, '')
        : entry.name;
      if (seen.has(name) || isHidden(name)) continue;
      // A folder may have more below it in lower layers.
      seen.set(name, isTombstone);
      if (!isTombstone) files.set(name, valueOf(entry));
    }
  return Object.fromEntries([...files].sort());
}

/**
 * As OLM v1 does with containerd: nothing outside of the folder is seen, whiteouts of the folder
 * itself neither; an opaque folder keeps what its own layer has unpacked before.
 */
export async function flattenAsOlm(layers: readonly Uint8Array[], folder: string): Promise<Flat> {
  const files = new Map<string, string>();
  for (const layer of layers) {
    const unpacked = new Set<string>();
    for (const entry of await entriesIn(layer)) {
      const { name } = entry;
      if (name !== folder && !name.startsWith(`${folder}/`)) continue;
      const base = baseOf(name);
      if (base === '.wh..wh..opq') {
        for (const other of files.keys())
          if (other.startsWith(`${folderOf(name)}/`) && !unpacked.has(other)) files.delete(other);
      } else if (base.startsWith('.wh.'))
        removeBelow(files, `${folderOf(name)}/${base.slice(4)}`, false);
      else {
        files.set(name, valueOf(entry));
        unpacked.add(name);
      }
    }
  }
  return Object.fromEntries([...files].sort());
}
