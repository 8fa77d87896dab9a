import type { ResourceRequest } from '../../delivering/resources/request.ts';
import { text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { one, type OptionTable } from './table.ts';

/** What is written for clusters. */
export const resourceOptions: OptionTable = {
  'resources-dir': one(
    'folder for all files that the cluster needs (default ./cluster-resources, and beside it ' +
      './install and ./next-steps.txt)',
  ),
};

export function resourceRequest(args: Arguments): ResourceRequest {
  return { folder: text(args, 'resources-dir') };
}
