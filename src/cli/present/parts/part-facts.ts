import { formatBytes } from '../../../core/text.ts';
import { type Closure, labelsOf } from '../../../kinds/closure.ts';
import { type PartSize, partSizes } from '../../../kinds/part-sizes.ts';
import { catalogReport } from './catalog-report.ts';
import { chartReport } from './chart-report.ts';
import { graphReport } from './graph-report.ts';
import { imageReport } from './image-report.ts';
import type { Rows } from '../layout.ts';
import { type PartReport, plainReport } from './part-report.ts';
import { releaseReport } from './release-report.ts';
import type { Screen } from '../screen.ts';

/** The kinds that have words of their own in reports. */
const REPORTS: Readonly<Record<string, PartReport>> = {
  catalog: catalogReport,
  chart: chartReport,
  graph: graphReport,
  image: imageReport,
  release: releaseReport,
};

/** The lines of a report about each part; if there are several, with the size of each. */
export function partsFacts(closure: Closure, screen: Screen): Rows {
  const sizes = partSizes(closure);
  return closure.parts.flatMap((part, number): Rows => {
    const images = closure.content.images.filter(({ parts }) => parts.includes(number));
    const report = REPORTS[part.kind] ?? plainReport;
    const rows = report.rows(part, images, screen);
    if (closure.parts.length === 1) return rows;
    if (report.isShort === true)
      return closure.parts[number - 1]?.kind === part.kind ? rows : [['', ''], ...rows];
    return [['', ''], ...rows, ...sizeRows(sizes[number]!)];
  });
}

/** The same, as far as it has to be seen where other facts matter more: what proves each part. */
export function partsBrief({ parts }: Closure, screen: Screen): Rows {
  return parts.flatMap((part): Rows => {
    const report = REPORTS[part.kind] ?? plainReport;
    return report.brief?.(part, screen) ?? [[part.kind, part.label]];
  });
}

/** The same for a machine. */
export function partsJson(closure: Closure): readonly object[] {
  const sizes = partSizes(closure);
  return closure.parts.map((part, number) => ({
    kind: part.kind,
    label: part.label,
    ...(REPORTS[part.kind] ?? plainReport).json(part),
    size: sizes[number],
    images: closure.content.images
      .filter(({ parts }) => parts.includes(number))
      .map((image) => ({
        name: image.name,
        role: image.role,
        parts: labelsOf(image, closure),
        digest: image.descriptor.digest,
        source: image.source,
        proof: image.proof,
        subject: image.subject,
      })),
  }));
}

/** What it shares with others is said, where it does: only the rest goes if it is left out. */
function sizeRows({ bytes, own }: PartSize): Rows {
  return [
    ['size', formatBytes(bytes)],
    ['shared', own === bytes ? undefined : `${formatBytes(bytes - own)} of it with other parts`],
  ];
}
