"""Bring a database to the newest schema: `migrate(engine)`, at every start.

All steps and the version mark are one transaction under a lock (SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock),
so that of two processes starting together one migrates and the other waits, and a killed migration leaves nothing.
A file that is no database, other people's tables and a newer schema are refused in plain words. Alembic is imported only
when there is something to migrate: most starts find the newest schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from core.domain.errors import Conflict, InvalidInput
from core.store.engine import in_plain_words
from core.store.tables import METADATA

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
LOCK_WAIT = "10s"


def migrate(engine: Engine) -> None:
    """Run the missing revisions; nothing happens when the schema is the newest."""
    try:
        with engine.connect() as connection:
            # Only a glance: what it refuses must be looked at under the lock, while nobody else migrates.
            if current_revision(connection) == newest_revision():
                return
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            _lock(connection)
            if not _is_newest(connection):
                _upgrade(connection)
    except DatabaseError as error:
        raise _in_plain_words(engine, error) from error


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None when it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def newest_revision() -> str:
    """The revision that this version of Forbli brings."""
    return max(file.stem for file in (FOLDER / "versions").glob("[0-9]*.py")).split("_")[0]


def _is_newest(connection: Connection) -> bool:
    """Is there nothing to do? Refuses a database that this version must not touch."""
    current = current_revision(connection)
    if current is None:
        _refuse_foreign_tables(connection)
        return False
    if current == newest_revision():
        return True
    if current not in {script.revision for script in _scripts().walk_revisions()}:
        raise Conflict(
            "This database was written by a newer version of Forbli (schema {schema}); this version knows up to {newest}",
            code="newer_schema", hint="Start the newer version, or restore a backup made before it",
            schema=current, newest=newest_revision(),
        )  # fmt: skip
    return False


def _refuse_foreign_tables(connection: Connection) -> None:
    """Tables of our names without our version mark are somebody else's: leave them alone."""
    taken = sorted(set(inspect(connection).get_table_names()) & set(METADATA.tables))
    if taken:
        raise Conflict(
            "This database already holds a table called {table} that Forbli did not make",
            code="foreign_tables", hint="Name an empty database", table=taken[0],
        )  # fmt: skip


def _lock(connection: Connection) -> None:
    """Wait for another process that migrates; then wait only briefly for tables in use."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('forbli.migrate'))"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _in_plain_words(engine: Engine, error: DatabaseError) -> Exception:
    """The sentence for a database that cannot be opened; other errors are ours and stay what they are."""
    place = engine.url.render_as_string(hide_password=True)
    reason = str(error.orig)
    if "not a database" in reason or "malformed" in reason:
        return InvalidInput(
            "{place} is not a database, or it is damaged", code="not_a_database",
            hint="Name another file, or restore a backup", place=place,
        )  # fmt: skip
    busy = in_plain_words(error) if isinstance(error, OperationalError) else None
    if busy is not None:
        return busy
    if isinstance(error, OperationalError) and ("unable to open" in reason or "readonly" in reason):
        return InvalidInput("{place} cannot be opened for writing", code="cannot_open", place=place)
    if isinstance(error, OperationalError) and error.connection_invalidated is False and "connection" in reason:
        return InvalidInput("The database {place} does not answer", code="no_answer", place=place)
    return error
