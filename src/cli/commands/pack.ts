import { BundleError } from '../../core/errors.ts';
import type { PackReport } from '../../packing/report.ts';
import { asTyped, byteCount, flag, requiredText, text, texts, volumeSize } from '../arguments.ts';
import type { Context } from '../../core/context.ts';
import type { Arguments, Command, Outcome } from '../command.ts';
import type { Io } from '../io.ts';
import { dryRunOption } from '../options/common.ts';
import { graphDataOptions } from '../options/graph-data.ts';
import {
  completeOption,
  dropOption,
  incompleteOption,
  incompleteRequest,
  refuseOtherParts,
} from '../options/parts/incomplete.ts';
import { askedOptions, askedParts } from '../options/parts/asked.ts';
import { mediaOptions, restartOption, stopAfter } from '../options/media.ts';
import {
  baselineOptions,
  baselineRequest,
  fromBundlesRequest,
  sitesOfEach,
} from '../options/receipts/baselines.ts';
import { historyFolder, historyOptions } from '../options/receipts/history.ts';
import { lookasideOptions, networkRequest, sourceOptions } from '../options/network.ts';
import { attachedRequest, releaseOptions, versionPositional } from '../options/release.ts';
import { one } from '../options/table.ts';
import { keySource } from '../passphrase.ts';
import { outputPipe, PIPE } from '../pipes.ts';

/** Options that have no meaning for a pipe. */
const FOR_FILES = [
  ...(['volume-size', 'stop-after', 'repair', 'restart', 'dry-run', 'each'] as const),
];

/** Options that a run needs again which packs what this one could not fetch. */
const COMPLETING = [
  ...['key', 'release-key', 'referrers', 'no-signatures'],
  ...Object.keys({ ...sourceOptions, ...lookasideOptions }),
];

export const packCommand: Command = {
  examples: [
    ['$0 pack 4.17.3 -o /media/usb', 'x86_64, signed with your own key'],
    ['$0 pack 4.17.3 4.17.5 -o /media/usb', 'two releases; what they share is carried once'],
    [
      '$0 pack --from-version 4.16.20 --to-version 4.17.3 -o /media/usb',
      'all that a cluster with 4.16.20 has to pass',
    ],
    [
      '$0 pack 4.17.3 --arch x86_64,aarch64 -o /media/usb --dry-run',
      'print the exact size, and what each release shares with others; write nothing',
    ],
    [
      '$0 pack --from quay.io/openshift-release-dev/ocp-release@sha256:… -o .',
      'a release that is known by its digest',
    ],
    [
      '$0 pack --from oc-mirror:/srv/archives -o /media/usb',
      'the releases in archives of oc-mirror; with file:DIR, those that oc has mirrored',
    ],
    ['$0 pack 4.17.3 --image quay.io/team/tool:1.4 -o /media/usb', 'a release, and one image more'],
    [
      '$0 pack --catalog registry.redhat.io/redhat/redhat-operator-index:v4.17 --operator web-terminal -o /media/usb',
      'the newest versions of an operator, and a catalog that has it alone',
    ],
    [
      '$0 pack 4.17.5 --since-last plant-a -o /media/usb',
      'an increment: without what plant-a has by its receipts',
    ],
    [
      '$0 pack 4.17.5 --site plant-a --site plant-b --each -o /data/next',
      'a bundle for each of two sites; what both lack is fetched once',
    ],
    ['$0 pack 4.17.3 --volume-size dvd -o /data/discs', 'in volumes that fit on DVDs'],
    [
      '$0 pack 4.17.3 -o - | ssh gateway bundle unpack - --to registry:5000/ocp4',
      'through a pipe; the result goes to stderr',
    ],
    [
      '$0 pack 4.17.3 --mirror quay.io=mirror.example.com/quay -o .',
      'fetched from a mirror, digests unchanged',
    ],
  ],
  positionals: versionPositional,
  options: {
    out: one('where to write: a folder, a file name that ends with .tar.zst, or - for stdout', {
      alias: 'o',
      demandOption: true,
    }),
    name: one('name of the bundle, and of its file without .tar.zst (default ocp-VERSION-ARCH)'),
    ...releaseOptions,
    ...graphDataOptions,
    ...askedOptions,
    ...incompleteOption,
    ...dropOption,
    ...completeOption,
    key: one(
      'PEM key to sign with (default $BUNDLE_KEY, else your own, which the first pack makes)',
      {
        group: 'Trust:',
      },
    ),
    ...sourceOptions,
    ...lookasideOptions,
    'limit-rate': one('fetch at most so many bytes per second, for example 50M', {
      group: 'Registries:',
    }),
    ...mediaOptions,
    ...restartOption,
    ...baselineOptions,
    ...historyOptions,
    ...dryRunOption,
  },
  takesStdout: (args) => args['out'] === PIPE,
  async run(args, context, io) {
    const output = requiredText(args, 'out');
    if (texts(args, 'complete').length > 0) return completeWith(args, context, io);
    const { parts, offers, set, attached, lock, blocker } = await askedParts(args, context);
    const common = {
      parts,
      offers,
      name: text(args, 'name'),
      usualName: set.name,
      ...attached,
      lock,
      blocker,
      ...incompleteRequest(args),
      key: keySource(args, io),
      network: networkRequest(args),
      limitRate: byteCount(args, 'limit-rate'),
      baselines: await baselineRequest(args, context),
      fromBundles: await fromBundlesRequest(args),
      history: historyFolder(args, context),
    };
    const { packReport, pipedReport } = await import('../present/packing/pack-report.ts');
    const keysFor = async ({ closure }: PackReport): Promise<readonly string[]> => {
      const { neededKeyFiles } = await import('../../kinds/release/proof/needed-keys.ts');
      return neededKeyFiles(texts(args, 'release-key'), closure.parts);
    };
    if (output === PIPE) {
      const forFiles = FOR_FILES.find((name) => args[name] !== undefined);
      if (forFiles !== undefined) {
        throw new BundleError('USAGE', `--${forFiles} is for files, not for a pipe`, {
          hint: 'Name a folder or a file with -o.',
        });
      }
      const { packIntoPipe } = await import('../../workflows/pack/into-pipe.ts');
      const piped = await packIntoPipe(common, outputPipe(io), context);
      return pipedReport(piped, { releaseKeyFiles: await keysFor(piped) });
    }
    const request = {
      ...common,
      output,
      volumeSize: volumeSize(args, 'volume-size') ?? set.volumeSize,
      stopAfter: stopAfter(args, set.volumeSize),
      repairFile: text(args, 'repair'),
      restart: flag(args, 'restart'),
      dryRun: flag(args, 'dry-run'),
    };
    if (flag(args, 'each')) {
      const { packEach } = await import('../../workflows/pack/each.ts');
      const { eachReport } = await import('../present/packing/each-report.ts');
      const baselines = sitesOfEach(args, common.baselines);
      const each = await packEach({ ...request, baselines }, context);
      return eachReport(each, {
        releaseKeyFiles: await keysFor(each.bundles[0]!),
        signedWith: common.key.keyFile === undefined ? 'own' : 'another',
      });
    }
    const { pack } = await import('../../workflows/pack/pack.ts');
    const packed = await pack(request, context);
    return packReport(packed, {
      again: asTyped(args, COMPLETING),
      releaseKeyFiles: await keysFor(packed),
      signedWith: common.key.keyFile === undefined ? 'own' : 'another',
    });
  },
};

/** Options that have a meaning only where the command line says what is packed. */
const OF_PARTS = [
  ...['VERSION', 'lock', 'locked', 'drop-incomplete'],
  ...Object.keys(baselineOptions),
  ...Object.keys(askedOptions),
];

/** Packs what earlier bundles lack. */
async function completeWith(args: Arguments, context: Context, io: Io): Promise<Outcome> {
  refuseOtherParts(args, OF_PARTS);
  const output = requiredText(args, 'out');
  if (output === PIPE) {
    throw new BundleError('USAGE', '--complete writes files, not into a pipe', {
      hint: 'Name a folder or a file with -o.',
    });
  }
  const { KINDS } = await import('../../kinds/all.ts');
  const { complete } = await import('../../workflows/complete.ts');
  const { packReport } = await import('../present/packing/pack-report.ts');
  const { neededKeyFiles } = await import('../../kinds/release/proof/needed-keys.ts');
  const releaseKeyFiles = texts(args, 'release-key');
  const key = keySource(args, io);
  const packed = await complete(
    {
      ...{ bundles: texts(args, 'complete'), output, key, kinds: KINDS, releaseKeyFiles },
      ...attachedRequest(args),
      name: text(args, 'name'),
      ...incompleteRequest(args),
      repairFile: text(args, 'repair'),
      network: networkRequest(args),
      limitRate: byteCount(args, 'limit-rate'),
      volumeSize: volumeSize(args, 'volume-size'),
      stopAfter: stopAfter(args),
      restart: flag(args, 'restart'),
      dryRun: flag(args, 'dry-run'),
      history: historyFolder(args, context),
    },
    context,
  );
  return packReport(packed, {
    again: asTyped(args, COMPLETING),
    releaseKeyFiles: await neededKeyFiles(releaseKeyFiles, packed.closure.parts),
    signedWith: key.keyFile === undefined ? 'own' : 'another',
  });
}
