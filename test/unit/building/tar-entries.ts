import { extract } from 'tar-stream';

/** What each entry of a tar is, by its path: type, mode, owner, time and content. */
export async function entriesOf(tar: Uint8Array): Promise<Map<string, string>> {
  const reading = extract();
  reading.end(tar);
  const entries = new Map<string, string>();
  for await (const entry of reading) {
    const { type, mode, uid, gid, mtime, uname } = entry.header;
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const facts = [type, mode.toString(8), uid, gid, mtime.getTime(), uname].join(' ');
    entries.set(
      entry.header.name.replace(/\/$/, ''),
      `${facts} ${Buffer.concat(chunks).toString()}`.trim(),
    );
  }
  return entries;
}
