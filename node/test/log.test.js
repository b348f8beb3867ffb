import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { Revocations, keyOf, parseRecord, sha256 } from '../src/log.js';

test('keys, chain and records are those of docs/feed.md', () => {
  assert.equal(keyOf('sid', 'https://a.example', 'x').length, 4 + 22);
  const line = '{"s":1,"t":"sid","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1790000000}';
  const state = new Revocations('5c0b7e0f2f6a4d11');
  assert.deepEqual(state.hash, sha256('5c0b7e0f2f6a4d11'));
  assert.deepEqual(state.chain([parseRecord(line)]), sha256(state.hash, line));
  assert.throws(() => state.chain([parseRecord(line.replace('1,', '2,'))]));
});

test('a record is spelt in one way', () => {
  for (const line of ['', '{}', '{"s":1, "t":"sid","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1}',
    '{"t":"sid","s":1,"k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1}', '{"s":1,"t":"abc","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1}',
    '{"s":1,"t":"sid","k":"Hjw2","v":0,"x":1}', '{"s":1,"t":"sid","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":-1,"x":1}']) {
    assert.throws(() => parseRecord(line), line);
  }
});

test('what is over is forgotten, and nothing else', () => {
  const state = new Revocations('5c0b7e0f2f6a4d11');
  state.add({ key: 'sid:a', version: 0, expires: 10 });
  state.add({ key: 'sid:b', version: 0, expires: 11 });
  state.add({ key: 'sid:a', version: 0, expires: 12 });
  state.add({ key: 'sid:a', version: 0, expires: 9 });
  state.forget(12);
  assert.deepEqual([...state.keys()], ['sid:a']);
});

test('the source stays small', () => {
  const folder = new URL('../src/', import.meta.url);
  const lines = readdirSync(folder).flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n'));
  const code = lines.filter((line) => !/^\s*(\/\/.*|\/?\*.*)?$/.test(line));
  assert.ok(code.length < 500, `${code.length} lines`);
  assert.ok(lines.every((line) => line.length <= 120));
});
