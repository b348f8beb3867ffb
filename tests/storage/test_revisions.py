"""The revisions are read off the files' names; Alembic, which runs them, must see the same line."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from authserver.storage.sql.schema import migrations_directory, revisions, schema_head


def test_file_names_tell_the_same_line_of_revisions_as_alembic() -> None:
    scripts = ScriptDirectory(str(migrations_directory()))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == revisions()
    assert scripts.get_current_head() == schema_head()
