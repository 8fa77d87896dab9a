import { expect, it } from 'vitest';

import { chartOptions } from '../../../../src/cli/options/parts/chart-options.ts';
import { askedParts } from '../../../../src/cli/options/parts/asked.ts';
import { contextIn } from '../../../support/context.ts';

const ABOUT_CHARTS = Object.keys(chartOptions).filter(
  (name) => !['chart', 'helm-values', 'helm-images'].includes(name),
);

it.each(ABOUT_CHARTS)('takes --%s for no chart at all as a mistake', async (option) => {
  await expect(
    askedParts({ VERSION: ['4.17.3'], [option]: 'x' }, contextIn('/')),
  ).rejects.toMatchObject({
    code: 'USAGE',
    message: `--${option} has a meaning only with charts`,
    hint: `Name a chart with --chart, or leave --${option} out.`,
  });
});
