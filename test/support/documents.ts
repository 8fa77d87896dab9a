import { readFileSync } from 'node:fs';

import { projectPath } from '../../scripts/lib/project-root.ts';

/** Commands of a page, as its reader would type them. */
export interface CommandBlock {
  /** Who types them: the connected side unless the page says `closed`. */
  readonly side: 'connected' | 'closed';
  readonly script: string;
}

/**
 * The ```sh blocks of a page, in order. Lines that run this project's own npm scripts are left out:
 * they are what runs this.
 */
export function commandBlocks(page: string): readonly CommandBlock[] {
  const blocks = readFileSync(projectPath(page), 'utf8').matchAll(
    /^```sh(?<side> closed)?\n(?<script>.*?)^```$/gms,
  );
  const asked = [...blocks].map(({ groups }): CommandBlock => ({
    side: groups?.['side'] === undefined ? 'connected' : 'closed',
    script: (groups?.['script'] ?? '').replace(/^npm .*\n/gm, ''),
  }));
  return asked.filter(({ script }) => script !== '');
}

/**
 * The pages and sections that a page links to: paths from the project's root, `#section` and all.
 */
export function linksOf(page: string): readonly string[] {
  const text = readFileSync(projectPath(page), 'utf8').replace(/^```.*?^```$/gms, '');
  return [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link!);
}
