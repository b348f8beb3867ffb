/** The log of revocations: its records, their chain, and the set that they make (docs/feed.md). */
import { createHash } from 'node:crypto';

const RECORD = /^\{"s":(\d{1,15}),"t":"(jti|sid|sub|cli|kid|iss)","k":"([\w-]{22})","v":(\d{1,15}),"x":(\d{1,15})\}$/;

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** What the log calls a value: a hash of it, so that the feed identifies nobody; after its kind. */
export const keyOf = (kind, issuer, value) =>
  `${kind}:${sha256(`${kind}|${issuer}|${value}`).toString('base64url', 0, 16)}`;

export function parseRecord(line) {
  const [, s, kind, hash, version, expires] = RECORD.exec(line) ?? [];
  if (!s) throw new Error('not a record of the log');
  return { line, s: Number(s), key: `${kind}:${hash}`, version: Number(version), expires: Number(expires) };
}

/** What was taken back, up to one point of one log: from keys to `{version, expires}`. */
export class Revocations extends Map {
  constructor(log, seq = 0, hash = sha256(log)) { Object.assign(super(), { log, seq, hash }); }

  /** The kind that denies a token, or undefined: six independent tests, as there are six ways to take it back. */
  refusal({ listed, versions }) {
    const outdated = ([key, version]) => version < (this.get(key)?.version ?? 0);
    return (listed.find((key) => this.has(key)) ?? versions.find(outdated)?.[0])?.slice(0, 3);
  }

  /** The chain's hash after these records, which must follow each other and this state. */
  chain(records) {
    return records.reduce((hash, { s, line }, index) => {
      if (s !== this.seq + 1 + index) throw new Error(`record ${s} of the log where another was due`);
      return sha256(hash, line);
    }, this.hash);
  }

  /** Of two records about the same thing the greater version and the greater end hold. */
  add({ key, version, expires }) {
    const held = this.get(key) ?? { version: 0, expires: 0 };
    this.set(key, { version: Math.max(held.version, version), expires: Math.max(held.expires, expires) });
  }

  /** Drop what is over at this second of the issuer's time. */
  forget = (now) => this.forEach(({ expires }, key) => expires < now && this.delete(key));
}
