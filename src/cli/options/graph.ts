import {
  type Architecture,
  ociArchitecture,
  parseArchitecture,
} from '../../kinds/release/architecture.ts';
import { OFFICIAL_UPDATE_SERVICE } from '../../kinds/release/official.ts';
import type { GraphRequest } from '../../workflows/updates.ts';
import { text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { connectionOptions, connectionRequest } from './network.ts';
import { many, one, type OptionTable } from './table.ts';

const group = 'Update graph:';

/** Which update graph, and what counts in it. */
export const graphSourceOptions: OptionTable = {
  channel: one('channel of the update service, such as stable-4.17 or eus-4.16', { group }),
  'graph-url': one(`update service to ask (default ${OFFICIAL_UPDATE_SERVICE})`, { group }),
  graph: one('file with the answer of an update service, instead of asking one', { group }),
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
  ...connectionOptions,
};

/** A file says nothing of its architecture: none is meant unless one is named. */
function architectureIn(args: Arguments): Architecture | undefined {
  const named = text(args, 'arch');
  if (named !== undefined) return parseArchitecture(named);
  return text(args, 'graph') === undefined ? 'x86_64' : undefined;
}

/**
 * @param usual the channel that is asked for if none is named; of a file all is meant then.
 * @throws BundleError USAGE
 */
export function graphRequest(
  args: Arguments,
  usual: string | undefined,
  architecture = architectureIn(args),
): GraphRequest {
  const file = text(args, 'graph');
  return {
    channel: text(args, 'channel') ?? (file === undefined ? usual : undefined),
    architecture,
    serviceArchitecture: architecture && (ociArchitecture(architecture) ?? architecture),
    serviceUrl: text(args, 'graph-url') ?? OFFICIAL_UPDATE_SERVICE,
    file,
    connection: connectionRequest(args),
  };
}
