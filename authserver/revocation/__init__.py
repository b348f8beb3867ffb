"""Taking things back: tokens, families, sessions, users, clients, keys, everything.

Owns what can be revoked and how a revocation is recorded and announced. It does not decide
whether a token is alive (the stores do) and knows neither token formats nor HTTP.
"""
