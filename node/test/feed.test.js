import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setUp, until, verdict } from './setup.js';

const said = (problems, text) => until(() => problems.some((each) => each.includes(text)), `${text} in ${problems}`);

test('what is revoked on any of the six levels is refused as soon as it is told', async (t) => {
  for (const [code, ...what] of [['revoked_jti', 'jti', 'j-1'], ['revoked_sid', 'sid', 's-1'], ['revoked_sub', 'sub', 'ada', 4],
    ['revoked_cli', 'cli', 'shop', 4], ['revoked_iss', 'iss', '', 4]]) {
    const { issuer, verifier } = await setUp(t);
    const token = await issuer.token();
    await verifier.waitReady();
    await issuer.revoke(what[0], what[1] && 'someone else', 3);
    await until(() => verifier.status().seq === 1);
    assert.equal(await verdict(verifier, token), 'accepted');
    await issuer.revoke(...what);
    await until(async () => (await verdict(verifier, token)) !== 'accepted');
    assert.equal(await verdict(verifier, token), code);
  }
});

test('a revoked key is refused, also for what was remembered and for checkpoints', async (t) => {
  const { issuer, verifier, problems, time } = await setUp(t);
  const old = issuer.signing;
  const token = await issuer.token();
  await verifier.waitReady();
  assert.equal(await verdict(verifier, token), 'accepted');
  issuer.signing = issuer.keys[1];
  await issuer.revoke('kid', old.kid);
  await until(async () => (await verdict(verifier, token)) === 'revoked_kid');
  assert.equal(await verdict(verifier, await issuer.token()), 'accepted');
  issuer.signing = old;
  await said(problems, 'under a revoked key');
  time.ahead += 6000;
  assert.equal(await verdict(verifier, await issuer.token({}, { key: issuer.keys[1] })), 'stale');
});

test('the greater version holds, whatever comes last', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  await issuer.revoke('sub', 'ada', 9);
  await issuer.revoke('sub', 'ada', 2);
  await until(() => verifier.status().seq === 2);
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_sub');
});

for (const [fault, deliver] of [
  ['dropped', (events) => events.filter((each) => !each.includes('rev\n'))],
  ['reordered', (events) => [...events.slice(0, -1).reverse(), events.at(-1)]],
  ['doubled', (events) => events.flatMap((each) => [each, each])],
]) {
  test(`events that are ${fault} are noticed and fetched`, async (t) => {
    const { issuer, verifier } = await setUp(t);
    await verifier.waitReady();
    issuer.deliver = deliver;
    for (const id of ['a', 'b', 's-1']) issuer.append('sid', id);
    await issuer.tell();
    await until(async () => (await verdict(verifier, await issuer.token())) === 'revoked_sid');
    assert.equal(verifier.status().entries, 3);
  });
}

test('a log longer than memory is read from tiles, and its checkpoint reached', async (t) => {
  const { issuer, verifier } = await setUp(t, {}, (each) => {
    each.inMemory = 300;
  });
  for (let i = 0; i < 1000; i++) issuer.append('jti', `x-${i}`);
  issuer.append('jti', 'j-1');
  await until(() => verifier.status().entries === 1001);
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_jti');
  assert.ok(issuer.requests.some((path) => path.endsWith('/tiles/2')));
});

test('behind the floor there is the snapshot', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  Object.assign(issuer, { deliver: () => [], inMemory: 10 });
  for (let i = 0; i < 700; i++) issuer.append('sid', i === 5 ? 's-1' : `x-${i}`);
  await issuer.tell();
  issuer.snapshot();
  issuer.append('jti', 'after it');
  Object.assign(issuer, { floor: 513, deliver: (events) => events });
  await issuer.tell();
  await until(async () => (await verdict(verifier, await issuer.token())) === 'revoked_sid');
  assert.ok(issuer.requests.some((path) => path.endsWith('/snapshots/700')));
  assert.ok(!issuer.requests.some((path) => path.endsWith('/tiles/0')));
  assert.equal(verifier.status().entries, 701);
});

for (const [fault, spoil, options] of [
  ['corrupt', (body) => Buffer.from(body.toString().replace('"v":0', '"v":1'))],
  ['truncated', (body) => body.subarray(0, -40)],
  ['too large', (body) => body, { maxSnapshotBytes: 1000 }],
]) {
  test(`a snapshot that is ${fault} is refused, and the verifier not ready`, async (t) => {
    const { issuer, verifier, problems } = await setUp(t, options, (each) => {
      each.fault = (path, answer) => (path.includes('/snapshots/') ? [200, 'application/x-ndjson', spoil(each.body)] : answer);
    });
    for (let i = 0; i < 300; i++) issuer.append('sid', `x-${i}`);
    issuer.snapshot();
    issuer.floor = 257;
    await said(problems, fault === 'too large' ? 'too much' : 'not the signed one');
    assert.equal(await verdict(verifier, await issuer.token()), 'not_ready');
    issuer.fault = (path, answer) => answer;
    if (!options) assert.ok(await verifier.waitReady());
  });
}

test('a corrupt tile changes nothing', async (t) => {
  const { issuer, verifier, problems } = await setUp(t);
  await verifier.waitReady();
  issuer.inMemory = 10;
  issuer.deliver = () => [];
  for (let i = 0; i < 300; i++) issuer.append('sid', `x-${i}`);
  issuer.fault = (path, answer) => (path.includes('/tiles/') ? [200, 'text/plain', answer[2].replace(/"x":\d+/, '"x":1')] : answer);
  issuer.deliver = (events) => events.slice(-1);
  await said(problems, 'misses the checkpoint');
  assert.equal(verifier.status().entries, 0);
  issuer.fault = (path, answer) => answer;
  await until(() => verifier.status().entries === 300);
});

test('a fork of the log is not followed: the old state stays and grows stale', async (t) => {
  const { issuer, verifier, problems, time } = await setUp(t);
  await verifier.waitReady();
  await issuer.revoke('sid', 's-1');
  await until(() => verifier.status().seq === 1);
  issuer.records = [];
  issuer.append('sid', 'another');
  await said(problems, 'forked');
  issuer.append('sid', 'and on');
  await said(problems, 'misses the checkpoint');
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_sid');
  time.ahead += 6000;
  assert.equal(await verdict(verifier, await issuer.token({ sid: 's-2' })), 'stale');
});

test('an older checkpoint neither changes the state nor makes it fresh', async (t) => {
  const { issuer, verifier, problems, time } = await setUp(t);
  await verifier.waitReady();
  await issuer.revoke('sid', 's-1');
  await until(() => verifier.status().seq === 1);
  issuer.records = [];
  await said(problems, 'older checkpoint');
  time.ahead += 6000;
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_sid');
  assert.equal(await verdict(verifier, await issuer.token({ sid: 's-2' })), 'stale');
});

test('a stream that is played again on another connection makes nothing fresh', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  const old = await issuer.checkpoint();
  issuer.deliver = () => [`event: cp\ndata: ${old}\n\n`];
  await issuer.tell();
  await sleep(100);
  time.ahead += 6000;
  const { connections } = verifier.status();
  for (const { response } of issuer.streams) response.destroy();
  await until(() => verifier.status().connections > connections);
  await sleep(300);
  assert.equal(await verdict(verifier, await issuer.token()), 'stale');
});

for (const [fault, forge] of [
  ['signed by another key', (issuer) => issuer.checkpoint({ ...issuer.keys[2], kid: issuer.signing.kid })],
  ['under an unknown kid', (issuer) => issuer.checkpoint(issuer.keys[2])],
  ['of another type', (issuer) => issuer.checkpoint(issuer.signing, { typ: 'at+jwt' })],
]) {
  test(`a checkpoint ${fault} is ignored`, async (t) => {
    const { issuer, verifier, problems, time } = await setUp(t);
    await verifier.waitReady();
    issuer.append('sid', 's-2');
    const forged = await forge(issuer);
    issuer.records = [];
    issuer.deliver = () => [`event: cp\ndata: ${forged}\n\n`];
    await until(() => problems.length);
    time.ahead += 6000;
    assert.equal(verifier.status().seq, 0);
    assert.equal(await verdict(verifier, await issuer.token()), 'stale');
  });
}

for (const [fault, alter] of [
  ['another issuer', (claims) => ({ ...claims, iss: 'https://else.example' })],
  ['the past', (claims) => ({ ...claims, exp: claims.iat - 1 })],
  ['the future', (claims) => ({ ...claims, at: claims.at + 70_000, iat: Math.floor((claims.at + 70_000) / 1000), exp: claims.exp + 70 })],
]) {
  test(`a checkpoint from ${fault} makes nobody ready`, async (t) => {
    const { verifier, problems } = await setUp(t, {}, (each) => {
      each.alter = alter;
    });
    await until(() => problems.length > 1);
    assert.equal(verifier.ready, false);
  });
}

test('a stream that comes late is seen as old', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  const late = [];
  issuer.deliver = (events) => {
    late.push(events);
    return late.length > 10 ? late.shift() : [];
  };
  await until(() => late.length === 10);
  await sleep(600);
  assert.ok(verifier.status().ageSeconds > 0.8, String(verifier.status().ageSeconds));
});

test('a stream that falls silent is left for another', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  issuer.deliver = () => [];
  const { connections } = verifier.status();
  await until(() => verifier.status().connections > connections, 'another connection', 8);
});

test('after the machine has slept nothing is accepted until there is a new connection', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  time.ahead += 600_000;
  const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) + 3600 });
  assert.equal(await verdict(verifier, token), 'stale');
  await sleep(300);
  assert.equal(await verdict(verifier, token), 'stale', 'what the old connection still says may have been waiting in it');
  await until(async () => (await verdict(verifier, token)) === 'accepted', 'fresh again', 8);
});

test('a stream that was cut is resumed after the last record', async (t) => {
  const { issuer, verifier } = await setUp(t);
  await verifier.waitReady();
  const { gaps } = verifier.status();
  for (const { response } of issuer.streams) response.destroy();
  issuer.append('sid', 's-1');
  await until(async () => (await verdict(verifier, await issuer.token())) === 'revoked_sid');
  assert.equal(verifier.status().gaps, gaps, 'nothing was to be fetched');
});

test('a new log drops what was known but for keys; the log that was left does not come back', async (t) => {
  const { issuer, verifier, problems, time } = await setUp(t);
  await verifier.waitReady();
  issuer.append('kid', issuer.keys[1].kid);
  issuer.append('sid', 's-9');
  await issuer.tell();
  await until(() => verifier.status().seq === 2);
  const { log, records } = issuer;
  issuer.newLog();
  await issuer.revoke('iss', '', 4);
  await until(() => verifier.status().log === issuer.log);
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_iss');
  assert.equal(await verdict(verifier, await issuer.token({ rv: '3.3.4', sid: 's-9' })), 'accepted');
  assert.equal(await verdict(verifier, await issuer.token({ rv: '3.3.4' }, { key: issuer.keys[1] })), 'revoked_kid');
  Object.assign(issuer, { log, records });
  await said(problems, 'was left');
  time.ahead += 6000;
  assert.equal(await verdict(verifier, await issuer.token({ rv: '3.3.4' })), 'stale');
});

test('records are forgotten when they are over in the issuer time, not by a clock that is ahead', async (t) => {
  const { issuer, verifier, time } = await setUp(t);
  await verifier.waitReady();
  await issuer.revoke('sid', 's-1');
  await until(() => verifier.status().seq === 1);
  [time.wall, time.ahead, issuer.clockAhead] = [3_600_000, 3_600_000, 3_600_000];
  await sleep(400);
  [time.wall, time.ahead, issuer.clockAhead] = [0, 0, 0];
  assert.equal(await verdict(verifier, await issuer.token()), 'revoked_sid');
});
