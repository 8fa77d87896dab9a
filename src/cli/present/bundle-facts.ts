import { basename } from 'node:path';

import { hexOf } from '../../core/digest.ts';
import type { SurveyedBundle } from '../../opening/open-bundle.ts';
import type { SignerStanding } from '../../opening/signers.ts';
import { holesJson, missingWords } from './parts/holes.ts';
import { requiresJson, requiresRows } from './parts/increment.ts';
import { partsJson } from './parts/part-facts.ts';
import type { Rows, Section } from './layout.ts';
import type { Screen } from './screen.ts';
import { shortened, size as sizeText } from './shown.ts';

/** The lines of a report about a bundle. */
export type BundleFacts = Pick<
  SurveyedBundle,
  | 'path'
  | 'size'
  | 'digest'
  | 'signer'
  | 'standing'
  | 'countersigners'
  | 'uncheckedSignatures'
  | 'closure'
> & { readonly reader?: Pick<SurveyedBundle['reader'], 'manifest'> };

const STANDINGS: Readonly<Record<SignerStanding, string>> = {
  trusted: 'trusted here',
  own: 'your own key',
  countersigned: 'not trusted here, but also signed by a key that is',
  unknown: 'NOT TRUSTED HERE: only the release signatures prove the content',
};

export function bundleFacts(bundle: BundleFacts, screen: Screen): Rows {
  const { path, size, digest, signer, standing, countersigners, uncheckedSignatures } = bundle;
  const { requires = [] } = bundle.reader?.manifest ?? {};
  const named = ({ id, algorithm }: typeof signer): string =>
    `${shortened(id, screen)} (${algorithm})`;
  return [
    ['bundle', path],
    ['size', sizeText(size, screen)],
    ...requiresRows(requires, screen),
    ['bundle digest', { hex: hexOf(digest) }],
    // The id of a key that is not known yet is compared with the one that came out of band.
    ...(standing === 'unknown'
      ? ([
          ['signer', { hex: signer.id }],
          ['', `${signer.algorithm}, ${STANDINGS[standing]}`],
        ] as const)
      : ([['signer', `${named(signer)}, ${STANDINGS[standing]}`]] as const)),
    ...countersigners.map((key) => ['also signed by', named(key)] as const),
    ...uncheckedSignatures.map(
      ({ shortId, path: file }) =>
        [
          'also there',
          `${basename(file)}: NOT CHECKED, since the key ${shortId.slice(0, 8)} ` +
            `${shortId.slice(8)} is not trusted here`,
        ] as const,
    ),
  ];
}

export function bundleJson({
  path,
  size,
  digest,
  signer,
  standing,
  countersigners,
  uncheckedSignatures,
  closure,
  reader,
}: BundleFacts): object {
  return {
    path,
    size,
    digest: hexOf(digest),
    signer: { id: signer.id, algorithm: signer.algorithm, standing },
    countersigners: countersigners.map(({ id, algorithm }) => ({ id, algorithm })),
    uncheckedSignatures: uncheckedSignatures.map(({ path: file, shortId }) => ({
      ...{ path: file, shortId },
    })),
    ...(reader && requiresJson(reader.manifest)),
    parts: closure && partsJson(closure),
    ...(closure && missingWords(closure) !== undefined && { holes: holesJson(closure) }),
  };
}

/** How to make an unknown signer a known one. */
export function trustAdvice({ standing }: BundleFacts): Section {
  if (standing !== 'unknown') return [];
  return [
    {
      text: 'To trust the signer of this bundle, and to refuse bundles of all others from then on:',
    },
    { commands: ['bundle trust add KEY.pub'] },
    { text: 'KEY.pub is the public key that the packer gave you out of band, not on the medium.' },
  ];
}
