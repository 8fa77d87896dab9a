import { counted } from '../../../core/text.ts';
import type { ImageFacts } from '../../../kinds/image/image.ts';
import { nameOfImage } from '../../../kinds/image/request.ts';
import type { Part } from '../../../kinds/kind.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { Rows } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { listed, shortened } from '../shown.ts';
import type { PartReport } from './part-report.ts';

/** The lines of reports about single images: one for each, since there may be many. */
export const imageReport: PartReport<ImageFacts> = { rows, brief, json, isShort: true };

function rows({ facts }: Part<ImageFacts>, images: readonly PlannedImage[], screen: Screen): Rows {
  const { path, tag, platforms } = facts;
  const name = nameOfImage(facts);
  const attached = (role: string, word: string): readonly string[] => {
    const count = images.filter((image) => image.role === role).length;
    return count === 0 ? [] : [counted(count, word)];
  };
  const all = [...attached('signature', 'signature'), ...attached('referrer', 'referrer')];
  const cut = images.some(({ isSparse }) => isSparse === true);
  const only = cut && platforms !== undefined ? `, only ${listed(platforms)}` : '';
  const beside = all.length === 0 ? '' : `, with ${listed(all)}`;
  return [
    [
      'image',
      `${shortened(name, screen)}, to ${shortened(`${path}:${tag}`, screen)}${only}${beside}`,
    ],
    ['', screen.isVerbose ? facts.digest : undefined],
  ];
}

function brief({ facts }: Part<ImageFacts>, screen: Screen): Rows {
  return [['image', shortened(nameOfImage(facts), screen)]];
}

function json({ facts, claim }: Part<ImageFacts>): object {
  const { digest, path, tag, platforms } = facts;
  const chosen = platforms === undefined ? {} : { platforms };
  return { reference: claim['reference'], digest, path, tag, ...chosen };
}
