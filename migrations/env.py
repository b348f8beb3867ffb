"""Runs the revisions on the connection that `authserver.storage.sql.migrate` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run `authserver migrate`: it opens the database the way the server does")

context.configure(connection=connection, transactional_ddl=True)
context.run_migrations()
