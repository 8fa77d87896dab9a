import { BundleError } from '../../core/errors.ts';
import { type Architecture, parseArchitecture } from '../../kinds/release/architecture.ts';
import { OFFICIAL_UPDATE_SERVICE } from '../../kinds/release/official.ts';
import type { GraphRequest } from '../../network/graph-source.ts';
import { text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { networkRequest, sourceOptions } from './network.ts';
import { many, one, type OptionTable } from './table.ts';

const group = 'Update graph:';

/** Which update graph, and what counts in it. */
export const graphSourceOptions: OptionTable = {
  channel: one('channel of the update service, such as stable-4.17 or eus-4.16', { group }),
  'graph-url': one(`update service to ask (default ${OFFICIAL_UPDATE_SERVICE})`, { group }),
  graph: one(
    'instead of asking a service: its answer in a file, or graph data in a folder or a tarball',
    { group },
  ),
};

export const acceptRiskOption: OptionTable = {
  'accept-risk': many('name of a risk that does not count (repeatable)', { group }),
};

/** For commands that ask for nothing but the graph. */
export const graphOptions: OptionTable = {
  arch: one('architecture of the cluster: x86_64 (default), aarch64, s390x, ppc64le or multi', {
    group,
  }),
  ...graphSourceOptions,
  from: one(
    'where the release images are that graph data is for: REPOSITORY or oci:DIR ' +
      '(default quay.io/openshift-release-dev/ocp-release)',
    { group },
  ),
  ...sourceOptions,
};

/**
 * Where the graph comes from: a file takes the place of the service.
 * @throws BundleError USAGE for both
 */
export function graphSource(args: Arguments): Pick<GraphRequest, 'serviceUrl' | 'file'> {
  const [file, url] = [text(args, 'graph'), text(args, 'graph-url')];
  if (file !== undefined && url !== undefined) {
    throw new BundleError('USAGE', '--graph and --graph-url exclude each other', {
      hint:
        'Leave out the one that is not meant. bundle pack takes the graph data that it carries ' +
        'from another place with --graph-data.',
    });
  }
  return { serviceUrl: url ?? OFFICIAL_UPDATE_SERVICE, file };
}

/**
 * @param usual the channel that is asked for if none is named; of an answer in a file all is meant.
 * @throws BundleError USAGE
 */
export function graphRequest(
  args: Arguments,
  usual: string | undefined,
  architecture?: Architecture,
): GraphRequest {
  const named = text(args, 'arch');
  return {
    channel: text(args, 'channel'),
    usualChannel: usual,
    architecture: architecture ?? (named === undefined ? undefined : parseArchitecture(named)),
    ...graphSource(args),
    images: text(args, 'from'),
    network: networkRequest(args),
  };
}
