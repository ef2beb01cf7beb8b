"""The mapping's SQL expressions at work: text columns → one column a target, with the rows that cannot be worked out.

An expression may use a row's own cells, `as_of` and `row_number`; what looks at other rows (aggregates, windows, ranks) is
refused. A cell that cannot be converted is found by halving, so that its line and content can be named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.exceptions import ColumnNotFoundError, PolarsError

from core.domain.errors import InvalidInput

ACROSS_ROWS = {
    "Agg", "Over", "Window", "Len", "Rank", "Shift", "Rolling", "RollingExpr", "CumSum", "CumCount", "CumMin", "CumMax",
    "CumProd", "Sort", "SortBy", "Filter", "Gather", "Slice", "Explode", "Unique", "Reverse", "FillNullWithStrategy",
    "Diff", "Random", "NUnique", "Quantile", "ArgUnique", "Mode", "AnyBoolean", "Any", "All", "SubPlan",
}  # fmt: skip
# Parts of an expression tree that name no operation over rows: constants, columns, functions of one text, list or date.
WITHIN_A_CELL = {"Literal", "Column", "StringExpr", "ListExpr", "ArrayExpr", "TemporalExpr", "dtype"}
MOST_BAD_ROWS = 1_000
ISO = "'%Y-%m-%d'"


@dataclass(frozen=True)
class BadCell:
    """A row (0-based) whose expression cannot be worked out, and why."""

    row: int
    message: str
    values: dict[str, object]


def evaluate(frame: pl.DataFrame, target: str, sql: str) -> tuple[pl.Series, list[BadCell]]:
    """The expression's value for each row (null where it fails), and the rows that fail."""
    expression = compile_expression(target, sql, frame.columns)
    bad: list[BadCell] = []
    parts = list(_by_halves(frame, expression, target, 0, bad))
    whole = pl.concat(parts, how="vertical_relaxed")
    return whole["_value"], sorted(bad, key=lambda cell: cell.row)


def compile_expression(target: str, sql: str, columns: list[str]) -> pl.Expr:
    """The Polars expression; refuses what is not one, names a column the file lacks, or looks at other rows."""
    try:
        expression = pl.sql_expr(dates_as_iso(sql))
        used = expression.meta.root_names()
        tree = json.loads(expression.meta.serialize(format="json"))
    except PolarsError as error:
        raise InvalidInput(
            "The expression of “{target}” cannot be read: {reason}", code="bad_expression", target=target,
            reason=_first_line(error),
        ) from None  # fmt: skip
    for name in used:
        if name not in columns:
            raise InvalidInput(
                "The mapping of “{target}” uses the column “{column}”, which the file does not have", code="no_column",
                target=target, column=name, hint="The file has: " + ", ".join(columns[:40]),
            )  # fmt: skip
    if ACROSS_ROWS.intersection(_words(tree)):
        raise InvalidInput(
            "The expression of “{target}” looks at several rows; each row must stand alone", code="bad_expression",
            target=target,
        )  # fmt: skip
    return expression


def dates_as_iso(sql: str) -> str:
    """DATE(x) with its format spelt out: without one, Polars guesses day and month from the first row."""
    parts, position = [], 0
    for call in re.finditer(r"(?i)\bDATE\s*\(", sql):
        end = _closing(sql, call.end())
        inside = sql[call.end() : end]
        if call.start() >= position and end < len(sql) and not _has_comma(inside):
            parts += [sql[position : call.end()], dates_as_iso(inside), f", {ISO}"]
            position = end
    return "".join([*parts, sql[position:]])


def _closing(sql: str, start: int) -> int:
    """Where the bracket opened before `start` closes; the text's end when it never does."""
    depth = 1
    for at, sign in _outside_quotes(sql, start):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return at
    return len(sql)


def _has_comma(sql: str) -> bool:
    """Does a comma separate arguments here, outside of inner brackets?"""
    depth = 0
    for _, sign in _outside_quotes(sql, 0):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            return True
    return False


def _outside_quotes(sql: str, start: int) -> Iterator[tuple[int, str]]:
    """The signs that are neither in 'text' nor in a "name"."""
    quote = ""
    for at in range(start, len(sql)):
        sign = sql[at]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            yield at, sign


def _words(tree: Any) -> Iterator[str]:
    """Operations named in an expression tree, without the constants and column names in it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            if key not in WITHIN_A_CELL:
                yield from _words(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _words(value)
    elif isinstance(tree, str):
        yield tree


def _by_halves(
    frame: pl.DataFrame, expression: pl.Expr, target: str, offset: int, bad: list[BadCell]
) -> Iterator[pl.DataFrame]:
    """Values of the rows as one column; a slice that fails is halved until single rows fail, up to MOST_BAD_ROWS of them."""
    try:
        yield frame.select(_row=pl.int_range(pl.len()), _value=expression).select("_value")
        return
    except ColumnNotFoundError:
        raise
    except PolarsError as error:
        if frame.height == 1 or len(bad) >= MOST_BAD_ROWS:
            bad += [_bad_cell(frame.row(0, named=True), expression, target, offset, error)]
            yield pl.DataFrame({"_value": [None] * frame.height})
            return
    middle = frame.height // 2
    yield from _by_halves(frame.head(middle), expression, target, offset, bad)
    yield from _by_halves(frame.slice(middle), expression, target, offset + middle, bad)


def _bad_cell(row: dict[str, Any], expression: pl.Expr, target: str, offset: int, error: PolarsError) -> BadCell:
    """Why one row fails: the cell and what it should have been, as far as Polars says so."""
    found = re.search(r"conversion from `\w+` to `(\w+)", str(error))
    cells = [str(row[name]) for name in dict.fromkeys(expression.meta.root_names()) if row[name] is not None]
    kind = {"date": "a date", "datetime": "a date"}.get(found.group(1), "a number") if found else ""
    quoted = re.search(r'values?: \["(.*?)"', str(error))
    cell = quoted.group(1) if quoted else cells[0] if len(cells) == 1 else ""
    if kind and cell:
        return BadCell(offset, "“{cell}” is not {kind} ({target})", {"cell": cell, "kind": kind, "target": target})
    return BadCell(offset, "{target} cannot be worked out: {reason}", {"target": target, "reason": _first_line(error)})


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
