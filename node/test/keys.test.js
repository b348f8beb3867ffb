import assert from 'node:assert/strict';
import test from 'node:test';
import { generateKeyPair, exportJWK } from 'jose';
import { setUp, verdict } from './setup.js';
import { newKey } from './fake.js';
import { usableKeys } from '../src/keys.js';

const ALL = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const keys = Object.fromEntries(await Promise.all(ALL.map(async (alg) => [alg, await newKey(alg)])));
const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const respelled = (token, header) => [b64(header), ...token.split('.').slice(1)].join('.');
const published = (alg, changes = {}) => ({ kid: 'k', use: 'sig', alg, ...keys[alg].jwk, ...changes });
const usable = async (...jwks) => Object.fromEntries([...(await usableKeys(jwks))].map(([kid, { alg }]) => [kid, alg]));

test('tokens by each algorithm are accepted, and a checkpoint is by RS256', async (t) => {
  const { issuer, verifier } = await setUp(t, {}, (each) => { each.published = [...each.published, ...Object.values(keys)]; });
  await verifier.waitReady();
  for (const alg of ALL) {
    const token = await issuer.token({}, { key: keys[alg] });
    assert.equal(await verdict(verifier, token), 'accepted', alg);
    assert.equal(await verdict(verifier, `${token.slice(0, -8)}AAAAAAAA`), 'bad_signature', alg);
  }
});

test('the key decides the algorithm and not the header', async (t) => {
  const { issuer, verifier } = await setUp(t, {}, (each) => { each.published = [...each.published, ...Object.values(keys)]; });
  await verifier.waitReady();
  for (const alg of ALL) {
    const token = await issuer.token({}, { key: keys[alg] });
    for (const said of [...ALL, 'HS256', 'none', 'ES384', 'RS512', ['RS256'], null]) {
      if (said === alg) continue;
      const confused = respelled(token, { alg: said, kid: keys[alg].kid, typ: 'at+jwt' });
      assert.equal(await verdict(verifier, confused), 'header_not_acceptable', `${alg} as ${said}`);
    }
  }
});

test('a key is taken for what it says, and strictly', async () => {
  for (const alg of ALL) assert.deepEqual(await usable(published(alg)), { k: alg });
  const unsaid = { RS256: 'RS256', PS256: 'RS256', ES256: 'ES256', EdDSA: 'EdDSA' };
  for (const alg of ALL) assert.deepEqual(await usable(published(alg, { alg: undefined, use: undefined })), { k: unsaid[alg] });
  const { publicKey } = await generateKeyPair('ES384', { extractable: true });
  const refused = [
    published('ES256', { alg: 'EdDSA' }), published('ES256', { alg: 'ES384' }), published('ES256', { alg: 'RS256' }),
    published('ES256', { alg: null }), published('ES256', { crv: 'P-384' }), published('ES256', { kty: 'OKP' }),
    published('ES256', { y: undefined }), published('ES256', { x: 'AAAA' }), published('ES256', { x: 7 }),
    published('ES256', { x: 'A'.repeat(43), y: 'A'.repeat(43) }), published('ES256', { d: 'AAAA' }),
    published('ES256', { use: 'enc' }), published('ES256', { key_ops: ['sign'] }), published('ES256', { key_ops: 'verify' }),
    published('EdDSA', { crv: 'Ed448' }), published('EdDSA', { crv: 'X25519' }), published('EdDSA', { alg: 'ES256' }),
    published('EdDSA', { x: `${keys.EdDSA.jwk.x}=` }), published('EdDSA', { kty: 'EC' }), published('PS256', { e: 'Aw' }),
    published('PS256', { n: keys.PS256.jwk.n.slice(0, 170) }), published('RS256', { alg: 'HS256', k: 'AAAA' }),
    { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES384' }, { kid: 'k', kty: 'oct', k: 'AAAA' }, { kid: 7 }, null,
  ];
  for (const jwk of refused) assert.deepEqual(await usable(jwk), {}, JSON.stringify(jwk));
  assert.deepEqual(await usable(published('RS256'), published('ES256')), {}, 'two of one name are none');
  assert.deepEqual(await usable(published('RS256'), published('ES256', { kid: 'other' })), { k: 'RS256', other: 'ES256' });
});
