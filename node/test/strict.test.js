import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { setUp, until, verdict } from './setup.js';
import { AUDIENCE, sign } from './fake.js';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const second = () => Math.floor(Date.now() / 1000);
const spell = (token, header) => [b64(header), ...token.split('.').slice(1)].join('.');

test('a good token is accepted and says whose it is', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  const token = await verifier.verify(await issuer.token(), { scope: 'read' });
  assert.equal(token.subject, 'ada');
  assert.deepEqual([token.clientId, token.sessionId, token.tokenId, token.audience], ['shop', 's-1', 'j-1', [AUDIENCE]]);
  assert.ok(token.hasScope('read write') && !token.hasScope(['read', 'admin']));
  assert.throws(() => { token.claims.sub = 'eve'; }, TypeError);
});

test('whatever is not exactly an access token of this issuer for this audience is refused', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  const { kid } = issuer.signing;
  const good = await issuer.token();
  const [head, body, signature] = good.split('.');
  const confused = `${b64({ alg: 'HS256', typ: 'at+jwt', kid })}.${body}`;
  const n = issuer.signing.jwk.n;
  const last = (c) => String.fromCharCode(c.charCodeAt(0) + 1);
  const cases = {
    malformed_token: ['', 'a.b', `${good}.x`, `${good}=`, ` ${good}`, good.replace('.', '..'), 'x'.repeat(9000), null, 7, {},
      `${head}.${body}.${signature.slice(0, -1)}${last(signature.at(-1))}`, JSON.stringify({ payload: body, signatures: [] }),
      `${b64('[]')}.${body}.${signature}`, `${b64('null')}.${body}.${signature}`, await sign('7', issuer.signing, { typ: 'at+jwt' })],
    header_not_acceptable: [
      ...['none', 'None', 'HS256', 'PS256', 'RS512'].map((alg) => spell(good, { alg, typ: 'at+jwt', kid })),
      `${confused}.${createHmac('sha256', Buffer.from(n, 'base64url')).update(confused).digest('base64url')}`,
      ...['JWT', 'rev-checkpoint+jwt', 'logout+jwt', 'AT+JWT', undefined].map((typ) => spell(good, { alg: 'RS256', typ, kid })),
      ...['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'zip'].map((name) => spell(good, { alg: 'RS256', typ: 'at+jwt', kid, [name]: 'x' })),
      spell(good, `{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"${kid}"}`), spell(good, { alg: 'RS256', typ: 'at+jwt' })],
    unknown_key: ['../../dev/null', "' or 1=1", 'x'.repeat(43), 'x\0', 7, ''].map((id) => spell(good, { alg: 'RS256', typ: 'at+jwt', kid: id })),
    bad_signature: [`${head}.${b64({ sub: 'eve' })}.${signature}`, await issuer.token({}, { key: { ...issuer.keys[2], kid } })],
    wrong_issuer: await tokens({ iss: undefined }, { iss: `${issuer.issuer}.evil` }, { iss: [issuer.issuer] }),
    wrong_audience: await tokens({ aud: undefined }, { aud: 'https://api.example.evil' }, { aud: [] }, { aud: 'https://api' },
      { aud: [...Array(40).fill('x'), AUDIENCE] }, { aud: { [AUDIENCE]: 1 } }),
    expired: await tokens({ exp: second() - 6 }, { exp: 0 }),
    not_yet_valid: await tokens({ iat: second() + 70 }, { nbf: second() + 70 }),
    claim_missing: await tokens({ exp: undefined }, { exp: '9999999999' }, { iat: 1.5 }, { sub: '' }, { jti: 7 }, { client_id: undefined },
      { rv: undefined }, { rv: '1.2' }, { rv: '01.2.3' }, { rv: '1.2.-3' }, { rv: [1] }, { sid: 5 }, { scope: ['read'] }),
    proof_required: await tokens({ cnf: { jkt: 'x' } }),
  };
  function tokens(...claims) {
    return Promise.all(claims.map((each) => issuer.token(each)));
  }
  for (const [code, all] of Object.entries(cases)) {
    for (const token of all) assert.equal(await verdict(verifier, token), code, String(token).slice(0, 150));
  }
  assert.equal(await verdict(verifier, good), 'accepted');
  assert.equal(await verdict(verifier, await issuer.token({ exp: second() - 3 })), 'accepted', 'within the leeway');
  assert.equal(await verdict(verifier, await issuer.token({ aud: ['other', AUDIENCE] })), 'accepted');
  assert.equal(await verdict(verifier, await issuer.token({}, { header: { typ: 'application/at+jwt' } })), 'accepted');
  assert.ok(issuer.requests.every((path) => path !== '/evil'));
});

test('a remembered signature does not outlive the token', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  const token = await issuer.token();
  assert.equal(await verdict(verifier, token), 'accepted');
  time.ahead += 306_000;
  assert.equal(await verdict(verifier, token), 'expired');
});

test('a clock of ours that is behind lets no token outlive its record: tokens end by the issuer’s time', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  time.wall = -55_000;
  const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) - 20 });
  assert.equal(await verdict(verifier, token), 'expired');
});

test('strangers with unknown keys make the keys be fetched once in a while, and known keys still verify', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  const fetches = () => issuer.requests.filter((path) => path === '/jwks').length;
  const before = fetches();
  time.ahead += 31_000;
  const unknown = spell(await issuer.token(), { alg: 'RS256', typ: 'at+jwt', kid: 'y'.repeat(43) });
  const answers = await Promise.all(Array.from({ length: 200 }, () => verdict(verifier, unknown)));
  assert.ok(answers.every((code) => code === 'unknown_key'));
  for (let i = 0; i < 20; i++) await verdict(verifier, unknown);
  assert.equal(fetches(), before + 1);
  await until(() => verdict(verifier, issuer.token()).then(() => true));
});

test('a new key is fetched when it signs; a key that nobody could have looked up is 503, not 401', async (t) => {
  const { issuer, verifier, time } = await setUp(t, { maxStaleness: 1000 });
  await verifier.waitReady();
  time.ahead += 31_000;
  issuer.fault = (path, answer) => (path === '/jwks' ? [500, 'text/plain', ''] : answer);
  const fresh = await issuer.token({}, { key: issuer.keys[2] });
  assert.equal(await verdict(verifier, fresh), 'keys_unavailable');
  issuer.fault = (path, answer) => answer;
  issuer.published.push(issuer.keys[2]);
  time.ahead += 31_000;
  await until(async () => (await verdict(verifier, fresh)) === 'accepted');
});

test('keys that are weak, redirected to, too many bytes or no JSON are not taken', async (t) => {
  const evil = { kid: 'z'.repeat(43), kty: 'RSA', use: 'sig', alg: 'RS256' };
  const { n } = (await import('./fake.js').then(({ FakeIssuer }) => new FakeIssuer())).signing.jwk;
  const jwks = (key) => [200, 'application/json', JSON.stringify({ keys: [key] })];
  for (const answer of [
    jwks({ ...evil, n, e: 'AQ' }), jwks({ ...evil, n: n.slice(0, 170), e: 'AQAB' }), jwks({ ...evil, kty: 'oct', k: 'AA' }),
    [302, 'text/plain', '', { location: '/evil' }], null, [200, 'application/json', ' '.repeat(300_000) + '{}'],
  ]) {
    const { issuer, verifier, problems } = await setUp(t, {}, (each) => {
      each.fault = (path, made) => (path === '/jwks' ? (answer ?? [200, 'text/html', made[2]]) : made);
    });
    await until(() => problems.length);
    const token = spell(await issuer.token(), { alg: 'RS256', typ: 'at+jwt', kid: evil.kid });
    assert.ok(['unknown_key', 'keys_unavailable'].includes(await verdict(verifier, token)));
    assert.equal(verifier.ready, false);
    assert.ok(!issuer.requests.includes('/evil'));
  }
});
