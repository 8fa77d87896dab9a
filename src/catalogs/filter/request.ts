/**
 * What somebody asks of one catalog: an entry of `mirror.operators` of an ImageSetConfiguration,
 * without the names of its keys.
 */
export interface CatalogRequest {
  /** As it was written: `registry/repository:tag`, `…@sha256:…` or `oci:DIR`. */
  readonly catalog: string;
  /** With packages: all bundles of their channels; without packages: the catalog as it is. */
  readonly full: boolean;
  /** Empty: all packages of the catalog. */
  readonly packages: readonly PackageRequest[];
  /** The path at the target, in place of the catalog's own. */
  readonly targetCatalog?: string;
  readonly targetTag?: string;
  /** The path of a file with a CatalogSource, of which the object that offers it is made. */
  readonly sourceTemplate?: string;
}

/** Versions from `minVersion` to `maxVersion`, both included; a missing end is open. */
export interface VersionBounds {
  readonly minVersion?: string;
  readonly maxVersion?: string;
}

export interface PackageRequest extends VersionBounds {
  readonly name: string;
  readonly defaultChannel?: string;
  /** Empty: all channels of the package. */
  readonly channels: readonly ChannelRequest[];
}

export interface ChannelRequest extends VersionBounds {
  readonly name: string;
}

/** The bounds of a channel are its own where it has some, else those of its package. */
export function boundsOf(
  asked: PackageRequest | undefined,
  channel: string,
): VersionBounds | undefined {
  const own = asked?.channels.find(({ name }) => name === channel);
  return [own, asked].find(
    (bounds) => bounds?.minVersion !== undefined || bounds?.maxVersion !== undefined,
  );
}
