"""People: who exists, how a password is checked, how guessing is slowed down, what a log-in makes.

Owns usernames, passwords and throttling. Knows nothing of HTTP, scopes or clients' secrets.
"""
