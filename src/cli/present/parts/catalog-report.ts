import { objectOf } from '../../../catalogs/check/finding.ts';
import { counted, few, oneLine } from '../../../core/text.ts';
import type { BundleFacts, CatalogFacts } from '../../../kinds/catalog/expand.ts';
import type { CatalogProfile } from '../../../kinds/catalog/request.ts';
import type { Part } from '../../../kinds/kind.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { Rows } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import type { PartReport } from './part-report.ts';

/** More operators than these are counted. */
const SHOWN = 20;

/** The lines of reports about a catalog: its operators, with their versions. */
export const catalogReport: PartReport<CatalogFacts> = { rows, brief, json };

function rows(
  { facts }: Part<CatalogFacts>,
  _images: readonly PlannedImage[],
  screen: Screen,
): Rows {
  const { reference, path, tag, packages, relatedImages, filter, skipRelated } = facts;
  const { skippedImages, skippedBundles, findings } = facts;
  const shown = screen.isVerbose ? packages : packages.slice(0, SHOWN);
  const rest = packages.length - shown.length;
  return [
    ['catalog', shortened(reference, screen)],
    ['goes to', shortened(`${path}:${tag}`, screen)],
    ['image', IMAGES[facts.profile]],
    ['filter', filter === 'oc-mirror' ? 'that of oc-mirror' : undefined],
    [
      'OLM refuses',
      findings.length === 0
        ? undefined
        : few(findings.map((own) => oneLine(`${objectOf(own)} ${own.message}`))).join('; '),
    ],
    ['images', `${counted(relatedImages, 'image')} of ${counted(packages.length, 'operator')}`],
    ...shown.map(({ name, bundles }): readonly [string, string] => [
      name,
      bundles.map(versionText).join(', '),
    ]),
    ...skippedBundles.map(({ bundle, cause }): readonly [string, string] => [
      'left out',
      `${bundle}: ${oneLine(cause)}`,
    ]),
    [
      'left out',
      skipRelated.length === 0
        ? undefined
        : `${counted(skippedImages.length, 'image')} like ${skipRelated.map((own) => oneLine(own)).join(', ')}`,
    ],
    ['', rest > 0 ? `${counted(rest, 'operator')} more with --verbose` : undefined],
  ];
}

const IMAGES: Readonly<Record<CatalogProfile, string>> = {
  runnable: 'made of the operators that were asked for',
  content: 'made of the documents of these operators alone: it does not serve them by itself',
  verbatim: 'as it is',
};

function versionText({ version, reasons }: BundleFacts): string {
  return reasons.length === 0 ? version : `${version} (${reasons.join(', ')})`;
}

function brief({ facts }: Part<CatalogFacts>, screen: Screen): Rows {
  const { reference, packages } = facts;
  return [['catalog', `${shortened(reference, screen)}: ${counted(packages.length, 'operator')}`]];
}

function json({ facts }: Part<CatalogFacts>): object {
  const { reference, digest, from, path, tag, packages, relatedImages } = facts;
  const { profile, filter, findings, skipRelated, skippedImages, skippedBundles } = facts;
  return {
    ...{ reference, digest, from, path, tag, profile, ...(filter !== undefined && { filter }) },
    ...{ packages, relatedImages, findings, skipRelated, skippedImages, skippedBundles },
  };
}
