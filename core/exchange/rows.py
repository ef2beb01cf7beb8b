"""Rows as the mapping reads them: typed columns for one section, and the findings about single rows.

A section's frame has `line` (where the row begins in the file) and one column a target: text, dates, and numbers as exact
decimal text. Amounts become minor units and quantities millionths by `in_minor` and `in_micro`. Findings are data: the
first MOST_SHOWN of them with line and reason, all of them counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any

import polars as pl

from core.domain.errors import ForbliError, InvalidInput
from core.domain.money import EXPONENTS, PRICE_PLACES, QUANTITY_PLACES, parse_decimal, to_minor
from core.exchange.expressions import evaluate
from core.exchange.mapping import DATE, NUMBER, REQUIRED, TARGETS, TEXT, Mapping, Section
from core.exchange.reading import Source

MOST_SHOWN = 100
MICRO = Decimal(1_000_000)
FLOAT_PLACES = 9  # a binary fraction is taken as the decimal that it stands for
DTYPES: dict[str, pl.DataType | type[pl.DataType]] = {TEXT: pl.String, DATE: pl.Date, NUMBER: pl.String}


@dataclass(frozen=True)
class RowFinding:
    """What is wrong with the row that begins on `line`; the sentence has named places."""

    line: int
    message: str
    values: dict[str, Any]

    def sentence(self) -> str:
        """The English sentence."""
        return self.message.format(**self.values)


@dataclass
class Findings:
    """Everything wrong with a file: all counted, the first shown."""

    count: int = 0
    shown: list[RowFinding] = field(default_factory=list)

    def add(self, line: int, message: str, **values: Any) -> None:
        """One finding."""
        self.count += 1
        self.shown.append(RowFinding(line, message, values))

    def where(self, frame: pl.DataFrame, wrong: pl.Expr, message: str, **values: Any) -> None:
        """A finding for each row where `wrong` is true; the message's places are columns of the frame, or `values`."""
        rows = frame.filter(wrong)
        names = [name for _, name, _, _ in Formatter().parse(message) if name and name not in values]
        for row in rows.head(MOST_SHOWN).select("line", *names).iter_rows(named=True):
            line = row.pop("line")
            self.shown.append(RowFinding(line, message, {**row, **values}))
        self.count += rows.height

    def first(self) -> list[RowFinding]:
        """The findings to show, by line."""
        return sorted(self.shown, key=lambda finding: finding.line)[:MOST_SHOWN]


class ImportRefused(InvalidInput):
    """A file with findings; nothing of it is stored. `findings` has the first hundred, `count` how many there are."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings.first()
        self.count = findings.count
        first = self.findings[0]
        super().__init__(
            "Nothing was imported: {count} findings; the first, in line {line}: {reason}", code="rows_refused",
            count=findings.count, line=first.line, reason=first.sentence(),
        )  # fmt: skip


def working_frame(mapping: Mapping, source: Source, as_of: date, findings: Findings) -> pl.DataFrame:
    """The file's columns with `as_of`, `row_number`, `line` and the names of [let]."""
    taken = {"as_of", "row_number", "line", *mapping.let}.intersection(source.rows.columns)
    if taken:
        raise InvalidInput(
            "The file's column “{column}” has the name of something the mapping means otherwise; rename it",
            code="name_taken", column=min(taken),
        )  # fmt: skip
    frame = source.rows.with_columns(
        as_of=pl.lit(as_of), row_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), line=source.lines
    )
    for name, sql in mapping.let.items():
        frame = frame.with_columns(_column(frame, name, sql, findings))
    return frame


def _column(frame: pl.DataFrame, name: str, sql: str, findings: Findings) -> pl.Series:
    """An expression's values; rows that fail become findings."""
    values, bad = evaluate(frame, name, sql)
    for cell in bad:
        findings.add(frame["line"][cell.row], cell.message, **cell.values)
    return values.alias(name)


def section_rows(frame: pl.DataFrame, section: Section, findings: Findings) -> pl.DataFrame:
    """The section's rows: `line`, its targets (absent ones null), and `addon:CODE` for each add-on."""
    if section.where is not None:
        kept = _column(frame, "where", section.where, findings)
        if kept.dtype != pl.Boolean:
            raise InvalidInput(
                "“where” under [{section}] must be a condition", code="bad_expression", section=section.name
            )
        frame = frame.filter(kept)
    columns = [frame["line"]]
    for name, kind in TARGETS[section.name].items():
        required = name in REQUIRED[section.name]
        columns.append(_target(frame, name, kind, section.targets.get(name), findings, required=required))
    for code, sql in section.addons.items():
        columns.append(_target(frame, f"addon:{code}", NUMBER, sql, findings))
    return pl.DataFrame(columns)


def _target(
    frame: pl.DataFrame, name: str, kind: str, sql: str | None, findings: Findings, *, required: bool = False
) -> pl.Series:
    """One target in its type; null everywhere without an expression. A required one that is empty is a finding."""
    if sql is None:
        return pl.Series(name, [None] * frame.height, DTYPES[kind])
    values = _column(frame, name, sql, findings)
    convert = {TEXT: _text, DATE: _date, NUMBER: _number}[kind]
    converted = convert(frame["line"], values, findings).alias(name)
    if required:
        # What could not be converted has its finding already.
        unread = values.is_not_null() if kind != TEXT else pl.repeat(False, frame.height, eager=True)
        named = frame["line"].is_in(
            [finding.line for finding in findings.shown if finding.values.get("target") == name]
        )
        findings.where(
            pl.DataFrame({"line": frame["line"], "empty": converted.is_null() & ~unread & ~named}),
            pl.col("empty"), "“{target}” is empty", target=name,
        )  # fmt: skip
    return converted


def _text(_lines: pl.Series, values: pl.Series, _findings: Findings) -> pl.Series:
    trimmed = values.cast(pl.String).str.strip_chars()
    return trimmed.replace("", None)


def _date(lines: pl.Series, values: pl.Series, findings: Findings) -> pl.Series:
    """Dates as they are, text as 2024-01-31."""
    if values.dtype in (pl.Date, pl.Null) or isinstance(values.dtype, pl.Datetime):
        return values.cast(pl.Date)
    parsed = values.cast(pl.String).str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    rows = pl.DataFrame({"line": lines, "cell": values.cast(pl.String), "parsed": parsed})
    findings.where(
        rows, pl.col("parsed").is_null() & pl.col("cell").is_not_null(),
        "“{cell}” is not a date ({target}); dates look like 2024-01-31", target=values.name,
    )  # fmt: skip
    return parsed


def _number(lines: pl.Series, values: pl.Series, findings: Findings) -> pl.Series:
    """Exact decimal text; yes and no count as 1 and 0."""
    if values.dtype == pl.Boolean:
        values = values.cast(pl.Int8)
    places = FLOAT_PLACES if values.dtype.is_float() else PRICE_PLACES

    def exact(value: Any) -> str:
        text = repr(round(value, places)) if isinstance(value, float) else str(value)
        return format(parse_decimal(text, places=PRICE_PLACES).normalize(), "f")

    return _by_value(lines, values, exact, pl.String, findings)


def in_minor(rows: pl.DataFrame, column: str, findings: Findings) -> pl.Series:
    """Amounts in major units of the row's currency → minor units, rounded half away from zero."""
    known = pl.col("currency").is_in(list(EXPONENTS))
    pairs = rows.filter(known).select("currency", column).unique().drop_nulls()
    amounts = [_minor(currency, text) for currency, text in pairs.iter_rows()]
    priced = pairs.with_columns(_minor=pl.Series(amounts, dtype=pl.Int64))
    joined = rows.join(priced, on=["currency", column], how="left", maintain_order="left")
    too_large = known & pl.col(column).is_not_null() & pl.col("_minor").is_null()
    findings.where(joined, too_large, f"The amount {{{column}}} is too large")
    return joined["_minor"].alias(f"{column}_minor")


def _minor(currency: str, text: str) -> int | None:
    try:
        return to_minor(Decimal(text), currency)
    except InvalidInput:
        return None


def in_micro(rows: pl.DataFrame, column: str, findings: Findings) -> pl.Series:
    """Quantities → millionths; at most six decimals, not below zero."""

    def millionths(text: str) -> int:
        value = parse_decimal(text, places=QUANTITY_PLACES)
        if not 0 <= value < 10**12:
            raise InvalidInput("{text} is not a quantity: it must be 0 or more", text=text)
        return int(value * MICRO)

    return _by_value(rows["line"], rows[column], millionths, pl.Int64, findings).alias(f"{column}_micro")


def _by_value(
    lines: pl.Series, values: pl.Series, convert: Callable[[Any], Any], dtype: Any, findings: Findings
) -> pl.Series:
    """Each distinct value converted once; the refusals of `convert` become findings of the rows that hold it."""
    distinct = values.unique().drop_nulls()
    converted: list[Any] = []
    refused: dict[Any, ForbliError] = {}
    for value in distinct:
        try:
            converted.append(convert(value))
        except ForbliError as error:
            converted.append(None)
            refused[value] = error
    known = pl.DataFrame({"cell": distinct, "result": pl.Series(converted, dtype=dtype)})
    rows = pl.DataFrame({"line": lines, "cell": values})
    joined = rows.join(known, on="cell", how="left", maintain_order="left")
    wrong = joined.filter(pl.col("cell").is_not_null() & pl.col("result").is_null())
    for line, value in wrong.head(MOST_SHOWN).select("line", "cell").iter_rows():
        reason = refused[value]
        findings.shown.append(
            RowFinding(line, reason.message + " ({target})", {**reason.values, "target": values.name})
        )
    findings.count += wrong.height
    return joined["result"].alias(values.name)
