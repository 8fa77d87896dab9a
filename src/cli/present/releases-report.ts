import { counted } from '../../core/text.ts';
import type { ListedRelease, ReleasesReport } from '../../workflows/updates.ts';
import type { Outcome } from '../command.ts';
import { scope } from './shown.ts';

/** The releases of a channel, the oldest first: the newest is the last line of a terminal. */
export function releasesReport(report: ReleasesReport): Outcome {
  const { channel, architecture, releases } = report;
  const [first, last] = [releases[0]!.version, releases.at(-1)!.version];
  const isDated = releases.some(({ created }) => created !== undefined);
  const hasErrata = releases.some(({ url }) => url !== undefined);
  return {
    report: ({ isVerbose }) => {
      const columns: readonly (readonly [string, (release: ListedRelease) => string])[] = [
        ['release', ({ version }) => version],
        ...(isDated ? [['made', dateOf] as const] : []),
        ...(hasErrata ? [['errata', errataOf] as const] : []),
        isVerbose || channel === undefined
          ? [
              'channels, and risks',
              (release) => `${release.channels.join(' ')}\n${againstOf(release)}`,
            ]
          : ['risks', againstOf],
      ];
      return [
        [
          {
            verdict: `${counted(releases.length, 'release')}${scope(report)}`,
            mood: 'good',
          },
          { text: first === last ? first : `${first} to ${last}` },
        ],
        [
          {
            table: {
              heads: columns.map(([head]) => head),
              wraps: true,
              rows: releases.map((release) => columns.map(([, cell]) => cell(release))),
            },
          },
        ],
      ];
    },
    json: {
      ...(channel !== undefined && { channel }),
      ...(architecture !== undefined && { architecture }),
      releases: releases.map((release) => {
        const { version, payload, url, created, channels, risks, blockedFrom } = release;
        return {
          version,
          ...(payload !== undefined && { payload }),
          ...(url !== undefined && { url }),
          ...(created !== undefined && { created }),
          ...{ channels, risks, blockedFrom },
        };
      }),
    },
  };
}

function dateOf({ created }: ListedRelease): string {
  return created?.toISOString().slice(0, 'YYYY-MM-DD'.length) ?? '-';
}

function errataOf({ url }: ListedRelease): string {
  return url?.split('/').at(-1) ?? '-';
}

/** Names of risks are whole, since --accept-risk takes them. */
function againstOf({ risks, blockedFrom }: ListedRelease): string {
  const names = new Set(risks.map(({ name }) => name));
  return [...blockedFrom.map((pattern) => `no update from ${inWords(pattern)}`), ...names].join(
    ' ',
  );
}

/** A pattern of versions as people write them, as far as it is as simple as those usually are. */
export function inWords(pattern: string): string {
  const plain = pattern.replace(/^\^|\$$/g, '').replace(/\[\.\]|\\\./g, '.');
  const [, before = '', alternatives, after = ''] =
    /^([^()]*)\(([^()]*)\)([^()]*)$/.exec(plain) ?? [];
  const each = (alternatives ?? plain).split('|').map((some) => {
    const text = alternatives === undefined ? some : before + some + after;
    return text.replace(/(?:\.|-)?\.[*+]$/, (rest) => (rest.startsWith('-') ? '' : '.*'));
  });
  const isPlain = each.every((text) => /^[0-9A-Za-z.+-]+(?:\.\*)?$/.test(text));
  if (!isPlain) return `versions that match ${pattern}`;
  return each.map((text) => (text.endsWith('.*') ? `any ${text.slice(0, -2)}` : text)).join(' or ');
}
