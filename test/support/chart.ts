import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** The files of a chart, by path in it. */
export type ChartText = Readonly<Record<string, string | Uint8Array>>;

/** A `Chart.yaml` that Helm takes. */
export const CHART_YAML = 'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "4.5"\n';

/** A packaged chart, with entries that no chart has where `others` are given. */
export async function chartArchive(
  files: ChartText,
  others: readonly (Partial<Header> & Pick<Header, 'name'> & { readonly text?: string })[] = [],
): Promise<Buffer> {
  const tar = pack();
  for (const [path, text] of Object.entries(files))
    tar.entry({ name: `web/${path}` }, Buffer.from(text));
  for (const { text, ...header } of others) tar.entry(header, text ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
