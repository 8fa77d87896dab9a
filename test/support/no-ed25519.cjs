// A Node whose OpenSSL has no Ed25519, as in FIPS mode. For `node --require`. $NO_ED25519 says how
// that shows: `keys` cannot be read, only their `use` fails, or every signature is `bad`.
const crypto = require('node:crypto');
const { env } = require('node:process');
const { syncBuiltinESMExports } = require('node:module');

const how = env.NO_ED25519;
const unsupported = () =>
  Object.assign(new Error('error:1E08010C:DECODER routines::unsupported'), {
    code: 'ERR_OSSL_UNSUPPORTED',
  });
const genuine = { ...crypto };

const reading = (read) => (input) => {
  const key = read(input);
  if (how === 'keys' && key.asymmetricKeyType === 'ed25519') throw unsupported();
  return key;
};
crypto.createPublicKey = reading(genuine.createPublicKey);
crypto.createPrivateKey = reading(genuine.createPrivateKey);
crypto.generateKeyPairSync = (type, ...more) => {
  if (type === 'ed25519') throw unsupported();
  return genuine.generateKeyPairSync(type, ...more);
};
crypto.verify = (hash, data, key, signature) => {
  if (key.asymmetricKeyType !== 'ed25519') return genuine.verify(hash, data, key, signature);
  if (how === 'bad') return false;
  throw unsupported();
};
crypto.sign = (hash, data, key) => {
  if (key.asymmetricKeyType === 'ed25519') throw unsupported();
  return genuine.sign(hash, data, key);
};
syncBuiltinESMExports();
