/** Validates authserver's access tokens locally, and refuses revoked ones within a second. */

export type Code =
  | 'missing_token' | 'malformed_request' | 'malformed_token' | 'header_not_acceptable' | 'unknown_key'
  | 'bad_signature' | 'wrong_issuer' | 'wrong_audience' | 'expired' | 'not_yet_valid' | 'claim_missing'
  | 'proof_required' | 'revoked_kid' | 'revoked_jti' | 'revoked_sid' | 'revoked_sub' | 'revoked_cli' | 'revoked_iss'
  | 'inactive' | 'insufficient_scope' | 'stale' | 'not_ready' | 'keys_unavailable' | 'overloaded';

/** A request that is not let in. */
export class Refusal extends Error {
  readonly name: 'Refusal';
  /** Stable, for programs; not shown to clients. */
  readonly code: Code;
  readonly status: 400 | 401 | 403 | 503;
  /** The error of RFC 6750 section 3.1, if there is one for it. */
  readonly error: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | null;
  /** Seconds; with every 503 and nothing else. */
  readonly retryAfter: number | null;
  constructor(code: Code, options?: { cause?: unknown });
  /** The value of `WWW-Authenticate`; null for 503. */
  wwwAuthenticate(options?: {
    realm?: string;
    scope?: string | readonly string[];
    /** URL of the protected resource metadata (RFC 9728 section 5.1). */
    resourceMetadata?: string;
  }): string | null;
}

/** An access token that was let in (RFC 9068); frozen. */
export interface VerifiedToken {
  readonly subject: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** One for each log-in at each client; null for a client's own token. */
  readonly sessionId: string | null;
  readonly tokenId: string;
  readonly issuer: string;
  readonly audience: readonly string[];
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly claims: Readonly<Record<string, unknown>>;
  /** True if the token has all of them: `'a b'` and `['a', 'b']` mean the same. */
  hasScope(scope: string | readonly string[]): boolean;
}

/** `introspect` asks the issuer about the token, `deny` answers 503. */
export type OnStale = 'introspect' | 'deny' | { readonly acceptUntil: number };

/** Go on accepting while the copy is no older than so many seconds; then 503. */
export function acceptUntil(seconds: number): OnStale;

export interface Policy {
  /** Seconds that the copy of the revocations may be old. Default 5. */
  maxStaleness?: number;
  /** What to do when it is older. Default `introspect`. */
  onStale?: OnStale;
}

export interface Requirement extends Policy {
  scope?: string | readonly string[];
}

export interface VerifierOptions extends Policy {
  issuer: string;
  /** The token must name one of these in `aud`. */
  audience: string | readonly string[];
  /** Of a confidential client: for introspection and for feeds that are not public. */
  clientId?: string;
  clientSecret?: string;
  /** Seconds that clocks may differ, 60 at most. Default 5. */
  leeway?: number;
  realm?: string;
  /** URL of the protected resource metadata (RFC 9728), for challenges. */
  resourceMetadata?: string;
  /** How many verified signatures are remembered. Default 4096. */
  cachedTokens?: number;
  /** Larger snapshots are refused. Default 128 MiB, some 1.5 million revocations. */
  maxSnapshotBytes?: number;
  /** Told about whatever goes wrong between issuer and verifier: log it. Default: each problem once by console.warn. */
  onProblem?: (error: Error) => void;
  /** For tests: milliseconds since the epoch, and monotonic ones. */
  wall?: () => number;
  clock?: () => number;
}

export interface Status {
  ready: boolean;
  /** How old the copy of the revocations is; Infinity before the first. */
  ageSeconds: number;
  log: string | null;
  seq: number | null;
  entries: number;
  staleDecisions: number;
  connections: number;
  gaps: number;
  problems: number;
  /** What went wrong last; null as soon as a newer copy has come. */
  problem: { text: string; secondsAgo: number } | null;
}

interface Headed {
  headersDistinct: { authorization?: string[] };
}

interface Answering {
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/** Make one and share it. */
export class Verifier {
  constructor(options: VerifierOptions);
  /** Begin to follow the feed; this verifier. */
  start(): this;
  close(): Promise<void>;
  readonly ready: boolean;
  /** True as soon as there is a copy of the revocations, false if there is none in time. */
  waitReady(milliseconds?: number): Promise<boolean>;
  status(): Status;
  /** Rejects with a Refusal. */
  verify(token: string, requirement?: Requirement): Promise<VerifiedToken>;
  /** Middleware for Express and its kin: sets `request.token`, or answers why not. */
  requireToken(
    requirement?: Requirement,
  ): (request: Headed & { token?: VerifiedToken }, response: Answering, next: (error?: unknown) => void) => Promise<void>;
}
