import type { Options } from 'yargs';

/** Options of a command, or a group of them that commands share. */
export type OptionTable = Readonly<Record<string, Options>>;

/** An option that has a value and is given once. */
export const one = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  describe,
  ...more,
});

/** An option that has a value and may be given several times. */
export const many = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  array: false,
  describe,
  ...more,
});

/** An option without a value. */
export const yes = (describe: string, more: Options = {}): Options => ({
  type: 'boolean',
  describe,
  ...more,
});
