"""The mapping's SQL at work: one row at a time, and the cells that cannot be worked out."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from core.domain.errors import InvalidInput
from core.exchange.expressions import compile_expression, dates_as_iso, evaluate

ROWS = pl.DataFrame(
    {"n": ["3", "14", "x"], "day": ["2024-02-29", "2024-02-30", None], "as_of": [date(2024, 1, 31)] * 3}
)


def test_days_are_added_to_a_date() -> None:
    values, bad = evaluate(ROWS.head(1), "end", "CAST(CAST(DATE(day) AS INT) + CAST(n AS INT) AS DATE)")

    assert values.to_list() == [date(2024, 3, 3)]
    assert bad == []


def test_only_the_cells_that_fail_are_named() -> None:
    values, bad = evaluate(ROWS, "quantity", "CAST(n AS INT) * 2")

    assert values.to_list() == [6, 28, None]
    assert [(cell.row, cell.message.format(**cell.values)) for cell in bad] == [(2, "“x” is not a number (quantity)")]


def test_a_day_that_does_not_exist_is_named_and_an_empty_one_is_nothing() -> None:
    values, bad = evaluate(ROWS, "start", "DATE(day)")

    assert values.to_list() == [date(2024, 2, 29), None, None]
    assert [(cell.row, cell.message.format(**cell.values)) for cell in bad] == [
        (1, "“2024-02-30” is not a date (start)")
    ]


def test_day_and_month_are_never_guessed() -> None:
    _, bad = evaluate(pl.DataFrame({"day": ["01/02/2024"]}), "start", "DATE(day)")
    values, none = evaluate(pl.DataFrame({"day": ["01/02/2024"]}), "start", "DATE(day, '%d/%m/%Y')")

    assert len(bad) == 1
    assert (values.to_list(), none) == ([date(2024, 2, 1)], [])


def test_the_format_is_spelt_out_in_inner_calls_and_left_alone_in_text() -> None:
    assert dates_as_iso("LEAST(DATE(a), DATE(b, '%d'))") == "LEAST(DATE(a, '%Y-%m-%d'), DATE(b, '%d'))"
    assert dates_as_iso("DATE(CONCAT(a, ',('))") == "DATE(CONCAT(a, ',('), '%Y-%m-%d')"


@pytest.mark.parametrize(
    "sql",
    ["SUM(n)", "MAX(n)", "COUNT(*)", "FIRST(n)", "ROW_NUMBER() OVER (ORDER BY n)", "SUM(n) OVER (PARTITION BY day)",
     "LAG(n) OVER (ORDER BY day)", "(SELECT 1)", "STDDEV(n)", "COUNT(DISTINCT n)", "QUANTILE_CONT(n, 0.5)"],
)  # fmt: skip
def test_what_looks_at_other_rows_is_refused(sql: str) -> None:
    with pytest.raises(InvalidInput, match="each row must stand alone"):
        compile_expression("quantity", sql, ROWS.columns)


@pytest.mark.parametrize(
    "sql",
    ["LPAD(n, 2, '0')", "SUBSTR(n, 1, 1)", "n = 'Agg'", "n IN ('Len', 'Sort')", "GREATEST(n, day)", "COALESCE(day, n)",
     "CASE WHEN n LIKE '%1%' THEN 'Over' END", "n || '-' || day", "EXTRACT(YEAR FROM as_of)"],
)  # fmt: skip
def test_what_stays_within_a_row_is_taken(sql: str) -> None:
    assert isinstance(compile_expression("quantity", sql, ROWS.columns), pl.Expr)


def test_a_column_that_is_missing_is_named_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="uses the column “Kunde”, which the file does not have") as caught:
        compile_expression("id", "Kunde", ["n", "day"])
    assert caught.value.hint == "The file has: n, day"


@pytest.mark.parametrize("sql", ["n; DROP TABLE customer", "n, day", "nonsense(n)", "CAST(n AS", "*"])
def test_what_is_no_expression_is_refused(sql: str) -> None:
    with pytest.raises(InvalidInput, match="The expression of “id” cannot be read"):
        compile_expression("id", sql, ROWS.columns)
