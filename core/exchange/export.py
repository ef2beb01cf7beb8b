"""Tables out: a frame with titles as CSV or XLSX, with the filter that it was made by inside the file.

Columns say their unit by their name, as everywhere: `*_minor` becomes major units of the row's currency, `*_micro` units,
`*_ppm` percent; dates are dates, and a number stays a number (−5 stays −5). Text that a spreadsheet would run as a formula
gets an apostrophe in CSV, which `reading.py` takes away again, and is typed as text in XLSX (trust.md, G59).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from core.domain.errors import InvalidInput
from core.domain.money import EXPONENTS, exponent_of

# What makes a spreadsheet run a cell: the usual signs, their full-width twins, and what it skips before them.
DANGEROUS = "=+\\-@\t\r\n＝＋－＠"
NEEDS_QUOTE = f"^'*[{DANGEROUS}]"
QUOTED = f"^'('*[{DANGEROUS}])"

MOST_SHEET_ROWS = 1_048_575  # a sheet's rows, less the header
MOST_CELL_CHARACTERS = 32_767
_DAY_FORMAT, _MOMENT_FORMAT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


@dataclass(frozen=True)
class Table:
    """What is exported: the rows, the title of each column that is shown, and in words what the rows are.

    `about` is label → text ("Filter" → "credit notes from 1 March"); it stands in the file so that nobody wonders later
    what was left out. `currency` names the column whose currency the `*_minor` columns are in.
    """

    name: str
    rows: pl.DataFrame
    titles: Mapping[str, str]
    about: Mapping[str, str]
    currency: str = "currency"


def as_csv(table: Table, *, more: bool = False) -> bytes:
    """UTF-8 with a mark, so that Excel reads æøå; commas and points; the last column's title carries `about`.

    `more`: further rows of a table that is written piece by piece, without mark and titles.
    """
    about = " · ".join(f"{label}: {text}" for label, text in table.about.items())
    columns = [_as_text(table, name).alias(_guarded(title)) for name, title in table.titles.items()]
    note = pl.lit(None, dtype=pl.String).alias(_guarded(about or table.name))
    rows = table.rows.select(*columns, note).write_csv(include_header=not more).encode()
    return rows if more else b"\xef\xbb\xbf" + rows


def as_xlsx(table: Table) -> bytes:
    """One sheet of rows with a frozen header and filters, one sheet that says what they are."""
    import xlsxwriter

    if table.rows.height > MOST_SHEET_ROWS:
        raise InvalidInput(
            "A workbook holds at most {most} rows and there are {count}; export CSV instead", code="too_many_rows",
            most=MOST_SHEET_ROWS, count=table.rows.height,
        )  # fmt: skip
    target = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(target, options) as book:
        _write_rows(book, table)
        _write_about(book, table)
    return target.getvalue()


def unquoted(text: pl.Expr) -> pl.Expr:
    """Text of a file that was exported here, as it was before."""
    return text.str.replace(QUOTED, "${1}")


def _guarded(text: str) -> str:
    """A title that no spreadsheet runs."""
    return "'" + text if text.lstrip("'")[:1] in tuple("=+-@\t\r\n＝＋－＠") else text


def _as_text(table: Table, name: str) -> pl.Expr:
    """A column as CSV shows it."""
    column, kind = pl.col(name), table.rows.schema[name]
    if kind == pl.String:
        return pl.when(column.str.contains(NEEDS_QUOTE)).then(pl.lit("'") + column).otherwise(column)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    if name.endswith("_minor"):
        return _decimal(column, _exponents(table), max(EXPONENTS.values()))
    if name.endswith(("_micro", "_ppm")):
        places = 6 if name.endswith("_micro") else 4
        return _decimal(column, pl.lit(places), places).str.replace(r"\.?0+$", "")
    return column


def _exponents(table: Table) -> pl.Expr:
    """Each row's decimals; an unknown currency is refused."""
    known = {code: exponent_of(code) for code in table.rows[table.currency].drop_nulls().unique()}
    return pl.col(table.currency).replace_strict(known, return_dtype=pl.Int64)


def _decimal(column: pl.Expr, places: pl.Expr, most: int) -> pl.Expr:
    """A whole number with its point set so many places in: −5 at 2 → -0.05."""
    result = column.cast(pl.String)
    for count in range(1, most + 1):
        size = column.abs()
        sign = pl.when(column < 0).then(pl.lit("-")).otherwise(pl.lit(""))
        whole, part = (size // 10**count).cast(pl.String), (size % 10**count).cast(pl.String)
        pointed = sign + whole + pl.lit(".") + part.str.zfill(count)
        result = pl.when(places == count).then(pointed).otherwise(result)
    return result


def _write_rows(book: Any, table: Table) -> None:
    """The sheet of rows, each column as wide as what it holds."""
    sheet = book.add_worksheet(_sheet_name(table.name))
    bold = book.add_format({"bold": True, "bottom": 1})
    writers = [_writer(book, sheet, table, name) for name in table.titles]
    for place, (name, title) in enumerate(table.titles.items()):
        sheet.set_column(place, place, _width(table.rows[name], title))
        sheet.write_string(0, place, title[:MOST_CELL_CHARACTERS], bold)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, table.rows.height, len(table.titles) - 1)
    currencies = table.rows[table.currency] if table.currency in table.rows.columns else [None] * table.rows.height
    shown = table.rows.select(list(table.titles))
    for row, (values, currency) in enumerate(zip(shown.iter_rows(), currencies, strict=True), 1):
        for place, value in enumerate(values):
            if value is not None:
                writers[place](row, place, value, currency)


def _writer(book: Any, sheet: Any, table: Table, name: str) -> Callable[[int, int, Any, str | None], None]:
    """How a column's values are written: typed, so that text is never run and numbers add up."""
    kind = table.rows.schema[name]
    if name.endswith("_minor"):
        places = {code: EXPONENTS[code] for code in table.rows[table.currency].drop_nulls().unique()}
        formats = {count: book.add_format({"num_format": _pattern(count)}) for count in set(places.values())}
        return lambda row, at, value, currency: sheet.write_number(
            row, at, value / 10 ** places[currency or ""], formats[places[currency or ""]]
        )
    if name.endswith(("_micro", "_ppm")):
        scale = 10**6 if name.endswith("_micro") else 10**4
        return lambda row, at, value, _: sheet.write_number(row, at, value / scale)
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        moment = book.add_format({"num_format": _DAY_FORMAT if kind == pl.Date else _MOMENT_FORMAT})
        return lambda row, at, value, _: sheet.write_datetime(
            row, at, value if kind == pl.Date else value.replace(tzinfo=None), moment
        )
    if kind.is_numeric():
        return lambda row, at, value, _: sheet.write_number(row, at, value)
    return lambda row, at, value, _: sheet.write_string(row, at, str(value)[:MOST_CELL_CHARACTERS])


def _pattern(places: int) -> str:
    """A spreadsheet's number format with so many decimals."""
    return "#,##0" + ("." + "0" * places if places else "")


def _width(column: pl.Series, title: str) -> float:
    """Characters a column needs, by its first rows."""
    longest = column.head(200).cast(pl.String).str.len_chars().max()
    assert longest is None or isinstance(longest, int)
    return min(50, max(len(title), longest or 0) + 2)


def _write_about(book: Any, table: Table) -> None:
    """The sheet that says what the rows are."""
    sheet = book.add_worksheet("Filter")
    bold = book.add_format({"bold": True})
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 80)
    for row, (label, text) in enumerate(table.about.items()):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, text[:MOST_CELL_CHARACTERS])


def _sheet_name(name: str) -> str:
    """A name that a workbook takes: at most 31 characters, none of its special ones."""
    cleaned = "".join(character for character in name if character not in "[]:*?/\\'")
    return cleaned[:31] or "1"
