/** A signature as a file holds it: base64 on one line and a line feed. */
export function encodeSignatureFile(signature: Uint8Array): Uint8Array {
  return Buffer.from(`${Buffer.from(signature).toString('base64')}\n`);
}

/** The raw signature in such a file; `undefined` for anything that is not its own re-encoding. */
export function decodeSignatureFile(content: Uint8Array): Uint8Array | undefined {
  const raw = Buffer.from(Buffer.from(content).toString('latin1'), 'base64');
  return raw.length > 0 && Buffer.from(encodeSignatureFile(raw)).equals(content) ? raw : undefined;
}
