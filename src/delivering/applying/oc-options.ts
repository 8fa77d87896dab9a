import type { BundleError } from '../../core/errors.ts';
import { shellWord } from '../../core/text.ts';
import type { ClusterChoice } from '../../cluster/kubeconfig.ts';

/** The options with which `oc` asks the cluster that the user has chosen; none for its usual one. */
export function ocOptions({ kubeconfig, context }: ClusterChoice): readonly string[] {
  return [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(context === undefined ? [] : ['--context', context]),
  ];
}

/** A command as it has to be typed: without the options, `oc` would ask another cluster. */
export function withOcOptions(command: string, options: readonly string[]): string {
  return command.startsWith('oc ') ? [command, ...options.map(shellWord)].join(' ') : command;
}

/** The same failure; a hint that has commands of `oc` in it says how they reach the cluster. */
export function hintedFor(error: BundleError, choice: ClusterChoice): BundleError {
  const { hint } = error;
  const options = ocOptions(choice);
  if (hint === undefined || options.length === 0 || !/\boc [a-z]/.test(hint)) return error;
  return error.withHint(`${hint} oc asks this cluster with ${options.map(shellWord).join(' ')}.`);
}
