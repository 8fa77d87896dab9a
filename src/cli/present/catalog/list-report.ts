import { formatVersion } from '../../../catalogs/versions/version.ts';
import type { PackageContent } from '../../../catalogs/packages.ts';
import { compareText } from '../../../core/text.ts';
import type { CatalogReport } from '../../../workflows/catalog/look.ts';
import type { Outcome } from '../../command.ts';
import { catalogJson, contentText, versionIn } from './facts.ts';

/** The operators of a catalog, in the order of their names. */
export function listReport(report: CatalogReport): Outcome {
  const packages = [...report.packages.values()].sort((a, b) => compareText(a.name, b.name));
  return {
    report: () => [
      [
        {
          verdict: `${report.name}: ${contentText(packages.length, report.catalog.bundles.length)}`,
          mood: 'good',
        },
      ],
      packages.length === 0
        ? []
        : [
            {
              table: {
                heads: ['operator', 'newest', 'versions', 'channels', 'default channel'],
                rows: packages.map((content) => [
                  content.name,
                  newestOf(content) ?? '-',
                  String(content.bundles.size),
                  String(content.channels.size),
                  content.package.defaultChannel,
                ]),
              },
            },
          ],
    ],
    json: {
      ...catalogJson(report),
      packages: packages.map((content) => ({
        name: content.name,
        defaultChannel: content.package.defaultChannel,
        newest: newestOf(content),
        bundles: content.bundles.size,
        channels: [...content.channels.values()].map(({ name, entries }) => {
          const { head } = content.walk(name);
          return {
            name,
            entries: entries.length,
            ...(head !== undefined && { head: versionIn(content, head) }),
          };
        }),
      })),
    },
  };
}

/** The highest version of all channels. */
function newestOf(content: PackageContent): string | undefined {
  const entries = [...content.channels.values()].flatMap((channel) => channel.entries);
  const [newest] = content.newestFirst(entries);
  const version = newest && content.version(newest.name);
  return version && formatVersion(version);
}
