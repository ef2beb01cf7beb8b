"""The pieces of the overview page."""

from __future__ import annotations

from datetime import date
from typing import Any

import altair as alt
import polars as pl
import streamlit as st
from sqlalchemy.orm import Session

from core.domain.errors import Conflict
from core.domain.money import exponent_of
from core.reports.overview import Standing
from core.store import billing
from core.ui import charts, parts
from core.ui.format import money, month, number, whole_money
from core.ui.text import definition, t

SHOWN_APPROVALS = 5


def has_company(session: Session, today: date) -> bool:
    """Is the seller known on this day?"""
    try:
        billing.company_profile(session, today)
    except Conflict:
        return False
    return True


def key_figures(standing: Standing) -> None:
    """Four figures side by side."""
    active = standing.paying + standing.trials + standing.paused
    parts.cards(
        [
            {"label": t("Customers"), "value": number(standing.customers), "help": definition("customer")},
            {
                "label": t("Running subscriptions"), "value": number(active), "help": definition("subscription"),
                "delta": t("{trials} in trial, {paused} paused", trials=number(standing.trials), paused=number(standing.paused)),
                "delta_color": "off", "delta_arrow": "off",
            },
            {
                "label": t("MRR at list prices"), "value": whole_money(standing.mrr_minor, standing.currency),
                "help": t("A month at list prices before VAT, without discounts, usage and one-off fees; {currency} only.",
                          currency=standing.currency),
                "delta": t("{count} in other currencies", count=number(standing.other_currencies))
                if standing.other_currencies else None,
                "delta_color": "off", "delta_arrow": "off",
            },
            {
                "label": t("A month per paying subscription"),
                "value": money(_mean(standing), standing.currency), "help": t("MRR at list prices, divided by its subscriptions."),
            },
        ]
    )  # fmt: skip


def _mean(standing: Standing) -> int:
    counted = standing.paying - standing.other_currencies
    return standing.mrr_minor // counted if counted else 0


def invoiced(frame: pl.DataFrame, currency: str) -> None:
    """What was invoiced each month, by plan."""
    st.subheader(
        t("Invoiced by month"), anchor=False, help=t("Net of issued invoices less credit notes, by the month of issue.")
    )
    if frame.is_empty():
        st.caption(t("Nothing has been invoiced yet."))
        return
    shown = frame.with_columns(
        start=pl.col("month").str.to_date("%Y-%m"), net=pl.col("net_minor") / 10 ** exponent_of(currency)
    )
    names = {start: month(start) for start in shown["start"].unique()}
    shown = shown.with_columns(name=pl.col("start").replace_strict(names, return_dtype=pl.String))
    chart = (
        alt.Chart(shown.select("name", "start", "plan", "net"))
        .mark_bar(cornerRadius=1)
        .encode(
            x=alt.X("name:N", sort=alt.EncodingSortField("start"), title=None, axis=alt.Axis(labelAngle=-45, labelOverlap=False)),
            y=alt.Y("sum(net):Q", title=currency, axis=alt.Axis(format="~s")),
            color=alt.Color("plan:N", title=None),
            tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("plan:N", title=t("Plan")),
                     alt.Tooltip("sum(net):Q", title=currency, format=",.2f")],
        )
    )  # fmt: skip
    st.altair_chart(charts.styled(chart, height=300), width="stretch", key="invoiced", alt=t("Invoiced by month"))


def chores(waiting: dict[str, int], last: dict[str, Any] | None, approvals: list[dict[str, Any]]) -> None:
    """What waits for somebody, each with the way there."""
    st.subheader(t("What needs a hand"), anchor=False)
    listed = [
        (waiting["due"], t("Due for billing today"), "invoices", {"view": "run"}, "schedule"),
        (waiting["review"], t("Left out of the last run"), "invoices", {"view": "run"}, "report"),
        (waiting["held"], t("Customers on hold"), "invoices", {"view": "run"}, "pause_circle"),
        (waiting["drafts"], t("Price drafts to publish"), "plans", None, "edit_note"),
    ]
    if not approvals and not any(count for count, *_ in listed):
        st.caption(t("Nothing. Well done."))
    for count, text, page, query, icon in listed:
        if count:
            parts.link(page, f"{text}: **{number(count)}**", query=query, icon=f":material/{icon}:")
    for row in approvals[:SHOWN_APPROVALS]:
        what = t("Agreed price to approve") if row["kind"] == "price" else t("Charge or credit to approve")
        text = f"{what}: {parts.plain(row['external_id'])} · {parts.plain(row['text'])} · :gray[{parts.plain(row['author'])}]"
        parts.link("customers", text, query={"customer": row["customer_external_id"]}, icon=":material/verified:")
    if len(approvals) > SHOWN_APPROVALS:
        st.caption(t("and {count} more to approve", count=number(len(approvals) - SHOWN_APPROVALS)))
    if last:
        st.caption(
            t("Last run: {documents} documents through {through}, by {author}.", documents=number(last["documents"]),
              through=last["through"], author=parts.plain(last["author"]))
        )  # fmt: skip
    else:
        st.caption(t("No billing run yet."))


def by_plan(standing: Standing) -> None:
    """Subscriptions and MRR of each plan."""
    st.subheader(t("By plan"), anchor=False)
    rows = [
        {
            t("Plan"): row["plan"],
            t("Subscriptions"): number(row["subscriptions"]),
            t("MRR at list prices"): money(row["mrr_minor"], row["currency"]),
        }
        for row in standing.by_plan.iter_rows(named=True)
    ]
    if not rows:
        st.caption(t("No subscriptions yet."))
        return
    st.dataframe(rows, hide_index=True, column_config=parts.money_columns(t("Subscriptions"), t("MRR at list prices")))
