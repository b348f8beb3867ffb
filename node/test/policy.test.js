import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal, Verifier, acceptUntil } from '../src/index.js';
import { AUDIENCE } from './fake.js';
import { setUp, until, verdict } from './setup.js';

const CREDENTIALS = { clientId: 'api', clientSecret: 'a secret:+' };

/** A verifier whose issuer has said nothing for six seconds. */
async function stale(t, options) {
  const parts = await setUp(t, options);
  await parts.verifier.waitReady();
  parts.token = await parts.issuer.token();
  assert.equal(await verdict(parts.verifier, parts.token), 'accepted');
  parts.issuer.deliver = () => [];
  await sleep(50);
  parts.time.ahead += 6000;
  return parts;
}

test('a stale copy is 503 under deny, and a route may allow more', async (t) => {
  const { verifier, token } = await stale(t);
  assert.equal(await verdict(verifier, token), 'stale');
  assert.equal(await verdict(verifier, token, { maxStaleness: 60 }), 'accepted');
  assert.equal(await verdict(verifier, token, { onStale: acceptUntil(60) }), 'accepted');
  assert.equal(await verdict(verifier, token, { onStale: acceptUntil(5.5) }), 'stale');
  assert.ok(verifier.status().staleDecisions > 0);
});

test('a token that says it was just issued is no fresher than the copy: who stole a key writes any time', async (t) => {
  const { issuer, verifier } = await stale(t);
  const iat = Math.floor(Date.now() / 1000) + 6; // the clocks went on
  assert.equal(await verdict(verifier, await issuer.token({ iat })), 'stale');
});

test('a stale copy asks the issuer, with credentials, once for many', async (t) => {
  const { issuer, verifier, token } = await stale(t, { ...CREDENTIALS, onStale: 'introspect' });
  let asked = 0;
  issuer.introspect = async (text) => {
    asked++;
    await sleep(100);
    return { active: text === token };
  };
  const verdicts = await Promise.all(Array.from({ length: 50 }, () => verdict(verifier, token)));
  assert.ok(verdicts.every((each) => each === 'accepted'));
  assert.equal(asked, 1);
  assert.equal(issuer.authorization, `Basic ${Buffer.from('api:a+secret%3A%2B').toString('base64')}`);
  issuer.introspect = () => ({ active: false });
  assert.equal(await verdict(verifier, token), 'inactive');
});

test('credentials and tokens go to the issuer alone, wherever its metadata point', async (t) => {
  const told = [];
  const elsewhere = createServer((request, response) => {
    told.push([request.method, request.headers.authorization]);
    response.writeHead(404).end();
  });
  await new Promise((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  t.after(() => elsewhere.close() && elsewhere.closeAllConnections());
  const other = `http://127.0.0.1:${elsewhere.address().port}`;
  const named = (issuer) => {
    issuer.fault = (path, answer) => (path.startsWith('/.well-known')
      ? [200, 'application/json', JSON.stringify({ issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks`,
        introspection_endpoint: `${other}/introspect`, revocation_feed_endpoint: `${other}/feed` })]
      : answer);
  };
  const { issuer, verifier } = await setUp(t, { ...CREDENTIALS, onStale: 'introspect' }, named);
  await until(() => told.length);
  assert.equal(await verdict(verifier, await issuer.token()), 'stale');
  assert.ok(told.every(([method, authorization]) => method === 'GET' && authorization === undefined));
});

test('what the issuer does not answer is 503, never 401, and few ask at once', async (t) => {
  const { issuer, verifier } = await stale(t, { ...CREDENTIALS, onStale: 'introspect' });
  const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => issuer.token({ jti: `j${i}` })));
  let asked = 0;
  issuer.introspect = async () => {
    asked++;
    await sleep(200);
    return 'nonsense';
  };
  const verdicts = await Promise.all(tokens.map((each) => verdict(verifier, each)));
  assert.equal(verdicts.filter((each) => each === 'overloaded').length, 4);
  assert.equal(verdicts.filter((each) => each === 'stale').length, 16);
  assert.equal(asked, 16);
  assert.equal(await verdict(verifier, tokens[0]), 'stale', 'and a pause follows');
  assert.equal(asked, 16);
});

test('what is known to be revoked is refused, however old the copy and whatever introspection says', async (t) => {
  const { issuer, verifier, time } = await setUp(t, { ...CREDENTIALS, onStale: 'introspect' });
  await verifier.waitReady();
  await issuer.revoke('sid', 's-1');
  await until(() => verifier.status().seq === 1);
  issuer.deliver = () => [];
  time.ahead += 60_000;
  assert.equal(await verdict(verifier, await issuer.token(), { onStale: acceptUntil(1000) }), 'revoked_sid');
});

test('before the first checkpoint nothing is accepted without asking', async (t) => {
  const quiet = (each) => {
    each.fault = (path, answer) => (path === '/feed/stream' ? [503, 'text/plain', ''] : answer);
  };
  const { issuer, verifier } = await setUp(t, {}, quiet);
  const token = await issuer.token();
  assert.equal(await verdict(verifier, token), 'not_ready');
  assert.equal(await verdict(verifier, token, { onStale: acceptUntil(1e9) }), 'not_ready');
  const asking = await setUp(t, { ...CREDENTIALS, onStale: 'introspect' }, quiet);
  assert.equal(await verdict(asking.verifier, await asking.issuer.token()), 'accepted');
});

test('what cannot be found out is 503, what is known is not', () => {
  const statuses = (codes) => codes.map((code) => new Refusal(code).status);
  assert.deepEqual(statuses(['stale', 'not_ready', 'keys_unavailable', 'overloaded']), [503, 503, 503, 503]);
  assert.deepEqual(statuses(['missing_token', 'revoked_sid', 'inactive', 'unknown_key']), [401, 401, 401, 401]);
  assert.deepEqual(statuses(['malformed_request', 'insufficient_scope']), [400, 403]);
});

test('nonsense is refused when the verifier is made', () => {
  const good = { issuer: 'https://a.example', audience: 'x' };
  for (const bad of [{ audience: undefined }, { audience: [] }, { issuer: '' }, { leeway: 61 }, { maxStaleness: -1 },
    { maxStaleness: NaN }, { onStale: 'accept' }, { onStale: acceptUntil(-1) }]) {
    assert.throws(() => new Verifier({ ...good, ...bad }), TypeError, JSON.stringify(bad));
  }
  assert.throws(() => new Verifier(good).requireToken({ onStale: 'perhaps' }), TypeError);
});

test('nothing is sent over http to another machine', async (t) => {
  const problems = [];
  const verifier = new Verifier({ issuer: 'http://auth.example', audience: 'x', onProblem: (error) => problems.push(error.message) });
  t.after(() => verifier.close());
  verifier.start();
  await until(() => problems.length);
  assert.match(problems[0], /neither https nor loopback/);
});

async function answering(t, handler) {
  const server = createServer((request, response) =>
    handler(request, response, (error) => response.writeHead(error ? 500 : 200).end(request.token?.subject)));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (headers) => fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
}

test('the middleware answers 401, 403, 400 and 503 as RFC 6750 and 9728 want it', async (t) => {
  const { issuer, verifier, time } = await setUp(t, { realm: 'api', resourceMetadata: 'https://api.example/.well-known/x' });
  await verifier.waitReady();
  const get = await answering(t, verifier.requireToken({ scope: ['read', 'pay'] }));
  const bearer = async (claims) => ({ authorization: `bearer ${await issuer.token(claims)}` });
  const where = 'resource_metadata="https://api.example/.well-known/x"';
  const rest = `scope="read pay", ${where}`;
  const malformed = 'The request does not carry one bearer token in the Authorization header.';
  const answers = [
    [{}, 401, `Bearer realm="api", ${rest}`],
    [{ authorization: 'Basic YTpi' }, 401, `Bearer realm="api", ${rest}`],
    [{ authorization: 'Bearer' }, 400, `Bearer realm="api", error="invalid_request", error_description="${malformed}", ${where}`],
    [{ authorization: 'Bearer a b' }, 400, `Bearer realm="api", error="invalid_request", error_description="${malformed}", ${where}`],
    [await bearer({ exp: 1 }), 401, `Bearer realm="api", error="invalid_token", error_description="The token has expired.", ${where}`],
    // Whoever needs DPoP or certificates: bound tokens are let in by no scheme, and nobody is asked for a proof.
    [await bearer({ cnf: { jkt: 'A'.repeat(43) } }), 401, `Bearer realm="api", error="invalid_token", error_description="The token is bound to a key and cannot be used as a bearer token.", ${where}`],
    [{ authorization: `DPoP ${await issuer.token({ cnf: { jkt: 'A'.repeat(43) } })}`, dpop: 'x.y.z' }, 401, `Bearer realm="api", ${rest}`],
    [{ authorization: `DPoP ${await issuer.token()}` }, 401, `Bearer realm="api", ${rest}`],
    [await bearer(), 403, `Bearer realm="api", error="insufficient_scope", error_description="The token lacks a scope that is needed here.", ${rest}`],
  ];
  for (const [headers, status, challenge] of answers) {
    const response = await get(headers);
    assert.deepEqual([response.status, response.headers.get('www-authenticate')], [status, challenge]);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.ok((await response.json()).error);
  }
  const paying = await get(await bearer({ scope: 'pay read' }));
  assert.deepEqual([paying.status, await paying.text()], [200, 'ada']);
  issuer.deliver = () => [];
  await sleep(50);
  time.ahead += 6000;
  const undecided = await get(await bearer({ scope: 'pay read' }));
  assert.deepEqual([undecided.status, undecided.headers.get('retry-after')], [503, '1']);
  assert.equal(undecided.headers.get('www-authenticate'), null);
});

test('close() ends everything', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  await verifier.close();
  await until(() => issuer.streams.size === 0);
});

test('without onProblem each problem is warned of once, and the status has the last', async (t) => {
  const warned = [];
  t.mock.method(console, 'warn', (text) => warned.push(text));
  const { issuer, verifier } = await setUp(t, { onProblem: undefined }, (each) => {
    const other = [200, 'application/json', '{"issuer":"http://other"}'];
    each.fault = (path, answer) => (path.startsWith('/.well-known/oauth') ? other : answer);
  });
  await until(() => verifier.status().problems > 1);
  const text = `the metadata names issuer 'http://other', this verifier was given '${issuer.issuer}'`;
  assert.deepEqual(warned, [`authserver-verifier: ${text}`]);
  assert.equal(verifier.status().problem.text, text);
  assert.ok(verifier.status().problem.secondsAgo < 5);
  issuer.fault = (path, answer) => answer;
  await until(() => verifier.ready);
  assert.equal(verifier.status().problem, null);
});

test('a feed for clients only says so', async (t) => {
  const { verifier } = await setUp(t, {}, (each) => {
    each.fault = (path, answer) => (path.endsWith('/stream') ? [401, 'application/json', '{}'] : answer);
  });
  await until(() => verifier.status().problem?.text.endsWith('answered 401: for clients only: give clientId and clientSecret'));
});
