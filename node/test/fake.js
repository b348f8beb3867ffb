/** An issuer for tests: keys, tokens, a feed that can be made to play every fault. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

export const AUDIENCE = 'https://api.example';
const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest();
export async function newKey(alg) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { alg, privateKey, jwk, kid: await calculateJwkThumbprint(jwk) };
}

const keys = await Promise.all(['RS256', 'RS256', 'RS256'].map(newKey));

export const sign = (claims, { kid, alg, privateKey }, header) =>
  new CompactSign(Buffer.from(typeof claims === 'string' ? claims : JSON.stringify(claims)))
    .setProtectedHeader({ alg, kid, ...header }).sign(privateKey);

export class FakeIssuer {
  keys = keys;
  published = keys.slice(0, 2);
  signing = keys[0];
  records = [];
  log = 'a'.repeat(16);
  floor = 1;
  snap = undefined;
  beat = 100;
  clockAhead = 0;
  inMemory = 4096;
  streams = new Set();
  requests = [];
  /** What a test replaces: a function of path and what would be answered, `[status, type, body, headers]`. */
  fault = (path, answer) => answer;
  /** The claims of each checkpoint, and each batch of events, before they go out. */
  alter = (claims) => claims;
  deliver = (events) => events;
  introspect = () => ({ active: true });

  async start() {
    this.server = createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${this.server.address().port}`;
    this.timer = setInterval(() => this.tell(), this.beat);
    return this;
  }

  async stop() {
    clearInterval(this.timer);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  now = () => Date.now() + this.clockAhead;

  token(claims = {}, { key = this.signing, header = {} } = {}) {
    const iat = Math.floor(this.now() / 1000) - 30;
    return sign({ iss: this.issuer, aud: AUDIENCE, sub: 'ada', client_id: 'shop', jti: 'j-1', sid: 's-1', scope: 'read write',
      rv: '3.3.3', iat, exp: iat + 330, ...claims }, key, { typ: 'at+jwt', ...header });
  }

  key = (kind, value) => hash(`${kind}|${this.issuer}|${value}`).toString('base64url', 0, 16);

  chain(until = this.records.length) {
    return this.records.slice(0, until).reduce((sum, line) => hash(sum, line), hash(this.log));
  }

  /** Append, without telling anybody. */
  append(kind, value, version = 0, expires = Math.floor(this.now() / 1000) + 600) {
    const s = this.records.length + 1;
    this.records.push(`{"s":${s},"t":"${kind}","k":"${this.key(kind, value)}","v":${version},"x":${expires}}`);
  }

  /** Append and tell. */
  revoke(...what) {
    this.append(...what);
    return this.tell();
  }

  snapshot() {
    const seq = this.records.length;
    const lines = [JSON.stringify({ log: this.log, seq, h: this.chain().toString('base64url'), entries: seq }), ...this.records];
    this.body = Buffer.from(lines.join('\n') + '\n');
    this.snap = { seq, h: this.chain().toString('base64url'), sha256: hash(this.body).toString('base64url') };
  }

  newLog() {
    Object.assign(this, { log: randomBytes(8).toString('hex'), records: [], snap: undefined, floor: 1 });
  }

  checkpoint(key = this.signing, header = {}) {
    const [at, seq, h] = [this.now(), this.records.length, this.chain().toString('base64url')];
    const iat = Math.floor(at / 1000);
    const claims = { iss: this.issuer, log: this.log, seq, h, at, iat, exp: iat + 60, floor: this.floor, snap: this.snap };
    return sign(this.alter(claims), key, { typ: 'rev-checkpoint+jwt', ...header });
  }

  async tell() {
    const seq = this.records.length;
    const point = await this.checkpoint();
    for (const stream of this.streams) {
      const records = this.records.slice(stream.seq, seq)
        .map((line, index) => `id: ${this.log}.${stream.seq + 1 + index}\nevent: rev\ndata: ${line}\n\n`);
      stream.seq = seq;
      for (const event of this.deliver([...records, `event: cp\ndata: ${point}\n\n`])) stream.response.write(event);
    }
  }

  async #answer(request, response) {
    let form = '';
    for await (const chunk of request) form += chunk;
    const { pathname, searchParams } = new URL(request.url, this.issuer);
    this.requests.push(pathname);
    const made = await this.#page(pathname, searchParams, form, request);
    const [status, type, body, headers] = (await this.fault(pathname, made)) ?? [];
    if (status === undefined) return; // never
    response.writeHead(status, { 'content-type': type, ...headers });
    if (pathname !== '/feed/stream' || status !== 200) return response.end(body);
    const stream = { response, seq: made.seq };
    response.write(body);
    this.streams.add(stream);
    response.on('close', () => this.streams.delete(stream));
    return this.tell();
  }

  async #page(path, query, form, request) {
    const json = (value) => [200, 'application/json', JSON.stringify(value)];
    if (path === '/.well-known/oauth-authorization-server') {
      return json({ issuer: this.issuer, jwks_uri: `${this.issuer}/jwks`, introspection_endpoint: `${this.issuer}/introspect`,
        revocation_feed_endpoint: `${this.issuer}/feed` });
    }
    if (path === '/jwks') return json({ keys: this.published.map(({ jwk, kid, alg }) => ({ kid, use: 'sig', alg, ...jwk })) });
    if (path === '/introspect') {
      this.authorization = request.headers.authorization;
      return json(await this.introspect(new URLSearchParams(form).get('token')));
    }
    if (path === '/feed/stream') return this.#stream(request.headers['last-event-id']);
    if (path === '/feed/tail') {
      const newest = Math.max(0, this.records.length - (this.records.length % 256) - 1);
      const from = Math.max(Number(query.get('after')), Math.min(newest, this.records.length - this.inMemory));
      return [200, 'text/plain', [await this.checkpoint(), ...this.records.slice(from)].join('\n') + '\n'];
    }
    const [, log, what, number] = /^\/feed\/(\w+)\/(tiles|snapshots)\/(\d+)$/.exec(path) ?? [];
    if (log !== this.log) return [404, 'text/plain', ''];
    if (what === 'snapshots') return [200, 'application/x-ndjson', this.body];
    const first = Math.max(1, number * 256);
    const full = (Number(number) + 1) * 256 - 1 <= this.records.length && first >= this.floor - 255;
    return full ? [200, 'application/x-ndjson', this.records.slice(first - 1, number * 256 + 255).join('\n') + '\n'] : [404, 'text/plain', ''];
  }

  #stream(last) {
    const [log, seq] = (last ?? '.').split('.');
    const goesOn = log === this.log && this.records.length - seq <= this.inMemory;
    const reset = `event: reset\ndata: {"log":"${this.log}","seq":${this.records.length}}\n\n`;
    return Object.assign([200, 'text/event-stream', goesOn ? ': \n\n' : reset], { seq: goesOn ? Number(seq) : this.records.length });
  }
}
