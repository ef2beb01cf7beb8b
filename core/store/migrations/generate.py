"""Write the first revision anew from the tables and guards: `uv run python -m core.store.migrations.generate`.

Only as long as nothing is released: afterwards a change of tables.py or guards.py is a new revision, and
tests/store/test_schema.py compares what the revisions build with what the models say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from core.store import guards
from core.store.tables import METADATA

VERSIONS = Path(__file__).parent / "versions"
DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]
SEPARATOR = ";\n\n"


def ddl(dialect: str) -> Iterator[str]:
    """Every statement that makes an empty database of this dialect what models and guards say."""
    for table in METADATA.sorted_tables:
        yield _text(CreateTable(table), dialect)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _text(CreateIndex(index), dialect)
    yield from guards.statements(dialect)


def split(script: str) -> list[str]:
    """The statements of a script: they end with a semicolon and an empty line, which none of them contains."""
    return [statement for statement in script.split(SEPARATOR) if statement.strip()]


def _text(element: ExecutableDDLElement, dialect: str) -> str:
    lines = str(element.compile(dialect=DIALECTS[dialect])).replace("\t", "    ").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def main() -> None:
    """Write both scripts."""
    for dialect in DIALECTS:
        script = "".join(statement + SEPARATOR for statement in ddl(dialect))
        (VERSIONS / f"0001_first.{dialect}.sql").write_text(script.rstrip("\n") + "\n\n", encoding="utf-8")


if __name__ == "__main__":
    main()
