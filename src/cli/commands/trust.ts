import { requiredText, texts } from '../arguments.ts';
import type { Command } from '../command.ts';

export const trustAddCommand: Command = {
  usage: 'add <KEYS..>',
  summary: 'accept bundles signed with these keys, and from then on no others',
  examples: [['$0 trust add packer.pub', 'a public key that you got out of band']],
  positionals: {
    KEYS: { type: 'string', array: true, demandOption: true, describe: 'PEM public keys' },
  },
  options: {},
  async run(args, context) {
    const { trustAdd } = await import('../../workflows/keys.ts');
    const keys = await trustAdd(texts(args, 'KEYS'), context);
    return {
      json: { added: keys },
      report: () => [keys.map(({ id, algorithm }) => ({ text: `trusted  ${id} (${algorithm})` }))],
    };
  },
};

export const trustListCommand: Command = {
  usage: 'list',
  summary: 'show the keys whose bundles are accepted',
  examples: [['$0 trust list', 'prints one key id per line']],
  positionals: {},
  options: {},
  async run(_args, context) {
    const { trustList } = await import('../../workflows/keys.ts');
    const keys = await trustList(context);
    const none =
      'No key is trusted yet: a bundle is accepted if release signatures cover its content.';
    return {
      json: { keys },
      report: () => [
        keys.length === 0
          ? [{ text: none }]
          : keys.map(({ id, algorithm }) => ({ text: `${id} (${algorithm})` })),
      ],
    };
  },
};

export const trustRemoveCommand: Command = {
  usage: 'remove <ID>',
  summary: 'stop accepting bundles signed with a key',
  examples: [['$0 trust remove 0a1b2c3d4e5f6071', 'the id, or its first digits']],
  positionals: {
    ID: { type: 'string', demandOption: true, describe: 'key id, or its first 8 or more digits' },
  },
  options: {},
  async run(args, context) {
    const { trustRemove } = await import('../../workflows/keys.ts');
    const key = await trustRemove(requiredText(args, 'ID'), context);
    const text = `no longer trusted  ${key.id} (${key.algorithm})`;
    return { json: { removed: key }, report: () => [[{ text }]] };
  },
};
