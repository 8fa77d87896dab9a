import { expect, it } from 'vitest';

import { BundleError } from '../../../../src/core/errors.ts';
import {
  hintedFor,
  ocOptions,
  withOcOptions,
} from '../../../../src/delivering/applying/oc-options.ts';

const choice = { kubeconfig: '/tmp/my clusters', context: 'prod' };

it('makes a command ask the cluster that was chosen', () => {
  expect(withOcOptions('oc adm upgrade', ocOptions(choice))).toBe(
    "oc adm upgrade --kubeconfig '/tmp/my clusters' --context prod",
  );
});

it('leaves a command alone where nothing was chosen, and one that is not of oc', () => {
  const none = ocOptions({ kubeconfig: undefined, context: undefined });
  expect(withOcOptions('oc adm upgrade', none)).toBe('oc adm upgrade');
  expect(withOcOptions('bundle resources x', ocOptions(choice))).toBe('bundle resources x');
});

it('says in a hint with a command how that reaches the cluster', () => {
  const hinted = (hint: string): string | undefined =>
    hintedFor(new BundleError('CLUSTER', 'it failed', { hint }), choice).hint;
  expect(hinted('Look at oc get nodes.')).toBe(
    "Look at oc get nodes. oc asks this cluster with --kubeconfig '/tmp/my clusters' --context prod.",
  );
  expect(hinted('Wait.')).toBe('Wait.');
});
