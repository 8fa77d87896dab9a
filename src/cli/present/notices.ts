import type { Notice } from '../../core/events.ts';
import {
  counted,
  folderText,
  formatBytes,
  leavesText,
  oneLine,
  pathWord,
} from '../../core/text.ts';
import { listed, partsText, withShortDigests } from './shown.ts';

const MOUNT_FIRST = 'if one was to be there, stop this run, mount it, and run the command again';

/**
 * What people are told of a notice: a sentence, or lines, of which some are to be copied;
 * `undefined` where they are told otherwise.
 */
export function noticeText(notice: Notice): string | readonly string[] | undefined {
  switch (notice.code) {
    case 'release-not-proven':
      return (
        `NO PROOF OF ${notice.release}, continuing because of --allow-unsigned-release: ` +
        notice.cause
      );
    case 'kubevirt-absent':
      return `release ${notice.release} names no KubeVirt image, so none is carried with it`;
    case 'proof-found':
      return `the signature of ${notice.what} is from ${notice.places.join(', ')}`;
    case 'cache-unusable':
      return `the cache of manifests cannot be used, so all of them are fetched: ${notice.cause}`;
    case 'chart-image-unused':
      return (
        `the values of the chart ${notice.chart} name ${notice.reference} (${notice.key}), ` +
        'which nothing of it runs: it is not carried'
      );
    case 'chart-without-images':
      return `the chart ${notice.chart} runs no image with these values: it is carried alone`;
    case 'chart-unlisted-subchart':
      return (
        `the chart ${notice.chart} holds ${notice.subchart} in charts/ and does not list it as a ` +
        'dependency: helm installs it all the same, so its images are carried'
      );
    case 'operator-default-channel':
      return (
        `${notice.package}: its default channel is ${notice.is}` +
        (notice.was === '' ? '' : `; in the catalog it was ${notice.was}`)
      );
    case 'operator-left-out':
      return (
        `${notice.package}${notice.channel === undefined ? '' : `, channel ${notice.channel}`} ` +
        `is left out: ${notice.cause}`
      );
    case 'bundle-left-out':
      return `${notice.bundle} is left out: ${notice.cause}`;
    case 'images-blocked':
      return (
        `blockedImages leaves ${counted(notice.images, 'image')} out of ${notice.of}, ` +
        `such as ${notice.image} (${oneLine(notice.pattern, 60)})`
      );
    case 'skip-matches-nothing':
      return `${notice.value} was to be left out of ${notice.catalog}, which has nothing like it`;
    case 'catalog-empty':
      return `the catalog ${notice.catalog} HAS NO OPERATORS: it is carried as it is`;
    case 'catalog-refused':
      return (
        `OLM WOULD REFUSE ${notice.catalog} AS IT IS CARRIED, and all of its operators: ` +
        notice.faults.join('; ') +
        (notice.filter === 'oc-mirror' ? '; --filter strict gives a catalog that OLM takes' : '')
      );
    case 'operator-requires':
      return (
        `${notice.bundle} requires ${notice.requires}, which is not carried; ` +
        (notice.providers.length === 0
          ? 'the catalog does not have it'
          : `the catalog has it: ${notice.providers.join(', ')}`)
      );
    case 'image-missing':
      return `${notice.image} is MISSING from the bundle (${notice.reason}): ${notice.cause}`;
    case 'part-stays-incomplete':
      return `${notice.part} LACKS IMAGES, and nothing is left out of it: ${notice.cause}`;
    case 'packing-without':
      return (
        `${leavesText(notice.blobs)} could not be had: packing again without ` +
        `${counted(notice.images, 'image')}; what was fetched is kept`
      );
    case 'bundle-incomplete':
      return undefined; // the report of every command that opens bundles says it, with the images
    case 'volumes-misnamed':
      return misnamedText(notice.files);
    case 'image-by-tag':
      return `${notice.image} is a tag, which moves: it is carried as ${notice.digest}`;
    case 'made-signing-key':
      return (
        `made a signing key for you (${notice.algorithm}): ${notice.path}; ` + 'keep a copy of it'
      );
    case 'split-for-fat32':
      return (
        `${folderText(notice.folder)} has a FAT file system, which cannot hold a file of this size: ` +
        `the bundle is cut into ${notice.volumes} volumes`
      );
    case 'volumes-need-udf':
      return (
        `the volumes are larger than ${notice.limit} bytes, the limit of plain ISO 9660: ` +
        'use UDF for discs'
      );
    case 'kept-of-earlier-run':
      return `kept ${formatBytes(notice.bytes)} of an earlier run: ` + leavesText(notice.layers);
    case 'can-be-continued':
      return `what was fetched is kept in ${folderText(notice.folder)}, but for the last 64 MiB at most`;
    case 'replaced-when-whole':
      return `the bundle ${notice.path} stays as it is until the new one is whole`;
    case 'restart-continued':
      return `goes on with the restart of the bundle ${notice.path}, which stays until then`;
    case 'delivery-can-be-continued':
      return (
        (notice.done === 0
          ? `no image is complete at ${notice.target} yet`
          : `${notice.done} of ${counted(notice.images, 'image')} ` +
            `${notice.done === 1 ? 'is' : 'are'} at ${notice.target} and ` +
            `${notice.done === 1 ? 'stays' : 'stay'} there`) +
        (notice.isNamed ? '' : '; no release tag was set') +
        (notice.isDamage
          ? '. What is there is not sent again'
          : ': when the cause is mended, run the same command again to continue')
      );
    case 'volumes-written-earlier':
      return (
        `${firstVolumes(notice.done)} of ${notice.count} ` +
        `${notice.done === 1 ? 'was' : 'were'} written earlier, ` +
        `to ${notice.folders.map(folderText).join(', ')}; --restart starts over`
      );
    case 'channel-chosen': {
      const { channel, architecture, versions, risks } = notice;
      const risky =
        risks.length === 0 ? '' : `; the updates between them have risks: ${listed(risks)}`;
      return `${channel} for ${architecture}: ${listed(versions)}${risky}`;
    }
    case 'no-update-path':
      return (
        `${notice.channel} has no update path from ${notice.from} to ${notice.to}: ` +
        'no cluster gets from one to the other with this bundle alone'
      );
    case 'image-set-warning':
      return `${notice.path}, line ${notice.line}: ${notice.message}`;
    case 'lists-cut':
      return (
        `of ${counted(notice.images, 'image')} only some platforms are carried (${notice.image}): ` +
        'not every registry takes a list without all of its images; ' +
        'bundle check-registry tells whether yours does'
      );
    case 'platforms-not-cut':
      return `all platforms of ${notice.what} are carried: only single images are cut down`;
    case 'patch-damaged':
      return (
        `the patch ${notice.patch} is damaged itself; its damaged blobs are not used: ` +
        notice.cause
      );
    case 'bundle-opened':
      return `the bundle holds ${partsText(notice.parts)}`;
    case 'signer-not-trusted':
      return 'release signature OK; the signer of the bundle is not trusted on this host';
    case 'bundle-damaged':
      return notice.cause.includes(notice.bundle)
        ? `the bundle is damaged: ${notice.cause}`
        : `${notice.bundle} is damaged: ${notice.cause}`;
    case 'made-folder':
      return (
        `made the folder ${notice.folder}, on the file system of ${notice.mountPoint} ` +
        `(${formatBytes(notice.free)} free)`
      );
    case 'nothing-mounted':
      return (
        `no medium is mounted at ${folderText(notice.folder)}: the files go to the file system of ` +
        `${notice.mountPoint} (${formatBytes(notice.free)} free); ${MOUNT_FIRST}`
      );
    case 'fault-found':
    case 'audit-failed':
      return undefined; // the failure that the run ends with says it all
    case 'pipe-awaited':
      return `waiting: ${notice.name} is a pipe, and nothing has come through it yet`;
    case 'lock-written':
      return `the lock is in ${notice.path}`;
    case 'damage-map-written':
      return `what is damaged is listed in ${notice.path}`;
    case 'damage-map-left':
      return `this bundle is not damaged: ${notice.path} is of an earlier run, and was left as it is`;
    case 'damage-map-not-written':
      return `the file for --damage was not written: ${notice.cause}`;
    case 'newer-not-known':
      return `cannot tell whether ${notice.target} holds a newer release: ${notice.cause}`;
    case 'tags-not-known':
      return (
        `${notice.targets.join(' and ')} can be written to, but not read with these ` +
        `credentials (${notice.cause}): with --replace-tags, tags that exist there are replaced`
      );
    case 'newer-at-target':
      return undefined; // the report says it, beside the commands that it is about
    case 'attached-not-asked':
      return (
        `${notice.what} of ${notice.repository} that its mirrors do not have are left out: ` +
        `${notice.places.join(', ')} could not be asked`
      );
    case 'signatures-not-read':
      return (
        `signatures that refer to images of ${notice.repository} are left out where they cannot ` +
        `be read: ${notice.cause}`
      );
    case 'lookaside-not-read':
      return `signatures that are kept at ${notice.place} are left out: ${notice.cause}`;
    case 'lookaside-left-out':
      return withShortDigests(
        `what is kept beside ${notice.image} as a signature of ${notice.digest} is left out: ` +
          notice.cause,
      );
    case 'needs-trusted-packer':
      return undefined; // the report of every pack says it, with what to hand over
    case 'set-left':
      return (
        `${counted(notice.volumes, 'volume')} of this name ` +
        `${notice.volumes === 1 ? 'was' : 'were'} written before, for other media` +
        `${notice.volumes === 1 ? ':' : ', the first to'} ${notice.path}. This run does not go on with them. To do that: --volume-size ` +
        `${notice.volumeSize} --stop-after 1`
      );
    case 'damage-map-impossible':
      return `${notice.path} is not written: too little of the bundle can be read to list what is damaged`;
    case 'set-again':
      return (
        `all ${counted(notice.volumes, 'volume')} of this set were written before, the last one to ` +
        `${notice.path}. This run begins the set again with its first volume`
      );
    case 'auth-file-not-read':
      return `continuing without the auth file ${notice.path}: ${notice.cause}`;
    case 'auth-file-in-place':
      return (
        `${notice.path} is mounted by itself and cannot be replaced: it was written in place, ` +
        'so a power cut at that moment would have lost it'
      );
    case 'storage-not-asked':
      return (
        `${notice.registry} keeps its content at ${notice.storage}, which cannot be asked from ` +
        `here (${notice.cause}): content that ${notice.registry} says it has is not checked`
      );
    case 'update-path':
      return (
        `update for ${notice.architecture}: ${notice.versions.join(' > ')}, ` +
        (notice.risks.length === 0 ? 'no risk' : `risks: ${listed(notice.risks)}`)
      );
    case 'history-not-kept':
      return (
        `${notice.what} is not kept in the history ${notice.folder}: ${notice.cause}. ` +
        'bundle history import adds it later; --no-history leaves it out'
      );
    case 'receipt-left-aside':
      return notice.receipts.length === 1
        ? `${notice.receipts[0]!} is not counted: ${notice.cause}`
        : `${counted(notice.receipts.length, 'receipt')} are not counted, ` +
            `such as ${notice.receipts[0]!}: ${notice.cause}`;
    case 'receipt-older':
      return notice.isReplaced
        ? `${notice.receipt} is of ${notice.time}, and the receipt of ${notice.newest} replaces ` +
            `all that ${notice.site} said before: it is not counted`
        : `${notice.receipt} is of ${notice.time}. ${notice.site} has made a later one, of ` +
            `${notice.newest}: both count`;
    case 'site-without-receipts':
      return (
        `no receipt of ${notice.site} is here, so nothing can be left out for it: if it has sent ` +
        'some, read them in with bundle history import'
      );
    case 'bundle-not-known':
      return (
        `${notice.site} has ${notice.name} (${withShortDigests(notice.bundle)}), and nothing is known of ` +
        'it here: bundle history import PATH reads it from its medium'
      );
    case 'no-receipt':
      return 'no receipt is written, since no part of the bundle has arrived whole';
    case 'left-out':
      return `left out: ${notice.cause}`;
    case 'image-left-out':
      return leftOutText(notice);
    case 'marker-not-found':
      return (
        `${notice.archive}: the program has no place for the ${notice.marker.replace('-', ' ')}, ` +
        'and does not name it'
      );
    case 'code-signature-broken':
      return (
        `${notice.archive}: the code signature of the program does not fit any more, and only its ` +
        'makers can renew it; on a Mac, run: codesign --force --sign - PROGRAM'
      );
    case 'retry-budget-exhausted':
      return (
        `retry budget exhausted: ${notice.retries} retries used; more than a third of all ` +
        'requests fail. Look for a proxy, a firewall or an overloaded registry on the way, ' +
        'or try --concurrency 1. ' +
        'Then run the same command again: finished work is kept.'
      );
  }
}

/** `volume 1`, `volumes 1 and 2`, `volumes 1 to 3`. */
function firstVolumes(count: number): string {
  if (count === 1) return 'volume 1';
  return count === 2 ? 'volumes 1 and 2' : `volumes 1 to ${count}`;
}

/** Each gets its right name in two steps, since another may have that name still. */
function misnamedText(files: (Notice & { code: 'volumes-misnamed' })['files']): readonly string[] {
  const moves = [
    ...files.map(({ path, rightPath }) => [path, `${rightPath}.renamed`] as const),
    ...files.map(({ rightPath }) => [`${rightPath}.renamed`, rightPath] as const),
  ];
  return [
    'the names of these volumes are wrong:',
    ...files.map(({ path, volume }) => `  ${path} is volume ${volume}`),
    'They are read all the same, but cat joins them in the wrong order. To rename them:',
    ...moves.map((paths) => `  mv -n ${paths.map(pathWord).join(' ')}`),
  ];
}

/** Of more images than these only the number is told: the report that follows names them. */
const SHOWN_LEFT = 2;

function leftOutText({
  image,
  cause,
  number,
  images,
}: Notice & { readonly code: 'image-left-out' }): string | undefined {
  const more = images - SHOWN_LEFT;
  if (number > SHOWN_LEFT && more > 1)
    return number === SHOWN_LEFT + 1 ? `left out: ${more} more images` : undefined;
  return withShortDigests(`left out: ${image}: ${cause}`);
}
