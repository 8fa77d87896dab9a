import { BundleError } from '../../core/errors.ts';
import type { DeliveryTarget } from '../../delivering/delivery-target.ts';
import {
  MIRROR_SCOPES,
  type MirrorScope,
  RESOURCE_NAMES,
  type ResourceNames,
  type ResourceRequest,
  SOURCE_POLICIES,
  type SourcePolicy,
} from '../../delivering/resources/request.ts';
import { isObjectName } from '../../kinds/object-name.ts';
import type { CatalogWish } from '../../kinds/resource-file.ts';
import { shownUrl } from '../../core/text.ts';
import { flag, partNames, text, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { many, one, type OptionTable, yes } from './table.ts';

const group = 'Cluster resources:';

/** What is written for clusters. */
export const resourceOptions: OptionTable = {
  'resources-dir': one(
    'folder for all files that the cluster needs (default ./cluster-resources, and beside it ' +
      './install and ./next-steps.txt)',
    { group },
  ),
  'resource-names': one(
    'names of files and objects: those of this program (the default) or of oc-mirror',
    { choices: RESOURCE_NAMES, group },
  ),
  'mirror-source-policy': one(
    'whether clusters may ask the source of an image that the registry lacks (default: they may)',
    { choices: SOURCE_POLICIES, group },
  ),
  'mirror-scope': one(
    'whether a mirror stands for one repository (the default), or for its whole namespace, as those ' +
      'of oc-mirror do',
    { choices: MIRROR_SCOPES, group },
  ),
  'catalog-name': many(
    'name of the CatalogSource and the ClusterCatalog, so that Subscriptions keep theirs; ' +
      'CATALOG=NAME where there are several catalogs (repeatable)',
    { group },
  ),
  'catalog-source-template': many(
    'CatalogSource in a file, of which all is taken but name, namespace and image; CATALOG=FILE ' +
      'where there are several catalogs (repeatable)',
    { group },
  ),
  'signature-server': one(
    'URL at which nodes will find the folder signatures/: writes the file for /etc/containers/' +
      'registries.d of nodes, too',
    { group },
  ),
  'cluster-image-sets': yes(
    'write a ClusterImageSet for each release: Advanced Cluster Management offers these',
    { group },
  ),
  'pinned-image-sets': yes(
    'write PinnedImageSets: nodes pull the release with the highest version before they are ' +
      'updated to it',
    { group },
  ),
  'running-release': one(
    'release that the clusters run: --pinned-image-sets leaves out what it has already',
    { group },
  ),
};

/**
 * @param to where the parts go.
 * @throws BundleError USAGE for wishes about files that are not written, since no cluster reads an
 * image layout.
 */
export function resourceRequest(args: Arguments, to: DeliveryTarget): ResourceRequest {
  const wished = Object.keys(resourceOptions).find((name) => args[name] !== undefined);
  if (to.kind === 'layout' && wished !== undefined) {
    throw new BundleError('USAGE', `--${wished} needs a registry as target, not ${to.name}`, {
      hint: 'Leave it out: nothing is written for clusters beside an image layout.',
    });
  }
  return {
    folder: text(args, 'resources-dir'),
    names: text(args, 'resource-names') as ResourceNames | undefined,
    scope: text(args, 'mirror-scope') as MirrorScope | undefined,
    sourcePolicy: text(args, 'mirror-source-policy') as SourcePolicy | undefined,
    signatureServer: signatureServer(args),
    caFiles: texts(args, 'ca-file'),
    extras: {
      clusterImageSets: flag(args, 'cluster-image-sets'),
      runningRelease: runningRelease(args),
    },
    catalogs: {
      names: catalogNames(args),
      templateFiles: texts(args, 'catalog-source-template').map(wishIn),
    },
  };
}

/** @throws BundleError USAGE for what is no name of an object */
function catalogNames(args: Arguments): readonly CatalogWish<string>[] {
  return texts(args, 'catalog-name').map((given) => {
    const { catalog, value } = wishIn(given);
    if (isObjectName(value)) return { catalog, value };
    throw new BundleError('USAGE', `no name for the objects of a catalog: ${given}`, {
      expected: 'at most 63 small letters, digits and dashes; a letter first, and no dash last',
      got: value === '' ? 'nothing' : value,
      hint: 'Write it as Subscriptions name their source, as in redhat-operators.',
    });
  });
}

/** `CATALOG=VALUE`, or the value alone. No catalog has an equals sign in its name. */
function wishIn(given: string): CatalogWish<string> {
  const [, catalog, value = ''] = /^(?:([^=]*)=)?(.*)$/s.exec(given) ?? [];
  return { catalog, value };
}

/** @throws BundleError USAGE for what is no URL that nodes could ask. */
function signatureServer(args: Arguments): string | undefined {
  const url = text(args, 'signature-server');
  if (url === undefined) return undefined;
  const isUsable = /^(?:https?|file):\/\//i.test(url) && URL.canParse(url) && !/[?#]/.test(url);
  if (isUsable) return url;
  throw new BundleError('USAGE', `--signature-server ${shownUrl(url)} is no URL of a folder`, {
    hint: 'Write it as nodes will reach it: https://web.example.com/signatures',
  });
}

/** @throws BundleError USAGE for one of two options that need each other. */
function runningRelease(args: Arguments): string | undefined {
  const isWanted = flag(args, 'pinned-image-sets');
  const [running, second] = partNames(args, 'running-release');
  if (second !== undefined)
    throw new BundleError('USAGE', '--running-release was given more than once', {
      hint: 'Give it once: the nodes of a cluster run one release.',
    });
  if (isWanted === (running !== undefined)) return running;
  throw new BundleError(
    'USAGE',
    isWanted
      ? '--pinned-image-sets needs --running-release VERSION'
      : '--running-release is for --pinned-image-sets',
    {
      hint:
        'Give both, or none: nodes pull only what the release that they run lacks, ' +
        'and its version decides the form of the objects.',
    },
  );
}
