/** Follows the feed of revocations: checks what it says, fetches what is missing, knows how old the copy is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Revocations, keyOf, parseRecord, sha256 } from './log.js';
import { signedClaims, unverifiedHeader } from './token.js';

const [TILE, FAR] = [256, 4096]; // who is further behind takes a snapshot instead of so many tiles
const [SILENCE, PURGE, PENDING] = [4000, 60_000, 100_000];

const encoded = (hash) => hash.toString('base64url');
const linesOf = (body) => body.toString().split('\n').filter(Boolean);
const must = (condition, message) => { if (!condition) throw new Error(message); };

export class Feed {
  revocations = null;
  problem = null; // {text, at}: the last one, until a checkpoint counts
  counters = { connections: 0, gaps: 0, problems: 0 };
  #closed = new AbortController();
  #fresh = { time: -Infinity, at: -Infinity }; // by our clock and by the issuer's: the copy was complete then
  #left = new Set();
  #pending = [];
  #purged = { until: Infinity, on: 0, ran: -Infinity };

  /** `{issuer, clock, wall, onProblem, maxSnapshotBytes}`; of the clocks (milliseconds) only `wall` can be set. */
  constructor(parts) { Object.assign(this, parts); }

  /** Milliseconds since the copy was complete; Infinity before it ever was. */
  age = () => this.clock() - this.#fresh.time;

  /** The issuer's time in milliseconds, carried on by our clock. */
  issuerNow = () => this.#fresh.at + this.age();

  close = () => this.#closed.abort();

  async run() {
    const { signal } = this.#closed;
    for (let failures = 0; !signal.aborted; failures++) {
      const before = this.#fresh.at;
      await this.#follow(signal).catch((error) => signal.aborted || this.report(error));
      if (this.#fresh.at > before) failures = 0;
      const pause = Math.random() * Math.min(4000, 250 * 2 ** failures); // not everybody at once after a restart
      await sleep(pause, null, { signal }).catch(() => {});
    }
  }

  /** Whatever goes wrong between issuer and verifier. */
  report = (error) => {
    this.counters.problems++;
    this.problem = { text: textOf(error), at: this.clock() };
    this.onProblem(error);
  };

  async #follow(closed) {
    const base = await this.issuer.endpoint('revocation_feed_endpoint');
    const silent = new AbortController();
    const silence = setTimeout(() => silent.abort(new Error('the stream was silent')), SILENCE);
    try {
      const { log, seq } = this.revocations ?? {};
      const headers = { accept: 'text/event-stream', ...(log && { 'last-event-id': `${log}.${seq}` }) };
      const timing = { started: this.clock(), first: null };
      const signal = AbortSignal.any([closed, silent.signal]);
      const { body } = await this.issuer.request(`${base}/stream`, { headers, signal });
      [this.#pending, this.counters.connections] = [[], this.counters.connections + 1];
      for await (const { event, data } of eventsOf(body)) {
        if (event === 'rev') this.#take(parseRecord(data));
        if (event === 'cp') await this.#reach(await this.#checkpoint(data), timing, base);
        if (this.age() < SILENCE) silence.refresh(); // one that is always late is left, too
      }
    } finally {
      clearTimeout(silence);
      silent.abort();
    }
  }

  /** Records wait for the checkpoint that covers them. */
  #take(record) {
    must(this.#pending.length < PENDING, 'no checkpoint covers the records');
    if (record.s > (this.revocations?.seq ?? 0)) this.#pending.push(record);
  }

  /** Bring the copy to a checkpoint. */
  async #reach(point, timing, base) {
    timing.first ??= point.at;
    const [state, records] = [this.revocations, this.#pending.splice(0)];
    must(!this.#left.has(point.log), 'a log that was left came back');
    if (state?.log !== point.log) await this.#catchUp(point, base);
    else if (point.seq < state.seq) this.report(new Error('an older checkpoint came'));
    else if (point.seq === state.seq) must(point.h === encoded(state.hash), 'the log has forked');
    else if (records[point.seq - state.seq - 1]?.s !== point.seq) await this.#catchUp(point, base);
    else this.#apply(state, records, point);
    this.#count(point, timing);
  }

  /** Extend a state by records whose chain must reach the checkpoint; until then nothing is changed. */
  #apply(state, records, point) {
    const hash = state.chain(records);
    must(state.seq + records.length === point.seq && encoded(hash) === point.h, 'the chain misses the checkpoint');
    records.forEach((record) => state.add(record));
    Object.assign(state, { seq: point.seq, hash });
    const old = this.revocations;
    if (old && old.log !== state.log) {
      old.forEach((held, key) => key.startsWith('kid:') && state.add({ key, ...held })); // no log takes these back
      this.#left.add(old.log);
    }
    this.revocations = state;
    if (records.some(({ key }) => key.startsWith('kid:'))) this.issuer.refreshKeys(); // another one signs now
  }

  /** Fetch what is missing: the newest records, tiles before them, a snapshot if those are gone or too many. */
  async #catchUp(seen, base) {
    this.counters.gaps++;
    const after = Math.max(0, Math.floor(seen.seq / TILE) * TILE - 1);
    const tail = await this.issuer.bytes(`${base}/tail?after=${after}&wait=0`, { limit: 2 ** 20 });
    const [first, ...newest] = linesOf(tail);
    const point = await this.#checkpoint(first);
    must(point.log === seen.log && point.seq >= seen.seq, 'the tail is behind the stream');
    const state = this.revocations?.log === point.log ? this.revocations : null;
    must(state || point.at > this.#fresh.at, 'an older log came');
    const near = state && state.seq + 1 >= point.floor && (point.seq - state.seq <= FAR || !point.snap);
    const from = near ? state : await this.#begin(point, base);
    const records = [];
    const due = () => from.seq + 1 + records.length;
    const take = (lines) => lines.map(parseRecord).forEach((record) => record.s === due() && records.push(record));
    while (due() <= after) {
      const before = due();
      take(linesOf(await this.issuer.bytes(`${base}/${point.log}/tiles/${Math.floor(before / TILE)}`)));
      must(due() > before, 'a tile lacks what belongs there');
    }
    take(newest);
    this.#apply(from, records, point);
  }

  /** The state of the snapshot, or of the beginning. */
  async #begin({ log, snap, floor }, base) {
    must(snap || floor <= 1, 'neither records nor a snapshot');
    if (!snap) return new Revocations(log);
    const bounds = { limit: this.maxSnapshotBytes, timeout: 60_000 };
    const body = await this.issuer.bytes(`${base}/${log}/snapshots/${snap.seq}`, bounds);
    must(encoded(sha256(body)) === snap.sha256, 'the snapshot is not the signed one');
    const [head, ...lines] = linesOf(body);
    const { log: its, seq, h, entries } = JSON.parse(head);
    must(its === log && seq === snap.seq && h === snap.h && entries === lines.length, 'a snapshot of something else');
    const state = new Revocations(log, seq, Buffer.from(h, 'base64url'));
    for (const [index, line] of lines.entries()) {
      state.add(parseRecord(line));
      if (index % 10_000 === 9999) await sleep(0); // requests want to be answered meanwhile
    }
    return state;
  }

  /** The claims of a genuine checkpoint that is not over. */
  async #checkpoint(jwt) {
    const { issuer } = this.issuer;
    const { kid } = unverifiedHeader(jwt, 'rev-checkpoint+jwt', ['RS256']);
    must(!this.revocations?.has(keyOf('kid', issuer, kid)), 'a checkpoint under a revoked key');
    const claims = await signedClaims(jwt, await this.issuer.key(kid, 1000));
    const { iss, log, seq, h, at, exp, iat, floor } = claims;
    must(iss === issuer && /^[0-9a-f]{16}$/.test(log) && /^[\w-]{43}$/.test(h), 'not a checkpoint of this issuer');
    must([seq, exp, floor].every(Number.isSafeInteger) && iat === Math.floor(at / 1000), 'not a checkpoint');
    const now = this.wall() / 1000;
    must(now < exp && iat <= now + 60, 'a checkpoint of another time: are the clocks right?');
    return claims;
  }

  /** A checkpoint that came late counts from when it was due; one that was there before does not count again. */
  #count({ log, seq, at }, { started, first }) {
    const [state, now] = [this.revocations, performance.now()];
    if (log !== state.log || seq !== state.seq || at <= this.#fresh.at) return;
    const time = Math.min(this.clock(), started + at - first);
    if (time >= this.#fresh.time) [this.#fresh, this.problem] = [{ time, at }, null];
    // Records end by the issuer's time, as far as that runs no faster than a clock that nobody can set.
    this.#purged.until = Math.min(at, this.#purged.until + now - this.#purged.on);
    this.#purged.on = now;
    if (at - this.#purged.ran >= PURGE) {
      this.#purged.ran = at;
      state.forget(this.#purged.until / 1000);
    }
  }
}

/** What went wrong, with the reason that `fetch` keeps in the cause. */
export const textOf = ({ message, cause }) => (cause ? `${message}: ${cause.code ?? cause.message}` : message);

/** What a body of Server-Sent Events says, one after the other. */
async function* eventsOf(body) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = events.pop();
    must(rest.length <= 65_536, 'an event is too long');
    for (const text of events) yield Object.fromEntries(text.split('\n').map((line) => line.split(': ', 2)));
  }
}
