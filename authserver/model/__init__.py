"""Frozen records that every layer may know: clients, accounts, sessions, grants, keys, revocations.

Owns shapes and nothing else: no storage, no HTTP, no cryptography, no clock.
Times are `Instant`s, whole milliseconds since the Unix epoch, as the database keeps them;
only claims inside a JWT are in seconds (RFC 7519 NumericDate).
"""
