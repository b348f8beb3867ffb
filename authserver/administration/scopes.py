"""The scopes that administer this server. They belong to programs (docs/decisions/0040)."""

from __future__ import annotations

ADMIN = "admin"
READ = "admin:read"
REVOKE = "admin:revoke"
CLIENTS = "admin:clients"
USERS = "admin:users"
KEYS = "admin:keys"
ADMIN_SCOPES = (ADMIN, READ, REVOKE, CLIENTS, USERS, KEYS)
"""`admin` stands for all of them; `admin:read` for every GET; a finer one for its nouns, reading included."""
