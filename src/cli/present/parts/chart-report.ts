import { counted } from '../../../core/text.ts';
import type { ChartFacts } from '../../../kinds/chart/claim.ts';
import { nameOfImage } from '../../../kinds/image/request.ts';
import type { Part } from '../../../kinds/kind.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { Rows } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import type { PartReport } from './part-report.ts';

/** The lines of reports about charts: each with the images that it needs. */
export const chartReport: PartReport<ChartFacts> = { rows, brief, json };

function rows({ facts }: Part<ChartFacts>, _images: readonly PlannedImage[], screen: Screen): Rows {
  const { name, version, path, tag, images, origin } = facts;
  return [
    ['chart', `${name} ${version}, to ${shortened(`${path}:${tag}`, screen)}`],
    ['from', screen.isVerbose ? origin : undefined],
    ...images.map(
      (image, at) =>
        [
          at === 0 ? 'its images' : '',
          `${shortened(nameOfImage(image), screen)} (${image.how}${screen.isVerbose ? `: ${image.where}` : ''})`,
        ] as const,
    ),
  ];
}

function brief({ facts: { name, version, images } }: Part<ChartFacts>): Rows {
  return [['chart', `${name} ${version}, with ${counted(images.length, 'image')}`]];
}

function json({ facts, claim }: Part<ChartFacts>): object {
  const { name, version, artifact, path, tag, origin } = facts;
  return {
    name,
    version,
    ...(origin !== undefined && { origin }),
    artifact,
    path,
    tag,
    needs: claim['images'],
  };
}
