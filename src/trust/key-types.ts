/** Kinds of bundle keys, as `keygen --type` calls them. */
export const KEY_TYPES = ['ecdsa-p256', 'ecdsa-p384', 'rsa-3072', 'rsa-4096', 'ed25519'] as const;
export type KeyType = (typeof KEY_TYPES)[number];
