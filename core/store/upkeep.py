"""Looking after a database: backups, damage, dropped guards, statistics for the query planner.

An SQLite file is never copied as a file while somebody writes: the copy lacks what stands in the WAL (trust.md 36).
PostgreSQL has its own tools for backups (pg_dump) and checksums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from core.domain.errors import Conflict, InvalidInput
from core.store import guards
from core.store.engine import is_sqlite

_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'",
}


def backup(engine: Engine, file: Path) -> None:
    """Write a whole, compact copy of one moment to a new file, also while others write. SQLite only."""
    if engine.dialect.name != "sqlite":
        raise InvalidInput("A PostgreSQL database is backed up with pg_dump", code="use_pg_dump")
    if file.exists():
        raise Conflict("There is already a file {file}; name a new one", code="file_exists", file=str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    with _driver(engine) as driver:
        driver.execute("VACUUM INTO ?", (str(file),))


def damage(session: Session) -> list[str]:
    """What SQLite finds wrong in its file, and rows that refer to missing ones; PostgreSQL watches itself."""
    if not is_sqlite(session):
        return []
    try:
        found = [line for (line,) in session.execute(text("PRAGMA quick_check")) if line != "ok"]
        return found or _orphans(session)
    except DatabaseError as error:  # damaged so badly that the check itself stops
        return [str(error.orig)]


def _orphans(session: Session) -> list[str]:
    rows = session.execute(text("PRAGMA foreign_key_check"))
    return [f"{table} row {row} refers to a missing {parent}" for table, row, parent, _ in rows]


def missing_guards(session: Session) -> list[str]:
    """Triggers that somebody dropped or switched off."""
    dialect = "sqlite" if is_sqlite(session) else "postgresql"
    wanted = re.findall(r"CREATE TRIGGER (\w+)", "\n".join(guards.statements(dialect)))
    there = set(session.execute(text(_TRIGGERS[dialect])).scalars())
    return sorted(set(wanted) - there)


def refresh_statistics(engine: Engine) -> None:
    """Let the query planner look at the tables again; worth it after a large import."""
    with _driver(engine) as driver:
        driver.execute("ANALYZE")


@contextmanager
def _driver(engine: Engine) -> Iterator[Any]:
    """The driver's connection outside any transaction."""
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
        yield driver
    finally:
        if engine.dialect.name == "postgresql":
            driver.autocommit = False
        connection.close()
