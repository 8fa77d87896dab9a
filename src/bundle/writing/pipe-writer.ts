import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';

import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestFromHex } from '../../core/digest.ts';
import { hasCode } from '../../core/errors.ts';
import { diskError } from '../../files/disk-error.ts';
import type { VerifiedStream } from '../../transfer/verified.ts';
import type { BundlePlan, VolumePlan } from '../format/plan.ts';
import { framed } from './writer.ts';

/** Writes a planned bundle of one volume into a pipe, where nothing can be taken back. */
export class PipeWriter {
  readonly #output: Writable;
  readonly #plan: BundlePlan;
  readonly #volume: VolumePlan;
  readonly #hash = createHash('sha256');
  #nextLayer = 0;
  #failure: unknown;

  private constructor(output: Writable, plan: BundlePlan) {
    this.#output = output;
    this.#plan = plan;
    this.#volume = plan.volumes[0]!;
    output.on('error', () => undefined); // whoever writes is told
  }

  /** Writes everything before the first layer. @throws BundleError DISK */
  static async begin(output: Writable, plan: BundlePlan): Promise<PipeWriter> {
    const writer = new PipeWriter(output, plan);
    await writer.#write(writer.#volume.head);
    return writer;
  }

  /**
   * Appends the next layer of the plan. Content that turns out to be wrong after some of it was
   * written cannot be replaced: every further attempt fails as the first one did.
   */
  async append(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure as Error;
    const layer = this.#plan.layers[this.#nextLayer];
    if (layer?.descriptor.digest !== descriptor.digest)
      throw new RangeError(`${descriptor.digest} is not the next layer of the plan`);
    try {
      for await (const { parts } of framed(layer, content)) await this.#write(parts);
    } catch (error) {
      if (hasCode(error, 'CONTENT_MISMATCH')) this.#failure = error;
      throw error;
    }
    this.#nextLayer += 1;
  }

  /** Ends the stream. @returns the SHA-256 of all of it. @throws BundleError DISK */
  async finish(): Promise<Digest> {
    if (this.#nextLayer !== this.#plan.layers.length)
      throw new RangeError('layers of the plan are missing');
    await this.#write(this.#volume.tail);
    return digestFromHex(this.#hash.digest('hex'));
  }

  /** Returns when the bytes have been taken: their memory is used again. */
  async #write(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) this.#hash.update(part);
    const error = await new Promise<Error | null | undefined>((resolve) => {
      this.#output.cork();
      parts.forEach((part, index) =>
        this.#output.write(part, index === parts.length - 1 ? resolve : undefined),
      );
      this.#output.uncork();
    });
    if (error) throw diskError('write to', 'stdout', error);
  }
}
