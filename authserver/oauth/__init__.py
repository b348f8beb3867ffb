"""The OAuth protocol: who a client is, what a grant proves, what may be asked and told.

Knows no HTTP library and no SQL. It neither signs (tokens) nor ends sessions (sessions, revocation).
"""
