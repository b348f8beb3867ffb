import { readFileSync } from 'node:fs';

/** What clients are told, by code: the same as by the verifier for Python. */
const TEXTS = JSON.parse(readFileSync(new URL('../refusals.json', import.meta.url)));
const STATUS = { malformed_request: 400, insufficient_scope: 403, stale: 503, not_ready: 503, keys_unavailable: 503,
  overloaded: 503 };
const ERROR = { 400: 'invalid_request', 401: 'invalid_token', 403: 'insufficient_scope' };

/**
 * Why a request is refused: a stable code for programs, a status, and the error of RFC 6750 section 3. What could
 * not be found out is 503, never 401: a client that is told 401 throws its session away.
 */
export class Refusal extends Error {
  constructor(code, options) {
    const status = STATUS[code] ?? 401;
    super(TEXTS[code], options);
    const error = code === 'missing_token' ? null : (ERROR[status] ?? null);
    Object.assign(this, { name: 'Refusal', code, status, error, retryAfter: status === 503 ? 1 : null });
  }

  /** The value of `WWW-Authenticate`; null for 503, which has none. `resourceMetadata`: RFC 9728 section 5.1. */
  wwwAuthenticate({ realm, scope, resourceMetadata } = {}) {
    if (this.status === 503) return null;
    const all = { realm, error: this.error, error_description: this.error && this.message,
      scope: scope && [scope].flat().join(' '), resource_metadata: resourceMetadata };
    // Quoted strings here know no escapes and nothing outside printable ASCII.
    const written = Object.entries(all).filter(([, value]) => value)
      .map(([name, value]) => `${name}="${value.replace(/[^ -~]|["\\]/g, '?')}"`);
    return `Bearer ${written.join(', ')}`.trim();
  }
}
