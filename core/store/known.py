"""Which outside ids are already stored, and under which key: one query for any number of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

import polars as pl
from sqlalchemy import ARRAY, ColumnElement, Text, any_, bindparam, func, select
from sqlalchemy.orm import Session

from core.store import load
from core.store.engine import is_sqlite
from core.store.tables import Table, core_table


def among_texts(session: Session, column: ColumnElement[str], texts: Iterable[str]) -> ColumnElement[bool]:
    """Is the column one of these texts? One parameter, however many."""
    wanted = [text for text in texts if "\0" not in text]  # a text with a NUL is stored nowhere
    if is_sqlite(session):
        values = func.json_each(json.dumps(wanted)).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(None, wanted, type_=ARRAY(Text)))


def ids_of(session: Session, model: type[Table], column: str, texts: Iterable[str]) -> pl.DataFrame:
    """Rows (`column`, `id`) of the table whose `column` is one of the texts."""
    table = core_table(model).c
    statement = select(table[column], table.id).where(among_texts(session, table[column], texts))
    return load.frame(session, statement, {column: pl.String, "id": pl.Int64})
