/** The issuer's public keys (RFC 7517), each for one algorithm; what is weak, private or ambiguous is left out. */
import { importJWK } from 'jose';

/** In bytes; 0 for what no encoder writes. */
const size = (it, raw = Buffer.from(String(it), 'base64url')) => (raw.toString('base64url') === it ? raw.length : 0);
/** 2048 to 8192 bits, and the exponent that everybody uses. */
const rsa = ({ kty, n, e }) => kty === 'RSA' && size(n) >= 256 && size(n) <= 1024 && e === 'AQAB';
const point = (jwk, ...axes) => axes.every((axis) => size(jwk[axis]) === 32);
const FITS = { RS256: rsa, PS256: rsa, ES256: (jwk) => jwk.kty === 'EC' && jwk.crv === 'P-256' && point(jwk, 'x', 'y'),
  EdDSA: (jwk) => jwk.kty === 'OKP' && jwk.crv === 'Ed25519' && point(jwk, 'x') };

export const ALGORITHMS = Object.keys(FITS);

/** Map of `kid` to `{ alg, key }`. Which of two keys with the same name signed something cannot be said. */
export async function usableKeys(jwks) {
  const single = jwks.filter((jwk) => jwk && jwks.filter((other) => other?.kid === jwk.kid).length === 1);
  return new Map((await Promise.all(single.map(importedKey))).filter(Boolean));
}

/** A key that does not say what it is for is for the first algorithm that it fits. */
async function importedKey({ kid, d, use = 'sig', key_ops: operations = ['verify'], ...jwk }) {
  const alg = ALGORITHMS.find((each) => FITS[each](jwk) && [each, undefined].includes(jwk.alg));
  const mayVerify = use === 'sig' && d === undefined && Array.isArray(operations) && operations.includes('verify');
  if (!alg || !mayVerify || typeof kid !== 'string') return null;
  const key = await importJWK(jwk, alg).catch(() => null); // no point of its curve, say
  return key && [kid, { alg, key }];
}
