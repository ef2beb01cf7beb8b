"""MRR over time and what moved it: charts whose marks open the customers behind them, and the table that reconciles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.movements import KINDS
from core.domain.money import exponent_of
from core.reports.kpis import Figures
from core.ui import charts, parts
from core.ui.drill import PICK, Drill, month_of
from core.ui.format import money, month, number
from core.ui.text import definition, label, t

FLOWS = (*KINDS, "fx")
BEHIND = Drill("movement")  # the part of a bar whose customers are shown: "churn-2026-03"


def movement_words() -> dict[str, str]:
    """What the movements are called."""
    return {
        "new": t("New"), "reactivation": t("Reactivation"), "expansion": t("Expansion"), "moved_in": t("Moved in"),
        "contraction": t("Contraction"), "moved_out": t("Moved out"), "churn": t("Churn"), "fx": t("Currency"),
    }  # fmt: skip


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    names = {start: month(start) for start in frame["month"].unique()}
    return frame.with_columns(
        name=pl.col("month").replace_strict(names, return_dtype=pl.String), key=pl.col("month").dt.strftime("%Y-%m")
    )


def _axis(months: pl.DataFrame) -> alt.X:
    names = [month(start) for start in months["month"].sort()]
    return alt.X("name:N", sort=names, title=None, scale=alt.Scale(domain=names),
                 axis=alt.Axis(labelAngle=0 if len(names) <= 14 else -45, labelOverlap="greedy"))  # fmt: skip


def mrr_line(months: pl.DataFrame, currency: str, budgets: dict[date, int], marks: list[tuple[date, str]]) -> None:
    """MRR at the end of each month, the budget beside it, and what happened on the way."""
    st.header(t("MRR"), anchor=False, help=definition("mrr"))
    chart, notes = _mrr_chart(months, currency, budgets, marks)
    st.altair_chart(charts.styled(chart, height=280), width="stretch", key="mrr", alt=t("MRR by month"))
    if notes:
        st.caption("; ".join(notes).capitalize() + ".")


def as_svg(months: pl.DataFrame, currency: str) -> list[tuple[str, str]]:
    """Both charts for paper: (what it shows, SVG)."""
    import vl_convert

    line, _ = _mrr_chart(months, currency, {}, [])
    bars = _movement_chart(months, currency)
    found = [(t("MRR by month"), line), *([(t("MRR movements by month"), bars)] if bars is not None else [])]
    return [
        (
            said,
            vl_convert.vegalite_to_svg(
                charts.styled(chart, height=200).properties(width=420, background="white").to_dict(), vl_version="6.4"
            ),
        )
        for said, chart in found
    ]


def _mrr_chart(
    months: pl.DataFrame, currency: str, budgets: dict[date, int], marks: list[tuple[date, str]]
) -> tuple[Any, list[str]]:
    """The layers, and what their lines mean."""
    scale = 10 ** exponent_of(currency)
    shown = _named(months.select("month", value=pl.col("closing") / scale))
    base = alt.Chart(shown).encode(
        x=_axis(months), y=alt.Y("value:Q", title=currency, axis=charts.short_axis(), scale=alt.Scale(zero=True)),
        tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("value:Q", title=t("MRR"), format=",.0f")],
    )  # fmt: skip
    colour = charts.COLOURS["price"]
    layers: list[Any] = [
        base.mark_area(opacity=0.12, color=colour),
        base.mark_line(color=colour, strokeWidth=2, point=months.height <= 14),
    ]
    planned = _named(pl.DataFrame({"month": list(budgets), "value": [amount / scale for amount in budgets.values()]},
                                  schema={"month": pl.Date, "value": pl.Float64}).filter(pl.col("month").is_in(months["month"].implode())))  # fmt: skip
    if planned.height:
        layers.append(
            alt.Chart(planned).mark_line(color=charts.COLOURS["today"], strokeDash=[5, 4], point=True).encode(
                x=_axis(months), y="value:Q",
                tooltip=[alt.Tooltip("name:N", title=t("Budget")), alt.Tooltip("value:Q", title=t("Budget"), format=",.0f")],
            )
        )  # fmt: skip
    told = pl.DataFrame(
        [(day.replace(day=1), text) for day, text in marks], schema={"month": pl.Date, "text": pl.String}, orient="row"
    )
    told = (
        told.filter(pl.col("month").is_in(months["month"].implode()))
        .group_by("month")
        .agg(pl.col("text").str.join(" · "))
    )
    if told.height:
        rules = alt.Chart(_named(told)).encode(x=_axis(months), tooltip=[alt.Tooltip("text:N", title=" ")])
        layers.append(rules.mark_rule(color=charts.COLOURS["contraction"], strokeDash=[2, 3], strokeWidth=2))
    notes = [t("dashed: budget")] if planned.height else []
    notes += [t("dotted: price changes and marks")] if told.height else []
    return alt.layer(*layers), notes


def movement_bars(months: pl.DataFrame, currency: str, today: date) -> tuple[date, str] | None:
    """Movements by month; the (month, kind) of the bar that is open."""
    st.header(t("MRR movements"), anchor=False, help=definition("mrr movement"))
    shown = set(months["month"])
    bar = _bar(BEHIND.begin(lambda asked: (_bar(asked, today) or ("",))[0] in shown), today)
    chart = _movement_chart(months, currency, BEHIND.point)
    if chart is None:
        st.caption(t("Nothing moved in these months."))
        return bar
    BEHIND.shown(chart, key="movements", height=280, said=t("MRR movements by month"))
    st.caption(t("Click a part of a bar to see the customers behind it."))
    return bar


def _bar(text: str, today: date) -> tuple[date, str] | None:
    """The month and the kind that "churn-2026-03" means."""
    kind, _, at = text.partition("-")
    start = month_of(at, today)
    return (start, kind) if start and kind in FLOWS else None


def _movement_chart(
    months: pl.DataFrame, currency: str, point: Callable[[pl.Series], alt.Parameter] | None = None
) -> Any | None:
    """Bars by month and kind, each of which can be picked by `point`; None where nothing moved."""
    scale = 10 ** exponent_of(currency)
    long = months.unpivot(
        [name for name in FLOWS if (months[name] != 0).any()], index="month", variable_name="kind", value_name="amount"
    )
    long = _named(long.filter(pl.col("amount") != 0).with_columns(pl.col("amount") / scale))
    if long.is_empty():
        return None
    words = movement_words()
    long = long.with_columns(
        pl.format("{}-{}", "kind", "key").alias(PICK), what=pl.col("kind").replace_strict(words, return_dtype=pl.String)
    )
    here = [name for name in FLOWS if name in long["kind"].unique()]
    bars = alt.Chart(long).mark_bar(cornerRadius=1, cursor="pointer").encode(
        x=_axis(months), y=alt.Y("amount:Q", title=currency, axis=charts.short_axis()),
        color=alt.Color("what:N", scale=alt.Scale(domain=[words[name] for name in here], range=[charts.COLOURS[name] for name in here])),
        tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("what:N", title=t("Movement")),
                 alt.Tooltip("amount:Q", title=currency, format=",.0f")],
    )  # fmt: skip
    if point is None:
        return bars
    pick = point(long[PICK])
    return bars.encode(opacity=alt.condition(pick, alt.value(1.0), alt.value(0.35))).add_params(pick)


def members(rows: pl.DataFrame, currency: str, title: str) -> None:
    """The customers behind a bar, the largest first; choosing one opens it."""
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.header(title, anchor=False)
            BEHIND.close_button()
        if rows.is_empty():
            st.caption(t("No customer is behind it; amounts in other currencies follow their rates."))
            return
        st.caption(t("{count} customers, {amount} a month in all", count=number(rows["customer_id"].n_unique()),
                     amount=parts.plain(money(int(rows["delta_minor"].sum()), currency, sign=True))))  # fmt: skip
        amount, before, after = t("Change"), t("Before"), t("After")
        listed = [
            {t("Customer"): row["name"], t("Id"): row["external_id"], t("Day"): row["day"], t("Movement"): label(row["kind"]),
             t("Because of"): label(row["cause"]), before: money(row["before_minor"], currency), after: money(row["after_minor"], currency),
             amount: money(row["delta_minor"], currency, sign=True)}
            for row in rows.head(1000).iter_rows(named=True)
        ]  # fmt: skip
        tall = min(420, 38 + 35 * max(1, len(listed)))
        ids = rows["external_id"].to_list()
        parts.customer_rows(listed, ids, key=f"members:{title}", money=(before, after, amount), height=tall)
        if rows.height > 1000:
            st.caption(t("The {count} largest of {all}.", count=number(1000), all=number(rows.height)))


def table(figures: Figures, months: pl.DataFrame) -> None:
    """Opening + movements = closing, month by month, with counts; the check stands below."""
    currency = figures.currency
    flows = [name for name in FLOWS if (months[name] != 0).any()]
    names = {
        "opening": t("At the beginning"),
        **{name: movement_words()[name] for name in flows},
        "closing": t("At the end"),
    }
    rows = [
        {t("Month"): month(row["month"]), **{said: money(row[name], currency) for name, said in names.items()},
         t("Customers"): number(row["customers_at_end"]), t("New customers"): number(row["new_customers"]),
         t("Lost customers"): number(row["churn_customers"])}
        for row in months.sort("month", descending=True).iter_rows(named=True)
    ]  # fmt: skip
    numbers = [*names.values(), t("Customers"), t("New customers"), t("Lost customers")]
    st.dataframe(rows, hide_index=True, column_config=parts.money_columns(*numbers))
    off = months.filter(pl.col("opening") + pl.sum_horizontal(FLOWS) != pl.col("closing")).height
    if off:
        st.error(t("{count} months do not add up: this is an error in Forbli.", count=off))
    else:
        st.caption(t("Every row adds up: beginning + movements = end, to the minor unit."))
