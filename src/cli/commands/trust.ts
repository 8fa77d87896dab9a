import { texts } from '../arguments.ts';
import type { Command } from '../command.ts';
import type { Rows, Section } from '../present/layout.ts';
import type { KeyReport } from '../../workflows/keys.ts';

const KEYS = {
  KEYS: { type: 'string', array: true, demandOption: true, describe: 'PEM public keys' },
} as const;

export const trustAddCommand: Command = {
  examples: [['$0 trust add packer.pub', 'a public key that you got out of band']],
  positionals: KEYS,
  options: {},
  async run(args, context) {
    const { trustAdd } = await import('../../workflows/keys.ts');
    const keys = await trustAdd(texts(args, 'KEYS'), context);
    return {
      json: { added: keys },
      report: () => [
        [
          {
            verdict: `${trustedWords(keys)}: ${keys.length === 1 ? 'this key' : 'these keys'}`,
            mood: 'good',
          },
        ],
        ...keys.map(keySection),
        [
          {
            text:
              `Compare ${keys.length === 1 ? 'the key id' : 'each key id'} with what the packer ` +
              'told you, over the telephone or by mail. A copy on the medium proves nothing. ' +
              `If ${keys.length === 1 ? 'it' : 'one'} differs, withdraw the trust:`,
          },
          { commands: keys.map(({ id }) => `bundle trust remove ${id.slice(0, REMOVED_DIGITS)}`) },
        ],
        [
          {
            text:
              'This host refuses the bundles of all signers who are not trusted here, except ' +
              'those that you sign with your own key. bundle trust list shows whom it trusts.',
          },
        ],
      ],
    };
  },
};

function trustedWords(keys: readonly KeyReport[]): string {
  return keys.every(({ added }) => added !== undefined) ? 'Trusted already' : 'Trusted from now on';
}

/** Enough of a key id to tell it from all others. */
const REMOVED_DIGITS = 16;

export const trustShowCommand: Command = {
  examples: [['$0 trust show packer.pub', 'compare the id with the one that you got out of band']],
  positionals: KEYS,
  options: {},
  async run(args, context) {
    const { trustShow } = await import('../../workflows/keys.ts');
    const keys = await trustShow(texts(args, 'KEYS'), context);
    return { json: { keys }, report: () => keys.map(keySection) };
  },
};

export const trustListCommand: Command = {
  examples: [
    ['$0 trust list', 'the ids in groups, as pack prints them'],
    ['$0 trust list --output json', 'in a script'],
  ],
  positionals: {},
  options: {},
  async run(_args, context) {
    const { trustList } = await import('../../workflows/keys.ts');
    const keys = await trustList(context);
    const none =
      'No key is trusted yet: a bundle is accepted if release signatures cover its content.';
    return {
      json: { keys },
      report: () => (keys.length === 0 ? [[{ text: none }]] : keys.map(keySection)),
    };
  },
};

export const trustRemoveCommand: Command = {
  examples: [['$0 trust remove 0a1b2c3d4e5f6071', 'the id, or its first digits']],
  positionals: {
    ID: {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'key id, or its first 8 or more digits; in groups too',
    },
  },
  options: {},
  async run(args, context) {
    const { trustRemove } = await import('../../workflows/keys.ts');
    const id = texts(args, 'ID').join('').replaceAll(' ', '');
    const { removed, left } = await trustRemove(id, context);
    return {
      json: { removed, left },
      report: () => [
        [{ verdict: 'No longer trusted: this key', mood: left === 0 ? 'warning' : 'good' }],
        keySection(removed),
        left === 0 ? [{ text: NONE_LEFT }] : [],
      ],
    };
  },
};

const NONE_LEFT =
  'No key is trusted any more: this host accepts the bundles of every signer again, if release ' +
  'signatures cover their content.';

/** A key, as somebody compares it with what came out of band. */
function keySection({ id, algorithm, file, added, isTrusted }: KeyReport): Section {
  const facts: Rows = [
    ['file', file],
    ['key id', { hex: id }],
    ['', algorithm],
    ['trusted', added === undefined ? undefined : `since ${added.slice(0, 10)}`],
    ['trusted', isTrusted === undefined ? undefined : isTrusted ? 'yes, on this host' : 'no'],
  ];
  return [{ facts }];
}
