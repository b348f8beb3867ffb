/** Validates access tokens of one issuer for one resource server, and follows what is revoked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Feed, textOf } from './feed.js';
import { Issuer } from './issuer.js';
import { keyOf, sha256 } from './log.js';
import { Refusal } from './refusal.js';
import { checkTimes, readToken, signedClaims, unverifiedHeader } from './token.js';

export { Refusal };

/** Go on accepting while the copy is no older than so many seconds; then 503. */
export const acceptUntil = (seconds) => ({ acceptUntil: seconds });

const steady = () => performance.now();
const sleeping = { ahead: Date.now() - steady(), slept: 0 };
/** Milliseconds that cannot be set and go on while the machine sleeps: a wall clock that jumps ahead tells of that. */
function awake() {
  const ahead = Date.now() - steady();
  if (ahead - sleeping.ahead > 1000) sleeping.slept += ahead - sleeping.ahead;
  sleeping.ahead = ahead;
  return steady() + sleeping.slept;
}

export class Verifier {
  #options;
  #issuer;
  #feed;
  #running = null;
  #held = new Map();
  #staleDecisions = 0;

  constructor({ issuer, audience, maxStaleness = 5, onStale = 'introspect', clientId, clientSecret, leeway = 5,
    realm, resourceMetadata, cachedTokens = 4096, maxSnapshotBytes = 2 ** 27, onProblem = warnOnce(),
    wall = Date.now, clock = awake }) {
    const audiences = [audience].flat();
    const named = audiences.length && [issuer, ...audiences].every((each) => typeof each === 'string' && each);
    if (!named || !(leeway >= 0 && leeway <= 60)) throw new TypeError('issuer, audience or leeway cannot be');
    const policy = checked({ maxStaleness, onStale });
    this.#options = { issuer, audiences, leeway, realm, resourceMetadata, cachedTokens, wall, clock, policy };
    this.#issuer = new Issuer({ issuer, clientId, clientSecret, clock, onProblem: (it) => this.#feed.report(it) });
    this.#feed = new Feed({ issuer: this.#issuer, clock, wall, onProblem, maxSnapshotBytes });
  }

  /** Begin to follow the feed; this verifier. */
  start() {
    this.#running ??= this.#feed.run();
    return this;
  }

  close = async () => { this.#feed.close(); await this.#running; };

  get ready() { return this.#feed.age() < Infinity; }

  /** True as soon as there is a copy of the revocations, false if there is none in time. */
  async waitReady(milliseconds = 10_000) {
    for (const end = steady() + milliseconds; !this.ready && steady() < end; ) await sleep(10);
    return this.ready;
  }

  status() {
    const { log = null, seq = null, size: entries = 0 } = this.#feed.revocations ?? {};
    const own = { ready: this.ready, ageSeconds: this.#feed.age() / 1000, staleDecisions: this.#staleDecisions };
    const { problem: last, counters } = this.#feed;
    const problem = last && { text: last.text, secondsAgo: (this.#options.clock() - last.at) / 1000 };
    return { ...own, log, seq, entries, ...counters, problem };
  }

  /** The verified token; rejects with a Refusal. */
  async verify(text, { scope, ...policy } = {}) {
    const { maxStaleness, onStale } = checked({ ...this.#options.policy, ...policy });
    const held = await this.#authentic(text);
    const [age, wall] = [this.#feed.age() / 1000, this.#options.wall() / 1000];
    // Records end by the issuer's time, so tokens do, too: a clock that is behind must not let one outlive its record.
    checkTimes(held, this.ready ? this.#feed.issuerNow() / 1000 : wall, this.#options.leeway);
    this.#refuseRevoked(held);
    const isOver = wall >= held.token.expiresAt + this.#options.leeway;
    if (!(age <= maxStaleness)) await this.#decideStale(text, isOver ? Infinity : age, onStale);
    this.#refuseRevoked(held); // which may have come while the issuer was asked
    if (scope && !held.token.hasScope(scope)) throw new Refusal('insufficient_scope');
    return held.token;
  }

  #refuseRevoked({ keys }) {
    const kind = this.#feed.revocations?.refusal(keys);
    if (kind) throw new Refusal(`revoked_${kind}`);
  }

  /** What does not change about a token; what does is never cached. */
  async #authentic(text) {
    const id = typeof text === 'string' && sha256(text).toString('base64url');
    const held = this.#held.get(id);
    if (held && held.key === this.#issuer.heldKey(held.kid)) return held;
    const { issuer, cachedTokens } = this.#options;
    const { kid } = unverifiedHeader(text, 'at+jwt');
    if (this.#feed.revocations?.has(keyOf('kid', issuer, kid))) throw new Refusal('revoked_kid');
    const key = await this.#issuer.key(kid);
    const found = { kid, key, ...readToken(await signedClaims(text, key), kid, this.#options) };
    if (this.#held.size >= cachedTokens) this.#held.delete(this.#held.keys().next().value);
    this.#held.set(id, found);
    return found;
  }

  async #decideStale(text, age, policy) {
    this.#staleDecisions++;
    if (age <= policy.acceptUntil) return;
    if (policy !== 'introspect' || !this.#issuer.mayAsk) throw new Refusal(this.ready ? 'stale' : 'not_ready');
    if (!(await this.#issuer.active(text))) throw new Refusal('inactive');
  }

  /** Middleware for Express and its kin: sets `request.token`, or answers why not. */
  requireToken({ scope, ...policy } = {}) {
    checked({ ...this.#options.policy, ...policy });
    return async (request, response, next) => {
      try {
        request.token = await this.verify(bearerOf(request), { scope, ...policy });
      } catch (error) {
        return error instanceof Refusal ? this.#refuse(response, error, scope) : next(error);
      }
      return next();
    };
  }

  #refuse(response, refusal, scope) {
    const { status, error, message, retryAfter } = refusal;
    const helps = !error || error === 'insufficient_scope'; // a token with this scope would be let in
    const challenge = refusal.wwwAuthenticate({ ...this.#options, scope: helps ? scope : undefined });
    if (challenge) response.setHeader('WWW-Authenticate', challenge);
    if (retryAfter) response.setHeader('Retry-After', String(retryAfter));
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    const named = error ?? (retryAfter ? 'temporarily_unavailable' : 'unauthorized');
    response.end(JSON.stringify({ error: named, error_description: message }));
  }
}

/** Where nobody listens: each problem once. */
const warnOnce = (said = new Set()) => (error) => {
  const [text, before] = [textOf(error), said.size];
  if (before < 100 && said.add(text).size > before) console.warn(`authserver-verifier: ${text}`);
};

function checked({ maxStaleness, onStale }) {
  const known = onStale === 'introspect' || onStale === 'deny' || onStale?.acceptUntil >= 0;
  if (known && maxStaleness >= 0 && maxStaleness < Infinity) return { maxStaleness, onStale };
  throw new TypeError("maxStaleness is in seconds, onStale is 'introspect', 'deny' or acceptUntil(seconds)");
}

/** The token of the one Authorization header (RFC 6750 section 2.1); nowhere else is looked. */
function bearerOf({ headersDistinct: { authorization = [] } }) {
  const [scheme, token, ...more] = (authorization[0] ?? '').split(/ +/);
  if (scheme.toLowerCase() !== 'bearer') throw new Refusal('missing_token');
  if (authorization.length > 1 || !token || more.length) throw new Refusal('malformed_request');
  return token;
}
