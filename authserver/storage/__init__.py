"""Where state lives: Protocols with promises, and their implementations.

`interface` is what the rest of the house knows. `sql` is the truth, on SQLite and PostgreSQL;
`local` and `redis` make things faster or sooner and may lose everything at any moment.
"""
