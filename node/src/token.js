/** Access tokens, strictly (RFC 9068, RFC 8725): the key's own algorithm, three header members, one spelling. */
import { compactVerify } from 'jose';
import { ALGORITHMS } from './keys.js';
import { keyOf } from './log.js';
import { Refusal } from './refusal.js';

const SEGMENT = /^(?=.)(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
const VERSIONS = /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})$/;

const isText = (value) => typeof value === 'string' && value !== '';
const isInstant = (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 43;
const must = (condition, code) => { if (!condition) throw new Refusal(code); };

/** The header of a compact JWS in the form in which the issuer writes it. Nothing is verified yet but the form. */
export function unverifiedHeader(jwt, typ, algorithms = ALGORITHMS) {
  must(typeof jwt === 'string' && jwt.length <= 8192, 'malformed_token');
  const segments = jwt.split('.', 4);
  must(segments.length === 3 && segments.every((each) => SEGMENT.test(each)), 'malformed_token');
  must(segments[0].length <= 1024, 'malformed_token');
  const text = Buffer.from(segments[0], 'base64url').toString();
  const header = parsedObject(text);
  // Exactly these three: crit, jku, jwk, x5u, x5c, b64, zip ... are refused unread. Spelt again the text must be
  // the same: a member that is there twice would mean different things to different readers.
  must(Object.keys(header).sort().join() === 'alg,kid,typ' && JSON.stringify(header) === text, 'header_not_acceptable');
  must(algorithms.includes(header.alg) && [typ, `application/${typ}`].includes(header.typ), 'header_not_acceptable');
  must(isText(header.kid) && /^[\w-]{43}$/.test(header.kid), 'unknown_key');
  return header;
}

/** The claims of a JWS whose header was looked at, if the key signed it, by its own algorithm. */
export async function signedClaims(jwt, { alg, key }) {
  const { payload } = await compactVerify(jwt, key, { algorithms: [alg] }).catch((cause) => {
    throw new Refusal(cause.code === 'ERR_JOSE_ALG_NOT_ALLOWED' ? 'header_not_acceptable' : 'bad_signature', { cause });
  });
  return parsedObject(Buffer.from(payload).toString());
}

function parsedObject(text) {
  try {
    const value = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch { /* the same answer to both */ }
  throw new Refusal('malformed_token');
}

/** The claims that do not change with time, checked: the token, and what the revocations are asked about it. */
export function readToken(claims, kid, { issuer, audiences }) {
  const { iss, aud, exp, iat, nbf = iat, jti, sub, client_id: clientId, sid = null, scope = '', rv, cnf } = claims;
  const audience = [aud].flat();
  must(iss === issuer, 'wrong_issuer');
  must(audience.length <= 32 && audience.some((each) => audiences.includes(each)), 'wrong_audience');
  must([exp, iat, nbf].every(isInstant) && [jti, sub, clientId, sid ?? '-'].every(isText), 'claim_missing');
  must(isText(rv) && VERSIONS.test(rv) && typeof scope === 'string', 'claim_missing');
  must(cnf === undefined, 'proof_required');
  const scopes = scope.split(' ').filter(Boolean);
  const hasScope = (needed) => [needed].flat().join(' ').split(' ').every((each) => !each || scopes.includes(each));
  const token = { subject: sub, clientId, scopes, sessionId: sid, tokenId: jti, issuer, audience, issuedAt: iat,
    expiresAt: exp, claims, hasScope };
  const key = (kind, value) => keyOf(kind, issuer, value);
  const [s, c, i] = rv.split('.').map(Number);
  const listed = [key('kid', kid), key('jti', jti), ...(sid ? [key('sid', sid)] : [])];
  const versions = [[key('sub', sub), s], [key('cli', clientId), c], [key('iss', ''), i]];
  return { token: deeplyFrozen(token), starts: Math.max(iat, nbf), keys: { listed, versions } };
}

/** For what many requests share. */
function deeplyFrozen(value) {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deeplyFrozen);
  return value;
}

/** `now` in seconds since the epoch. */
export function checkTimes({ token, starts }, now, leeway) {
  must(now < token.expiresAt + leeway, 'expired');
  must(starts <= now + 60, 'not_yet_valid'); // clocks differ, tokens from tomorrow do not exist
}
