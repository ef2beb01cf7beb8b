"""The KPI cards: value, change against what it is compared with, the way there, and the definition behind each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.calc.movements import after_months, months_between
from core.domain.money import exponent_of
from core.reports.kpis import Figures
from core.ui.format import money, month, number, share, short_money, whole_money
from core.ui.text import definition, t


@dataclass(frozen=True)
class Comparison:
    """The month that the cards compare with, and how that is said; None compares with nothing."""

    month: date | None
    words: str


def shown(figures: Figures, months: pl.DataFrame, compared: Comparison, usage_minor: int) -> None:
    """Two rows of cards for the last month of the range."""
    now = months.row(-1, named=True)
    over = figures.row(figures.last_complete) if figures.last_complete else None
    then = figures.row(compared.month) if compared.month else None
    # Churn is that of the last whole month, so it is held against the month as far back from that one.
    back = 0 if over is None else len(months_between(over["month"], now["month"])) - 1
    then_over = figures.row(after_months(compared.month, -back)) if compared.month else None
    currency = figures.currency
    spark = _spark(months, currency)
    # Two and two: on a narrow page four in a row would leave one alone below three.
    left, right = st.columns(2)
    with left, st.grid(2, min_column_width=170):
        _card(
            t("MRR"),
            whole_money(now["closing"], currency),
            definition("mrr"),
            (_grown(now, then, "closing"), compared),
            spark("closing"),
        )
        _card(t("Paying customers"), number(now["customers_at_end"]), definition("paying customer"),
              (_grown(now, then, "customers_at_end"), compared), months["customers_at_end"].to_list())  # fmt: skip
    with right, st.grid(2, min_column_width=170):
        _card(
            t("Customer churn"), share(over["customer_churn"] if over else None, 2),
            definition("customer churn") + _interval(over), (_points(over, then_over, "customer_churn"), compared),
            [100 * (value or 0) for value in _complete(months, figures)["customer_churn"]], inverse=True,
        )  # fmt: skip
        _card(
            t("ARPA"),
            money(now["arpa_minor"] or 0, currency),
            definition("arpa"),
            (_grown(now, then, "arpa_minor"), compared),
            spark("arpa_minor"),
        )
    with st.grid(6, min_column_width=150):
        _amount(t("ARR"), 12 * now["closing"], currency, definition("arr"))
        _small(t("NRR, 12 months"), share(now["nrr"]), definition("nrr"))
        _small(t("GRR, 12 months"), share(now["grr"]), definition("grr"))
        quick = (
            "–"
            if over is None
            else t("no losses")
            if over["quick_ratio"] is None
            else number(over["quick_ratio"], places=1)
        )
        _small(t("Quick ratio"), quick, definition("quick ratio"))
        _amount(t("Usage MRR"), usage_minor, currency, definition("usage mrr"))
        _amount(
            t("Discounts"), now["list_mrr"] - now["closing"], currency,
            t("MRR at list prices less MRR: what running discounts take off."),
        )  # fmt: skip
    if over and over["month"] != now["month"]:
        st.caption(
            t("MRR, customers and ARPA are those of today; churn and quick ratio those of {month}, the last whole month.",
              month=month(over["month"]))
        )  # fmt: skip


def _complete(months: pl.DataFrame, figures: Figures) -> pl.DataFrame:
    return months.filter(pl.col("month") <= figures.last_complete) if figures.last_complete else months.clear()


def _spark(months: pl.DataFrame, currency: str) -> Callable[[str], list[float]]:
    scale = 10 ** exponent_of(currency)
    return lambda name: [(value or 0) / scale for value in months[name]]


def _grown(now: dict[str, Any], then: dict[str, Any] | None, name: str) -> str | None:
    """Change in percent."""
    if not then or not then[name] or now[name] is None:
        return None
    return share(now[name] / then[name] - 1, sign=True)


def _points(now: dict[str, Any] | None, then: dict[str, Any] | None, name: str) -> str | None:
    """Change in percentage points."""
    if not now or not then or now[name] is None or then[name] is None:
        return None
    change = 100 * (now[name] - then[name])
    return t("{change} points", change=f"{'+' if change >= 0 else '−'}{number(abs(change), places=2)}")


def _interval(over: dict[str, Any] | None) -> str:
    if not over or over["churn_low"] is None:
        return ""
    said = t("95 % interval {low} to {high}, of {count} customers", low=share(over["churn_low"], 2), high=share(over["churn_high"], 2),
             count=number(over["customers_at_start"]))  # fmt: skip
    return f"\n\n{said}"


def _card(
    title: str,
    value: str,
    help: str,
    change: tuple[str | None, Comparison],
    spark: list[float],
    *,
    inverse: bool = False,
) -> None:
    """One card. Streamlit reads the direction of a change from its first sign."""
    delta, compared = change
    arrow = delta.replace("−", "-", 1) if delta else None
    st.metric(
        title, value, arrow, help=help, border=True, height="stretch", chart_data=spark or None, chart_type="area",
        delta_color="inverse" if inverse else "normal", delta_description=compared.words if delta else None,
    )  # fmt: skip


def _amount(title: str, amount_minor: int, currency: str, help: str) -> None:
    """A small card of an amount; one that is shortened stands whole in its help."""
    whole, short = whole_money(amount_minor, currency), short_money(amount_minor, currency)
    _small(title, short, help if short == whole else f"{help}\n\n{whole}")


def _small(title: str, value: str, help: str) -> None:
    st.metric(title, value, help=help, border=True, height="stretch")


def comparison(kind: str, first: date, last: date) -> Comparison:
    """The month that "start" (before the range), "year" or "none" compare with."""
    if kind == "none":
        return Comparison(None, "")
    if kind == "year":
        return Comparison(after_months(last, -12), t("vs a year ago"))
    before = after_months(first, -1)
    count = (last.year - before.year) * 12 + last.month - before.month
    return Comparison(before, t("vs {count} mo. ago", count=count))
