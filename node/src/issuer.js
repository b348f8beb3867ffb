/** Requests to the issuer: https or loopback, no redirects, bounded in size and time; its keys, its introspection. */
import { usableKeys } from './keys.js';
import { sha256 } from './log.js';
import { Refusal } from './refusal.js';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const [COOLDOWN, MAX_AGE, KEEP] = [30_000, 600_000, 86_400_000];
const [ASKED_AT_ONCE, PAUSE] = [16, 500];

export class Issuer {
  #credentials;
  #metadata = null;
  #keys = { byKid: new Map(), at: -Infinity, tried: -Infinity, fetching: null };
  #asked = new Map();
  #pausedUntil = -Infinity;

  constructor({ issuer, clientId, clientSecret = '', clock, onProblem }) {
    Object.assign(this, { issuer, clock, onProblem, mayAsk: Boolean(clientId) });
    const form = (text) => new URLSearchParams([['', text]]).toString().slice(1); // RFC 6749 section 2.3.1
    this.#credentials = clientId && { authorization: `Basic ${btoa(`${form(clientId)}:${form(clientSecret)}`)}` };
  }

  /** A response with status 2xx; rejects for any other. */
  async request(url, { headers, ...options }) {
    const [{ protocol, hostname, origin }, own] = [new URL(url), new URL(this.issuer)];
    const safe = protocol === 'https:' || (protocol === own.protocol && LOOPBACK.test(hostname));
    if (!safe) throw new Error(`${url} is neither https nor loopback`);
    // Credentials and tokens are for the issuer alone, wherever its metadata point.
    if (options.method === 'POST' && origin !== own.origin) throw new Error(`${url} is not the issuer's own`);
    const all = { ...(origin === own.origin && this.#credentials), ...headers };
    const response = await fetch(url, { ...options, headers: all, redirect: 'error' });
    if (response.ok) return response;
    await response.body?.cancel();
    const why = this.mayAsk ? 'the issuer refused the credentials' : 'for clients only: give clientId and clientSecret';
    throw new Error(`${url} answered ${response.status}${response.status === 401 ? `: ${why}` : ''}`);
  }

  /** The whole body, as a Buffer. */
  async bytes(url, { limit = 65_536, timeout = 5000, type = /./, ...options } = {}) {
    const response = await this.request(url, { signal: AbortSignal.timeout(timeout), ...options });
    if (!type.test(response.headers.get('content-type'))) throw new Error(`${url} answered with another content type`);
    const chunks = [];
    // Counted as it comes and unpacked: neither a length that lies nor a bomb gets further.
    for await (const chunk of response.body) {
      if ((limit -= chunk.length) < 0) throw new Error(`${url} answered with too much`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  json = async (url, options) =>
    JSON.parse(await this.bytes(url, { ...options, type: /^application\/([\w.-]+\+)?json\b/i }));

  /** The URL that the metadata (RFC 8414) have under this name. */
  async endpoint(name) {
    const metadata = this.#metadata ?? (await this.json(`${this.issuer}/.well-known/oauth-authorization-server`));
    const other = `the metadata names issuer '${metadata.issuer}', this verifier was given '${this.issuer}'`;
    if (metadata.issuer !== this.issuer) throw new Error(other);
    if (!metadata[name]) throw new Error(`no ${name} in the metadata of the issuer`);
    this.#metadata = metadata;
    return metadata[name];
  }

  /** The key, or undefined: of those that were fetched last, without asking anybody. */
  heldKey = (kid) => (this.clock() - this.#keys.at < KEEP ? this.#keys.byKid.get(kid) : undefined);

  /** The key with this id. Strangers can make this ask the issuer once in `cooldown`; only those wait who need it. */
  async key(kid, cooldown = COOLDOWN) {
    const [keys, held, now] = [this.#keys, this.heldKey(kid), this.clock()];
    const pause = keys.byKid.size ? cooldown : 1000;
    if ((!held || now - keys.at > MAX_AGE) && now - keys.tried >= pause) this.refreshKeys();
    if (!held) await keys.fetching;
    const key = held ?? this.heldKey(kid);
    // A key is unknown only to those who looked lately.
    if (!key) throw new Refusal(this.clock() - keys.at <= COOLDOWN + 1000 ? 'unknown_key' : 'keys_unavailable');
    return key;
  }

  /** One fetch at a time; who needs a key sees whether it came. */
  refreshKeys() {
    this.#keys.tried = this.clock();
    this.#keys.fetching ??= this.#fetchKeys().catch(this.onProblem).finally(() => (this.#keys.fetching = null));
  }

  async #fetchKeys() {
    const at = this.clock();
    const { keys } = await this.json(await this.endpoint('jwks_uri'), { limit: 262_144 });
    Object.assign(this.#keys, { byKid: await usableKeys(keys.slice(0, 64)), at });
  }

  /** Whether a token is active (RFC 7662): one question per token at a time, few at once; a 503 if nobody knows. */
  async active(token) {
    const id = sha256(token).toString('base64url');
    if (this.#asked.has(id)) return this.#asked.get(id);
    if (this.clock() < this.#pausedUntil) throw new Refusal('stale');
    if (this.#asked.size >= ASKED_AT_ONCE) throw new Refusal('overloaded');
    const asking = this.#introspect(token).finally(() => this.#asked.delete(id));
    this.#asked.set(id, asking);
    return asking;
  }

  async #introspect(token) {
    try {
      const question = { method: 'POST', body: new URLSearchParams({ token }), timeout: 2000 };
      const { active } = await this.json(await this.endpoint('introspection_endpoint'), question);
      if (typeof active === 'boolean') return active;
      throw new Error('that is no answer');
    } catch (cause) {
      this.#pausedUntil = this.clock() + PAUSE;
      this.onProblem(cause);
      throw new Refusal('stale', { cause });
    }
  }
}
