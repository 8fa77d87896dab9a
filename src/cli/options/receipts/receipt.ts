import { BundleError } from '../../../core/errors.ts';
import { checkSiteName } from '../../../receipts/receipt.ts';
import type { ReceiptRequest } from '../../../workflows/unpack.ts';
import { flag, text } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import type { Io } from '../../io.ts';
import { keySource } from '../../passphrase.ts';
import { trustOptions } from '../bundle.ts';
import { repositoryOptions } from '../delivery.ts';
import { registryOptions } from '../network.ts';
import { historyOptions } from './history.ts';
import { many, one, type OptionTable, yes } from '../table.ts';

const group = 'Receipt:';

export const siteOption: OptionTable = {
  site: one(
    'name of this site in receipts (default as in earlier ones, else the host name of the registry)',
    { group },
  ),
  'new-site': yes('begin a new site, though earlier receipts about this registry are of another', {
    group,
  }),
};

/** Whose receipts are believed. */
export const receiptKeyOption: OptionTable = {
  'trusted-key': many('PEM public key of a site to trust for this run (repeatable)', {
    group: 'Trust:',
  }),
};

/** Where receipts from paper are written to. */
export const paperFolderOption: OptionTable = {
  out: one('folder to write the receipt to (default: the one you are in)', { alias: 'o' }),
};

export const qrOption: OptionTable = {
  qr: yes('write the receipt for paper, too: QR codes as PNG files, and lines to be typed', {
    group,
  }),
};

/** Options of `unpack`. */
export const receiptOptions: OptionTable = {
  receipt: one('folder to write a signed receipt to, once everything has arrived', { group }),
  'receipt-key': one('PEM key to sign the receipt with (default $BUNDLE_KEY, else your own)', {
    group,
  }),
  ...qrOption,
  ...siteOption,
  ...historyOptions,
};

/**
 * Options of commands that ask a registry for what bundles have put there: for a receipt, or to
 * prune it.
 */
export const askingOptions: OptionTable = {
  ...qrOption,
  ...siteOption,
  ...historyOptions,
  ...repositoryOptions,
  'trusted-key': trustOptions['trusted-key']!,
  'release-key': trustOptions['release-key']!,
  ...registryOptions,
};

/**
 * @param historyOf is asked only for a receipt that is wanted.
 * @param others options of the command that are about a receipt alone, beside the common ones.
 * @throws BundleError USAGE for an option about a receipt that is not wanted.
 */
export function receiptRequest(
  args: Arguments,
  io: Io,
  historyOf: () => string | undefined,
  others: readonly string[] = [],
): ReceiptRequest | undefined {
  const folder = text(args, 'receipt');
  const site = siteName(args);
  if (folder !== undefined) {
    const key = keySource(args, io, 'receipt-key');
    const isNewSite = flag(args, 'new-site');
    return { folder, key, site, isNewSite, history: historyOf(), paper: flag(args, 'qr') };
  }
  const own = ['receipt-key', 'qr', 'site', 'new-site', ...others];
  const idle = own.find((name) => args[name] !== undefined);
  if (idle === undefined) return undefined;
  throw new BundleError('USAGE', `--${idle} is about a receipt, and none is asked for`, {
    hint: 'Name a folder for it with --receipt DIR.',
  });
}

export function siteName(args: Arguments): string | undefined {
  const name = text(args, 'site');
  return name === undefined ? undefined : checkSiteName(name);
}
