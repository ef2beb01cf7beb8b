"""The figures of the pages as plain data, for schedulers and files: the same functions, the same numbers."""

from __future__ import annotations

import io
import math
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core.calc import lifetime
from core.calc.lifetime import Choice, Counts
from core.domain.errors import InvalidInput
from core.reports import comparisons, kpis, lifetimes, mrr
from core.reports.kpis import Filters

DIMENSIONS = {"kind": "kinds", "country": "countries", "channel": "channels", "payment_option": "payment_options"}
AHEAD = 12


def metrics(session: Session, first: date, last: date, by: str, today: date) -> dict[str, Any]:
    """KPIs month by month from `first` to `last`, of all customers and, with `by`, of every segment."""
    if last < first:
        raise InvalidInput("The last day lies before the first", code="bad_range")
    if last > today:
        raise InvalidInput("{last} has not come yet", code="future", last=last)
    known = mrr.ledger(session, today)
    answer: dict[str, Any] = {"currency": known.home, "definitions": kpis.DEFINITIONS, "left_out": known.missing,
                              "months": _months(known, Filters(), first, last)}  # fmt: skip
    if by:
        answer["by"] = {
            "dimension": by,
            "segments": {name: _months(known, filters, first, last) for name, filters in _segments(known, by)},
        }
    return answer


def _months(known: mrr.Ledger, filters: Filters, first: date, last: date) -> list[dict[str, Any]]:
    found = kpis.figures(known, filters, first, last)
    return [{**row, "month": row["month"].isoformat()[:7]} for row in found.months.iter_rows(named=True)]


def _segments(known: mrr.Ledger, by: str) -> list[tuple[str, Filters]]:
    """Name and filters of every segment."""
    if by == "plan":
        return [(name, Filters(plans=(plan_id,))) for plan_id, name in sorted(known.names.items())]
    if by == "currency":
        return [(code, Filters(currency=code)) for code in known.steps["currency"].unique().sort()]
    if by not in DIMENSIONS:
        raise InvalidInput(
            "Figures are told apart by plan, currency, kind, country, channel or payment_option, not by {by}",
            code="no_dimension",
            by=by,
        )
    found = []
    for value in known.people[by].unique().sort():
        wanted: dict[str, Any] = {DIMENSIONS[by]: (value,)}
        found.append((str(value), Filters(**wanted)))
    return found


def lifetime_of_all(session: Session, today: date, by: str = "") -> dict[str, Any]:
    """What the lifetime page says first and, with `by`, what it tells of segments."""
    if by and by not in lifetimes.DIMENSIONS:
        raise InvalidInput(
            "Lifetimes are told apart by plan, interval, term, kind, payment_option, channel, country or onboarding, not by {by}",
            code="no_dimension", by=by,
        )  # fmt: skip
    known = mrr.ledger(session, today)
    found = lifetimes.people(session, known, Filters(), today)
    margin = lifetimes.margin_of(session, found, today)
    whole = lifetimes.value(found.frame, "all", margin)
    plain = {name: getattr(whole, name) for name in (
        "customers", "active", "churners", "arpa", "margin", "months", "clv_new", "low", "high", "residual", "simple")}  # fmt: skip
    fitted = {} if whole.choice is None else _told(whole.choice, whole.counts)
    told = {"drivers": comparisons.drivers_of(found, by, lifetimes.by_segment(found, by, margin))} if by else {}
    return {"currency": known.home, "discount_a_year": lifetimes.YEARLY_DISCOUNT, **plain, **fitted, **told}


def lifetime_of_table(content: bytes) -> dict[str, Any]:
    """The fit of a survivor table: columns period and alive."""
    counts = lifetime.from_survivors(_survivors(content))
    return _told(lifetime.choose(counts), counts)


def _survivors(content: bytes) -> list[float]:
    """The column `alive` by period; refuses what is no such table."""
    if not content.strip():
        raise InvalidInput("The file is empty", code="empty_file")
    try:
        table = pl.read_csv(io.BytesIO(content), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            "The table cannot be read: {reason}", code="bad_table", reason=str(error).splitlines()[0]
        ) from None
    if not {"period", "alive"} <= set(table.columns):
        raise InvalidInput(
            "A survivor table has the columns period and alive, one row a period", code="bad_table_columns"
        )
    typed = table.select(
        pl.col("period").str.strip_chars().cast(pl.Int64, strict=False),
        pl.col("alive").str.strip_chars().cast(pl.Float64, strict=False),
    )
    if typed.null_count().sum_horizontal()[0]:
        raise InvalidInput("Every period and every number of survivors must be a number", code="bad_table_numbers")
    ordered = typed.sort("period")
    if ordered["period"].to_list() != list(range(ordered.height)):
        raise InvalidInput("Periods must run 0, 1, 2 … without a gap and each once", code="bad_table_periods")
    return ordered["alive"].to_list()


def _told(choice: Choice, counts: Counts) -> dict[str, Any]:
    """The chosen model in the names that files use, both candidates beside it."""
    chosen = choice.chosen
    first = counts.periods + 1
    return {
        **_numbers(chosen), "aic": chosen.aic, "homogeneous": choice.homogeneous,
        "projection": [{"period": first + k, "survival": float(s)} for k, s in enumerate(chosen.survival(range(first, first + AHEAD)))],
        "fitted": [float(s) for s in chosen.survival(range(first))],
        "candidates": [{**_numbers(fit), "holdout_error": _finite(choice.holdout.get(fit.model))} for fit in choice.candidates],
    }  # fmt: skip


def _numbers(fit: lifetime.Fit) -> dict[str, Any]:
    """A homogeneous model has no α: None, as JSON knows no infinity."""
    numbers = {"alpha": fit.alpha, "beta": fit.beta, "c": fit.c, "log_likelihood": fit.log_likelihood}
    return {"model": fit.model.value, **{name: _finite(value) for name, value in numbers.items()}}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
