import { counted } from '../../../core/text.ts';
import type { Closure } from '../../../kinds/closure.ts';
import { needsTrustedPacker } from '../../../kinds/statements.ts';
import type { Section } from '../layout.ts';
import { withShortDigests } from '../shown.ts';

/** The names of these images, for programs. */
export function imagesOfPacker({ content }: Closure): readonly string[] {
  return needsTrustedPacker(content).map(({ name }) => name);
}

/** What has to be handed over since nobody but the packer proves some of the images. */
export function packerAlone({ content }: Closure): Section {
  const images = needsTrustedPacker(content);
  const [first] = images;
  if (first === undefined) return [];
  const which = images.length === 1 ? 'It is' : 'One of them is';
  return [
    {
      text:
        'WARNING: hosts that do not trust your key will refuse this bundle. Only you prove ' +
        `${counted(images.length, 'image')} in it. ${which} ${withShortDigests(first.name)}: ${first.why}.`,
    },
    {
      text:
        'Give the closed side your .pub file out of band, not the one on the medium. There, ' +
        'before all else:',
    },
    { commands: ['bundle trust add KEY.pub'] },
  ];
}
