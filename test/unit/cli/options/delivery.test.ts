import { expect, it } from 'vitest';

import { resourcesCommand } from '../../../../src/cli/commands/resources.ts';
import { asTyped } from '../../../../src/cli/arguments.ts';
import { trustOptions } from '../../../../src/cli/options/bundle.ts';
import { clusterOptions } from '../../../../src/cli/options/cluster.ts';
import { WRITING_OPTIONS } from '../../../../src/cli/options/delivery.ts';
import { resourceOptions } from '../../../../src/cli/options/resources.ts';

/** Not for the files: where they are for, whom to believe, and what is done with them then. */
const OTHERS = ['to', 'dry-run', ...Object.keys({ ...trustOptions, ...clusterOptions })];

it('repeats every option of resources that changes what is written, in a printed command', () => {
  const all = Object.keys(resourcesCommand.options).filter((name) => !OTHERS.includes(name));
  expect(all.toSorted()).toEqual([...WRITING_OPTIONS].toSorted());
});

it.each(Object.entries(resourceOptions))('types --%s as it was given', (name, { type }) => {
  const isFlag = type === 'boolean';
  const words = asTyped({ [name]: isFlag ? true : 'a b' }, WRITING_OPTIONS);
  expect(words).toEqual(isFlag ? [`--${name}`] : [`--${name}`, "'a b'"]);
});
