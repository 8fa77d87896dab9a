import { BundleError } from '../core/errors.ts';
import type { ImageSetDraft } from '../image-sets/write.ts';
import { flag, text, texts } from './arguments.ts';
import { ask, canAsk } from './ask.ts';
import type { Arguments } from './command.ts';
import type { Io } from './io.ts';

/** @throws BundleError USAGE for options that have no meaning without another. */
export function givenDraft(args: Arguments): ImageSetDraft {
  const needs = (option: string, other: string): void => {
    if (args[option] === undefined || args[other] !== undefined) return;
    throw new BundleError('USAGE', `--${option} has a meaning only with --${other}`, {
      hint: `Give --${other}, or leave --${option} out.`,
    });
  };
  for (const option of ['min-version', 'max-version', 'shortest-path']) needs(option, 'channel');
  needs('package', 'catalog');
  if (args['channel'] === undefined && args['graph'] === undefined) needs('arch', 'channel');
  return {
    channel: text(args, 'channel'),
    minVersion: text(args, 'min-version'),
    maxVersion: text(args, 'max-version'),
    shortestPath: flag(args, 'shortest-path'),
    architectures: texts(args, 'arch').flatMap((list) => list.split(',')),
    graph: flag(args, 'graph'),
    catalog: text(args, 'catalog'),
    packages: texts(args, 'package'),
    images: texts(args, 'image'),
  };
}

/** @throws BundleError USAGE where nobody can be asked, or nothing is asked for. */
export async function askedDraft(io: Io): Promise<ImageSetDraft> {
  if (!canAsk(io)) {
    throw new BundleError('USAGE', 'nobody can be asked: stdin or stderr is no terminal', {
      hint: 'Say with --channel, --graph, --catalog or --image what the file shall hold.',
    });
  }
  const line = async (prompt: string): Promise<string | undefined> => {
    const answer = (await ask(io, prompt)).trim();
    return answer === '' ? undefined : answer;
  };
  const words = async (prompt: string): Promise<readonly string[]> =>
    (await line(prompt))?.split(/[\s,]+/).filter((word) => word !== '') ?? [];
  const channel = await line('Channel of releases, such as stable-4.17 (empty: none): ');
  const hasReleases = channel !== undefined;
  const minVersion = hasReleases
    ? await line('Oldest release (empty: the newest of the channel alone): ')
    : undefined;
  const isRange = minVersion !== undefined;
  const maxVersion = isRange
    ? await line('Newest release (empty: the newest of the channel): ')
    : undefined;
  const isYes = async (prompt: string): Promise<boolean> => /^y/i.test((await line(prompt)) ?? '');
  const shortestPath = isRange && (await isYes('Only the releases that an update passes? [y/N] '));
  const architectures = hasReleases
    ? await words('Architectures, such as amd64 arm64 (empty: amd64): ')
    : [];
  const graph = await isYes('The update graph, for an update service? [y/N] ');
  const index = 'registry.redhat.io/redhat/redhat-operator-index:v4.17';
  const catalog = await line(`Operator catalog, such as ${index} (empty: none): `);
  const packages =
    catalog === undefined ? [] : await words('Operators of it, such as a b c (empty: all): ');
  const images = await words('More images, by tag or digest (empty: none): ');
  if (!hasReleases && !graph && catalog === undefined && images.length === 0)
    throw new BundleError('USAGE', 'the file would ask for nothing', {
      hint: 'Nothing was written. Answer at least one question.',
    });
  return {
    ...{ channel, minVersion, maxVersion, shortestPath, architectures },
    ...{ graph, catalog, packages, images },
  };
}
