import { counted } from '../../../core/text.ts';
import type { GraphFacts } from '../../../kinds/graph/expand.ts';
import type { Part } from '../../../kinds/kind.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { Rows } from '../layout.ts';
import type { PartReport } from './part-report.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** The lines of reports about graph data. */
export const graphReport: PartReport<GraphFacts> = { rows, json };

function rows({ facts }: Part<GraphFacts>, images: readonly PlannedImage[], screen: Screen): Rows {
  const { digest, image, base, channels, newest, architectures } = facts;
  const upTo = newest === undefined ? '' : `, up to ${newest}`;
  const signatures = images.filter(({ attachment }) => attachment !== undefined).length;
  return [
    ['update graph', `${shortened(digest, screen)}: ${counted(channels, 'channel')}${upTo}`],
    ['graph image', `${shortened(image, screen)}, for ${architectures.join(', ')}`],
    ['built on', shortened(base, screen)],
    ['proof', 'only the signature of the packer'],
    [
      'not checked',
      signatures === 0
        ? undefined
        : `${counted(signatures, 'signature')} of the base image, carried as they are`,
    ],
  ];
}

function json({ facts }: Part<GraphFacts>): object {
  const { digest, image, base, channels, newest, architectures } = facts;
  return { digest, image, base, architectures, channels, newest };
}
