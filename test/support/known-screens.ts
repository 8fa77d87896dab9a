import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { ScreenText } from './screen.ts';
import { showOnTerminal } from './terminal.ts';

const SCREENS = projectPath('fixtures/screens');
/** `npm run screens` writes them anew, to be looked at one by one. */
const isRenewed = process.env['BUNDLE_RENEW_SCREENS'] === '1';

interface Look {
  readonly columns: number;
  readonly env: Readonly<Record<string, string>>;
}

const UTF8 = { LANG: 'C.UTF-8' };
const XTERM = { TERM: 'xterm', ...UTF8 };
const DUMB: Look = { columns: 80, env: { TERM: 'dumb', ...UTF8 } };
/** Terminals on which the screen has to be that of 80 columns, to the letter. */
const LIKE_80: readonly { readonly what: string; readonly look: Look }[] = [
  { what: '0 columns', look: { columns: 0, env: XTERM } },
  { what: 'without colours', look: { columns: 80, env: { ...XTERM, NO_COLOR: '1' } } },
  { what: 'in the C locale', look: { columns: 80, env: { TERM: 'xterm', LC_ALL: 'C' } } },
];

/** A command whose screen is kept in a file. */
export interface KnownScreen {
  readonly name: string;
  readonly status: number;
  readonly args: () => readonly string[];
  /**
   * It is kept at 60 and 80 columns alone: what makes it look otherwise on other terminals is
   * shared by all reports, and is seen on the screens of others.
   */
  readonly isBrief?: boolean;
}

/**
 * Runs a command on terminals of different kinds, and compares what they show with the file.
 * @param folder in which `user` is a new home each time; its name has as many letters on every
 * machine, since lines are broken around it.
 */
export async function expectScreen(
  { name, status, args, isBrief }: KnownScreen,
  folder: string,
): Promise<void> {
  const at = (...path: readonly string[]): string => join(folder, ...path);
  const shownOn = async ({ columns, env }: Look): Promise<string> => {
    await rm(at('user'), { recursive: true, force: true });
    await mkdir(at('user', 'home'), { recursive: true });
    await mkdir(at('user', 'stick'));
    const shown = await showOnTerminal(args(), {
      ...{ columns, cwd: at('user') },
      env: { HOME: at('user', 'home'), XDG_RUNTIME_DIR: at('user', 'run'), ...env },
    });
    expect(shown.status).toBe(status);
    return shown.written;
  };
  const screenOn = async (look: Look): Promise<ScreenText> =>
    new ScreenText(look.columns === 0 ? 80 : look.columns, normal(await shownOn(look), folder));

  const sections: [string, string][] = [];
  for (const columns of isBrief ? [60, 80] : [60, 80, 120]) {
    const screen = await screenOn({ columns, env: XTERM });
    sections.push([`${columns} columns`, withoutDigests(screen.text)]);
    if (columns === 80) sections.push(['80 columns, colours', withoutDigests(screen.colored)]);
  }
  if (!isBrief) await lookElsewhere();
  const file = join(SCREENS, `${name}.txt`);
  const all = sections.map(([what, text]) => `== ${what} ==\n${text.trimEnd()}\n`).join('\n');
  if (isRenewed) await writeFile(file, all);
  expect(all).toBe(await readFile(file, 'utf8'));

  async function lookElsewhere(): Promise<void> {
    const at80 = sections.find(([what]) => what === '80 columns')![1];
    for (const { what, look } of LIKE_80) {
      const written = await shownOn(look);
      const { text } = new ScreenText(80, normal(written, folder));
      const isAscii = look.env['LC_ALL'] === 'C';
      const expected = isAscii ? at80.replaceAll('\u2026', '...') : at80;
      expect([what, withoutDigests(text)]).toEqual([what, expected]);
      // eslint-disable-next-line no-control-regex -- what the look forbids is looked for
      if (look.env['NO_COLOR']) expect(written).not.toMatch(/\u001b\[[0-9;]*m/);
      // eslint-disable-next-line no-control-regex -- ASCII is what is looked for
      if (isAscii) expect(written).toMatch(/^[\x00-\x7f]*$/);
    }
    const dumb = await shownOn(DUMB);
    expect(dumb).not.toContain('\u001b');
    sections.push([
      'TERM=dumb',
      withoutTicks(withoutDigests(normal(dumb, folder).replaceAll('\r\n', '\n'))),
    ]);
  }
}

/**
 * The same for all runs: what differs from run to run is replaced by something as long, so that
 * lines break where they did.
 */
function normal(written: string, folder: string): string {
  return written
    .replaceAll(folder, '/tmp/bundle-000000')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:50000')
    .replace(
      /127-0-0-(\s*)1-\d+(-held)?(-[0-9a-f]{8})?/g,
      (_, end: string, held = '', hash?: string) =>
        `127-0-0-${end}1-50000${held}${hash ? '-00000000' : ''}`,
    )
    .replace(/\b\d{3} bytes/g, '999 bytes')
    .replace(/(?<!\d)20\d\d-\d\d-\d\d(?:T\d\d(:?)\d\d:?\d\dZ)?(?!\d)/g, (all, colon) =>
      all.includes('T') ? `2024-10-09T08${colon}30${colon}00Z` : '2024-10-09',
    )
    .replace(/\d{5,}\s+bytes|(?:byte|of)\s+\d{5,}/g, (bytes) => bytes.replace(/\d/g, '9'));
}

/** What a colour's code may stand before, which must not be taken for a part of it. */
function withoutDigests(text: string): string {
  const alike = text.replace(
    /(free space\D*)[\d.]+ [kMGT]B, \d+ bytes/,
    '$199.9 GB, 99999999999 bytes',
  );
  return alike.replace(
    /\b(?:[0-9a-f]{12,}|[0-9a-f]{8}(?=\.yaml)|[0-9a-f]{8}(?: [0-9a-f]{8})+)\b/g,
    (hex) => hex.replace(/[0-9a-f]/g, '0'),
  );
}

/**
 * A slow machine has lines every ten seconds that others have not; and releases are looked for at
 * once, so that their lines come first in any order.
 */
function withoutTicks(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => !/: (?:.*\d+%|.*for \d+ s|\d+ of \d+ )/.test(line));
  const isLookedFor = (line: string): boolean =>
    /^(?:finding|checking the signature of) /.test(line);
  const first = lines.filter(isLookedFor).toSorted();
  return [...first, ...lines.filter((line) => !isLookedFor(line))].join('\n');
}
