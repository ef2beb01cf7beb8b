"""The database engine: SQLite by default, PostgreSQL through `FORBLI_DATABASE_URL`.

SQLite runs WAL, synchronous=FULL, foreign keys and recursive triggers on, 30 s busy timeout; a write begins with
BEGIN IMMEDIATE (trust.md: without it, read-modify-write lost 40 % of the updates). Reads begin deferred.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.domain.errors import Conflict, ForbliError

DEFAULT_FILE = Path(".forbli") / "forbli.db"
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "busy_timeout": 30_000,
}
CACHED_STATEMENTS = 512  # a month of work has more kinds than the 128 that the driver would keep prepared
POSTGRESQL_OPTIONS = "-c TimeZone=UTC -c lock_timeout=30s"  # as long as SQLite's busy timeout


def database_url() -> str:
    """The configured database, or the embedded file."""
    return os.environ.get("FORBLI_DATABASE_URL") or f"sqlite:///{DEFAULT_FILE}"


def open_engine(url: str | None = None) -> Engine:
    """An engine with the house's settings on each pooled connection; makes the folder of an SQLite file."""
    url = url or database_url()
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=20, connect_args={"options": POSTGRESQL_OPTIONS}
        )
    file = url.removeprefix("sqlite:///")
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": 30, "cached_statements": CACHED_STATEMENTS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set and verify the pragmas; the driver's own transaction handling is switched off."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        _set_pragma(cursor, name, value)
        stored = cursor.execute(f"PRAGMA {name}").fetchone()[0]
        in_memory = name == "journal_mode" and stored == "memory"
        if stored != value and not in_memory:
            raise RuntimeError(f"SQLite did not accept {name}={value}: {stored}")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _set_pragma(cursor: Any, name: str, value: object) -> None:
    """Set one pragma; turning a new file to WAL fails at once, not after the busy timeout, while another process does it."""
    for pause in [0.05] * 600:
        try:
            cursor.execute(f"PRAGMA {name}={value}")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(pause)
    cursor.execute(f"PRAGMA {name}={value}")


def _begin_sqlite(connection: Connection) -> None:
    """BEGIN IMMEDIATE where the caller means to write, plain BEGIN for reads."""
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One consistent view of the data, whatever others commit meanwhile; nothing is written."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with Session(connection) as session:
            yield session
            session.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that commits when the block ends and leaves nothing when it fails."""
    try:
        with (
            engine.connect().execution_options(writing=True) as connection,
            Session(connection) as session,
            session.begin(),
        ):
            yield session
    except OperationalError as error:
        refusal = in_plain_words(error)
        if refusal is None:
            raise
        raise refusal from error


def in_plain_words(error: OperationalError) -> ForbliError | None:
    """The sentence for what a user can do something about; None for what is ours to look into."""
    reason = str(error.orig)
    if "locked" in reason or "lock timeout" in reason:
        return Conflict("The database is busy; nothing was changed", code="busy", hint="Try again in a minute")
    if "disk is full" in reason or "No space left" in reason:
        return Conflict(
            "The disk is full; nothing was changed", code="disk_full", hint="Free some space, then try again"
        )
    return None


def is_sqlite(session: Session) -> bool:
    """Is this session on SQLite?"""
    return session.get_bind().dialect.name == "sqlite"


def lock(session: Session, name: str) -> None:
    """Serialise writers that read before they write: on PostgreSQL an advisory lock, on SQLite the transaction is one."""
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
