import type { Command } from './command.ts';

/** What is known of a command before it is asked for: the rest is loaded with it. */
export interface CommandEntry {
  /** As yargs wants it: `pack [version]`. */
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export interface CommandGroup {
  readonly summary: string;
  /** The command that is meant where only options follow the name of the group. */
  readonly otherwise?: string;
  readonly commands: readonly CommandEntry[];
}

/** The word that a command is called by. */
export function nameOf({ usage }: CommandEntry): string {
  return usage.split(' ', 1)[0]!;
}

/** In the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    usage: 'pack [VERSION..]',
    summary: 'make a bundle of one or several releases',
    load: async () => (await import('./commands/pack.ts')).packCommand,
  },
  {
    usage: 'verify <PATH..>',
    summary: 'audit a bundle: signatures, release signature, every byte',
    load: async () => (await import('./commands/verify.ts')).verifyCommand,
  },
  {
    usage: 'inspect <PATH..>',
    summary: 'show what a bundle holds: releases, images, sizes, signer',
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  {
    usage: 'unpack <PATH..>',
    summary: 'verify a bundle and push it into a registry',
    load: async () => (await import('./commands/unpack.ts')).unpackCommand,
  },
  {
    usage: 'mirror [VERSION..]',
    summary: 'copy releases from registry to registry, without a file in between',
    load: async () => (await import('./commands/mirror.ts')).mirrorCommand,
  },
  {
    usage: 'resources <PATH..>',
    summary: 'write the files that clusters need for a bundle, and contact no registry',
    load: async () => (await import('./commands/resources.ts')).resourcesCommand,
  },
  {
    usage: 'extract-tools <PATH..>',
    summary: 'write archives of oc, openshift-install and ccoctl of exactly one release',
    load: async () => (await import('./commands/extract-tools.ts')).extractToolsCommand,
  },
  {
    usage: 'extract <PATH..>',
    summary: 'write one file out of the payload of a release',
    load: async () => (await import('./commands/extract.ts')).extractCommand,
  },
  {
    usage: 'repair <PATH..>',
    summary: 'write a whole bundle from a damaged one and its patches',
    load: async () => (await import('./commands/repair.ts')).repairCommand,
  },
  {
    usage: 'prune [PATH..]',
    summary: 'remove releases and other parts from a registry that nothing else needs',
    load: async () => (await import('./commands/prune/prune.ts')).pruneCommand,
  },
  {
    usage: 'path <FROM> <TO>',
    summary: 'find the updates that lead from one release to another',
    load: async () => (await import('./commands/path.ts')).pathCommand,
  },
  {
    usage: 'releases',
    summary: 'list the releases of a channel, and the risks of updating to them',
    load: async () => (await import('./commands/releases.ts')).releasesCommand,
  },
  {
    usage: 'login <REGISTRY>',
    summary: 'check credentials at a registry, and store them where podman does',
    load: async () => (await import('./commands/login.ts')).loginCommand,
  },
  {
    usage: 'logout <REGISTRY>',
    summary: 'remove credentials that login stored',
    load: async () => (await import('./commands/login.ts')).logoutCommand,
  },
  {
    usage: 'check-registry <TARGET>',
    summary: 'check that unpack can use a registry, before the media travel',
    load: async () => (await import('./commands/check-registry.ts')).checkRegistryCommand,
  },
  {
    usage: 'keygen',
    summary: 'make a key to sign bundles with',
    load: async () => (await import('./commands/keygen.ts')).keygenCommand,
  },
  {
    usage: 'sign <PATH..>',
    summary: 'add a signature to a bundle, in a file beside it',
    load: async () => (await import('./commands/sign.ts')).signCommand,
  },
];

/** Commands of two words, by the first one. */
export const COMMAND_GROUPS: Readonly<Record<string, CommandGroup>> = {
  trust: {
    summary: 'choose whose bundles are accepted on this host',
    commands: [
      {
        usage: 'add <KEYS..>',
        summary: 'accept bundles signed with these keys, and from then on no others',
        load: async () => (await import('./commands/trust.ts')).trustAddCommand,
      },
      {
        usage: 'show <KEYS..>',
        summary: 'show the id of a public key, to compare it before you trust the key',
        load: async () => (await import('./commands/trust.ts')).trustShowCommand,
      },
      {
        usage: 'list',
        summary: 'show the keys whose bundles are accepted',
        load: async () => (await import('./commands/trust.ts')).trustListCommand,
      },
      {
        usage: 'remove <ID..>',
        summary: 'stop accepting bundles signed with a key',
        load: async () => (await import('./commands/trust.ts')).trustRemoveCommand,
      },
    ],
  },
  catalog: {
    summary: 'look at a catalog of operators, check it, filter it',
    commands: [
      {
        usage: 'list <CATALOG>',
        summary: 'list the operators of a catalog',
        load: async () => (await import('./commands/catalog/list.ts')).catalogListCommand,
      },
      {
        usage: 'show <CATALOG> <PACKAGE>',
        summary: 'show the channels of an operator, with their updates and what it requires',
        load: async () => (await import('./commands/catalog/show.ts')).catalogShowCommand,
      },
      {
        usage: 'why <CATALOG> <PACKAGE>',
        summary: 'say why each version of an operator would be carried, or not',
        load: async () => (await import('./commands/catalog/why.ts')).catalogWhyCommand,
      },
      {
        usage: 'diff <OLD> <NEW>',
        summary: 'compare two catalogs: operators, channels, versions, images',
        load: async () => (await import('./commands/catalog/diff.ts')).catalogDiffCommand,
      },
      {
        usage: 'check <CATALOG>',
        summary: 'check whether OLM can serve a catalog, as opm validate does',
        load: async () => (await import('./commands/catalog/check.ts')).catalogCheckCommand,
      },
      {
        usage: 'filter <CATALOG>',
        summary: 'write the part of a catalog that would be carried, as files',
        load: async () => (await import('./commands/catalog/filter.ts')).catalogFilterCommand,
      },
    ],
  },
  imageset: {
    summary: 'check or write a file that says what to carry, and compare what it came to',
    commands: [
      {
        usage: 'diff <OLD> <NEW>',
        summary: 'compare two locks: what the next bundle brings (status 0 if they differ, too)',
        load: async () => (await import('./commands/imageset/diff.ts')).imagesetDiffCommand,
      },
      {
        usage: 'check <FILE>',
        summary: 'check a file for oc-mirror v2, without fetching anything',
        load: async () => (await import('./commands/imageset/check.ts')).imagesetCheckCommand,
      },
      {
        usage: 'init [FILE]',
        summary:
          'write a new file for oc-mirror v2: the program asks, or options say what it shall hold',
        load: async () => (await import('./commands/imageset/init.ts')).imagesetInitCommand,
      },
    ],
  },
  receipt: {
    summary: 'make receipts of what has arrived, look at them, check them',
    otherwise: 'make',
    commands: [
      {
        usage: 'make [PATH..]',
        summary: 'ask a registry what it has of bundles, and write a receipt of it',
        load: async () => (await import('./commands/receipt/make.ts')).receiptMakeCommand,
      },
      {
        usage: 'show <FILE..>',
        summary: 'show what receipts say, and who signed them',
        load: async () => (await import('./commands/receipt/show.ts')).receiptShowCommand,
      },
      {
        usage: 'check <FILE..>',
        summary: 'check receipts: form, signature, signer',
        load: async () => (await import('./commands/receipt/check.ts')).receiptCheckCommand,
      },
      {
        usage: 'scan <PICTURE..>',
        summary: 'read the QR codes of a receipt in photographs, and write the receipt',
        load: async () => (await import('./commands/receipt/scan.ts')).receiptScanCommand,
      },
      {
        usage: 'enter [FILE]',
        summary: 'read the lines of a receipt as somebody types them, and write the receipt',
        load: async () => (await import('./commands/receipt/enter.ts')).receiptEnterCommand,
      },
    ],
  },
  history: {
    summary: 'what was packed here, and what sites have of it',
    otherwise: 'list',
    commands: [
      {
        usage: 'list',
        summary: 'list the bundles that were packed, and the receipts of their deliveries',
        load: async () => (await import('./commands/history/list.ts')).historyListCommand,
      },
      {
        usage: 'sites',
        summary: 'list which bundles are at which site',
        load: async () => (await import('./commands/history/sites.ts')).historySitesCommand,
      },
      {
        usage: 'import <PATH..>',
        summary: 'read bundles on media, and receipts, into the history',
        load: async () => (await import('./commands/history/import.ts')).historyImportCommand,
      },
    ],
  },
  cache: {
    summary: 'what earlier runs have kept',
    commands: [
      {
        usage: 'clear',
        summary: 'remove what earlier runs have kept of registries',
        load: async () => (await import('./commands/cache/clear.ts')).cacheClearCommand,
      },
    ],
  },
};
