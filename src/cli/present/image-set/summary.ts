import { counted, few } from '../../../core/text.ts';
import type { ImageSet, ReleaseChannel } from '../../../image-sets/image-set.ts';
import type { Rows } from '../layout.ts';
import { listed } from '../shown.ts';

/** What a file asks for. */
export function askedFor(set: ImageSet): Rows {
  const { platform, operators, images, charts, blocked, archiveSize } = set;
  const architectures = platform?.architectures ?? [];
  const where = architectures.length > 0 ? ` for ${listed(architectures)}` : '';
  const releases =
    platform?.release === undefined
      ? (platform?.channels ?? []).map((channel) => `${releasesOf(channel)}${where}`)
      : [platform.release];
  const chartCount = charts.repositories.flatMap((repository) => repository.charts).length;
  const whole = charts.repositories.filter((repository) => repository.charts.length === 0);
  return [
    ...releases.map((text) => ['releases', text] as const),
    ['update graph', platform?.graph === true ? 'yes' : undefined],
    ...operators.map(({ catalog, packages, full }) => {
      const all = full ? 'the whole catalog' : 'the newest of all operators';
      const names = packages.map(({ name }) => name);
      return ['operators', `${catalog}: ${names.length > 0 ? listed(few(names)) : all}`] as const;
    }),
    ['images', images.length > 0 ? listed(few(images.map(({ name }) => name))) : undefined],
    ['charts', chartCount > 0 ? counted(chartCount, 'chart') : undefined],
    ...whole.map(({ url }) => ['charts', `all of ${url}`] as const),
    ...charts.local.map(({ path }) => ['charts', path] as const),
    ['blocked', blocked.length > 0 ? counted(blocked.length, 'pattern') : undefined],
    ['volumes', archiveSize === undefined ? undefined : `of ${archiveSize} GiB at most`],
  ];
}

function releasesOf({ name, minVersion, maxVersion, full, shortestPath }: ReleaseChannel): string {
  const isBounded = minVersion !== undefined || maxVersion !== undefined;
  if (!isBounded) return full ? `all of ${name}` : `the newest of ${name}`;
  const from = minVersion === undefined ? '' : ` from ${minVersion}`;
  const to = maxVersion === undefined ? '' : ` to ${maxVersion}`;
  return `${name}${from}${to}${shortestPath ? ', the shortest way' : ''}`;
}
