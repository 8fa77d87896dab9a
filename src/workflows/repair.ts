import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import { volumeNames } from '../bundle/format/names.ts';
import { PARTIAL_SUFFIX } from '../bundle/writing/volume-writer.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, diskError, gravest, hasCode, systemCode } from '../core/errors.ts';
import { findBegun } from '../packing/resume/begun.ts';
import type { Context } from '../core/context.ts';
import { bundlePath, bundleFolder, prepareFolder } from '../files/disk.ts';
import { withLock } from '../files/lock.ts';
import { type OpenRequest, surveyBundle } from '../opening/open-bundle.ts';
import { bundleName } from './pack.ts';
import { wholeContent } from '../packing/patch.ts';
import { planVolumes } from '../packing/plan-volumes.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';
import { dropBegun, writeBundle } from '../packing/write-bundle.ts';

const NO_PATCH =
  'No patch that was named holds it: make one with bundle verify --damage MAP here and bundle pack --repair MAP on the connected side.';

export interface RepairRequest {
  /** The damaged bundle, and patches for it. */
  readonly bundle: OpenRequest;
  /** A folder, or a file that is called like a bundle. */
  readonly output: string;
  /** Bytes that a volume may have; one file is written if it is left out. */
  readonly volumeSize?: number | undefined;
  /** Drops what an earlier run has left under the same name. */
  readonly restart?: boolean | undefined;
}

export interface RepairReport {
  readonly path: string;
  readonly volumes: readonly {
    readonly path: string;
    readonly size: number;
    readonly digest: Digest;
  }[];
  readonly size: number;
  readonly bundleDigest: Digest;
  readonly release: PlannedRelease;
  /** Faults that were found in the damaged one, layers apart. */
  readonly faults: number;
}

/**
 * Writes a whole bundle from a damaged one and patches for it: the same, to the byte, as the
 * damaged one was when it was cut in the same way. Every layer is hashed on its way; what is
 * neither layer nor manifest is computed.
 * @throws BundleError as opening a bundle does; CONTENT_MISMATCH or BUNDLE_UNUSABLE for a layer
 * that is damaged in every source; DISK
 */
export async function repair(request: RepairRequest, context: Context): Promise<RepairReport> {
  await prepareFolder(await bundleFolder(request.output));
  const faults: Fault[] = [];
  const broken = await surveyBundle(request.bundle, context, (fault) => faults.push(fault));
  const { reader, release, seal, signer } = broken;
  try {
    if (release === undefined) {
      const { missingVolumes, volumeCount } = reader;
      throw faults.length > 0
        ? gravest(faults.map(({ error }) => error))
        : volumesMissing(basename(broken.path), missingVolumes, volumeCount);
    }
    const { described, layers } = wholeContent(release);
    if (described.bundleDigest !== broken.digest)
      throw new RangeError('the derived bundle is another than the one that was opened');
    const path = await bundlePath(request.output, bundleName(release));
    return await withLock(path, context.signal, async (signal) => {
      const { plan, volumeSize } = await planVolumes(
        described,
        seal,
        path,
        request.volumeSize,
        context.observe,
      );
      const there = await findBegun(path);
      const targets = volumeNames(path, plan.volumes.length).flatMap((name) => [
        name,
        `${name}${PARTIAL_SUFFIX}`,
      ]);
      await refuseOverwriting(
        [...broken.files, ...broken.patchFiles],
        [...targets, ...there.map((file) => file.path)],
      );
      if (request.restart) await dropBegun(path, there);
      const begun = request.restart ? [] : there;
      context.observe({
        type: 'planned',
        blobs: layers.length,
        bytes: layers.reduce((total, { descriptor }) => total + descriptor.size, 0),
        images: release.content.images.length,
      });
      const only = { start: 0, end: plan.volumes.length };
      const { volumes } = await writeBundle(
        { path, plan, volumeSize, layers, begun, publicKey: signer.pem, only, before: [] },
        { ...context, signal },
      );
      return {
        path,
        volumes,
        size: plan.size,
        bundleDigest: plan.bundleDigest,
        release,
        faults: faults.length,
      };
    });
  } catch (error) {
    throw hasCode(error, 'CONTENT_MISMATCH') ? error.withHint(NO_PATCH) : error;
  } finally {
    await broken.closePatches();
    await reader.close();
  }
}

/** The damaged bundle is only read, by whatever path it is reached: it may be all that there is. */
async function refuseOverwriting(
  sources: readonly string[],
  targets: readonly string[],
): Promise<void> {
  const read = new Set(await Promise.all(sources.map(identityOf)));
  for (const name of targets) {
    const identity = await identityOf(name);
    if (identity === undefined || !read.has(identity)) continue;
    throw new BundleError('USAGE', `${name} is the damaged bundle itself`, {
      hint: 'Name another folder.',
    });
  }
}

/**
 * What a file is the same by under every name; `undefined` for one that is not there. @throws
 * BundleError DISK
 */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw diskError('look at', path, error);
  }
}
