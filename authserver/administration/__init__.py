"""What administrators do, whichever way they come: over the admin API or at the command line.

Owns the administrative scopes, the rules for clients (`clients`), the actions on signing keys (`keys`), the fields that
may be set and how records are shown. It knows no HTTP and no terminal. Who may ask is decided by its callers;
accounts have a directory of their own in `accounts`.
"""
