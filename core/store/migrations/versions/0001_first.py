"""The first schema: the statements stand beside this file, one script for each database.

There is no way down: nothing comes before it, and books are not dropped."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Run this database's script statement by statement."""
    connection = op.get_bind()
    script = Path(__file__).with_name(f"0001_first.{connection.dialect.name}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n\n"):
        if statement.strip():
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
