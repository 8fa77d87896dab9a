import type { Offer, Offers } from '../../../kinds/graph/offers.ts';
import type { Rows, Section } from '../layout.ts';
import { listed, scope } from '../shown.ts';

/** What the update service of the closed side will offer. */
export function offersText(all: readonly Offers[] | undefined): Section {
  return (all ?? []).flatMap(({ channel, architecture, offers, assumed }): Section => {
    const where = scope({ channel, architecture });
    const rows: Rows = offers.map((offer) => [offer.from, `${offer.to}: ${standingOf(offer)}`]);
    const none = 'no update, since it has one release';
    return [
      { text: `An update service with this bundle alone offers${where}:` },
      rows.length === 0 ? { text: `  ${none}` } : { facts: rows },
      ...(assumed === undefined
        ? []
        : [
            {
              text:
                `The release image of ${assumed} is not in the bundle: it has to be in the ` +
                'repository of release images there, since the clusters run it.',
            },
          ]),
    ];
  });
}

function standingOf({ standing, risks }: Offer): string {
  return risks.length === 0 ? standing : `${standing} (${listed(risks)})`;
}
