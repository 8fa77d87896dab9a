import { readFileSync } from 'node:fs';
import { type Digest, digestFromHex } from '../../src/core/digest.ts';
import {
  type ReleaseKeyFile,
  type ReleaseKeys,
  readReleaseKeys,
} from '../../src/trust/release-keys.ts';

const FOLDER = new URL('../../fixtures/release-signatures/', import.meta.url);

/** A real signature of fixtures/release-signatures, and the digest that its file is named after. */
export interface RealSignature {
  readonly message: Buffer;
  readonly digest: Digest;
}

export const OCP_4_15 = realSignature(
  'ocp-4.15.0-x86_64_sha256-0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363_signature-1',
);
export const OCP_4_16 = realSignature(
  'ocp-4.16.0-x86_64_sha256-3717338045df06e31effea46761b2c7e90f543cc4f00547af8158dd6aea868c3_signature-1',
);
/** Of version 3. */
export const RHEL_7 = realSignature(
  'rhel7_sha256-e3f12513a4b22a2d7c0e7c9207f52128113758d9d68c7d06b11a0ac7672966f7_signature-1',
);
export const CI_4_0 = realSignature(
  'ci-4.0.0-0.ci-2019-04-19-181452_sha256-edd9824f0404f1a139688017e7001370e2f3fbc088b94da84506653b473fe140_signature-1',
);

/** A key file of fixtures/release-signatures/keys. */
export function keyFile(name: string): ReleaseKeyFile {
  return { name, content: readFileSync(new URL(`keys/${name}`, FOLDER)) };
}

/** The keys of one armored text. */
export async function keysOf(armored: string): Promise<ReleaseKeys> {
  return readReleaseKeys([{ name: 'test key', content: Buffer.from(armored) }]);
}

function realSignature(file: string): RealSignature {
  const hex = /_sha256-([0-9a-f]{64})_/.exec(file)![1]!;
  return { message: readFileSync(new URL(file, FOLDER)), digest: digestFromHex(hex) };
}
