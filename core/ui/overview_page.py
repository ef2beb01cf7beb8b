"""The pieces of the overview page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.calc.movements import KINDS, after_months
from core.documents.kpi_page import kpi_page
from core.domain.invoices import Settlement
from core.reports import kpis, mrr, payments
from core.reports.kpis import Figures, Filters
from core.reports.mrr import Ledger
from core.store import billing
from core.ui import bridge_chart, movement_charts, parts, session
from core.ui.format import money, number
from core.ui.movement_charts import movement_words
from core.ui.text import t
from core.ui.view import View, keep

SHOWN_APPROVALS = 5
VIEW = View("figures")


USUAL = "12"
RANGES = {"3": 3, "6": 6, "12": 12, "24": 24, "36": 36}


def range_words() -> dict[str, str]:
    """What the ranges are called."""
    return {**{name: t("{count} mo.", count=name) for name in RANGES}, "year": t("This year"), "all": t("All")}


def first_month(chosen: str, today: date, first_day: date | None) -> date:
    """The first month of a range that ends with the running one."""
    if chosen == "year":
        return date(today.year, 1, 1)
    if chosen == "all" and first_day:
        return first_day.replace(day=1)
    return after_months(today.replace(day=1), 1 - RANGES.get(chosen, 12))


def figures(known: Ledger, filters: Filters, first: date, today: date) -> Figures:
    """The figures of the months from `first` on, with those before that they are compared with."""
    reach = min(after_months(first, -2), after_months(today.replace(day=1), -13))
    found: Figures = session.derived(kpis.figures, known, filters, reach, today)
    return found


def prepare(today: date) -> None:
    """Read what the page shows first, as it opens."""
    known = session.carried(mrr.ledger, today)
    figures(known, Filters(), first_month(USUAL, today, known.first_day), today)
    session.frames(bridge_chart.usage, Filters(), today)


def choose_range(*, comparing: bool = True) -> tuple[str, str]:
    """The range and what it is compared with, both in the URL."""
    words = range_words()
    key = VIEW.begin("range", lambda asked: asked if asked in words else USUAL, USUAL)
    chosen = st.segmented_control(
        t("Range"), list(words), format_func=words.__getitem__, key=key, required=True, label_visibility="collapsed",
        persist_state="session",
    )  # fmt: skip
    keep("range", chosen if chosen and chosen != USUAL else "")
    if not comparing:
        return chosen or USUAL, "none"
    against = {
        "start": t("Compare with the beginning"),
        "year": t("Compare with a year ago"),
        "none": t("Compare with nothing"),
    }
    compare = VIEW.begin("compare", lambda asked: asked if asked in against else "start", "start")
    picked = st.selectbox(
        t("Compare"), list(against), format_func=against.__getitem__, key=compare, width=190, label_visibility="collapsed",
        persist_state="session",
    )  # fmt: skip
    keep("compare", picked if picked != "start" else "")
    return chosen or USUAL, picked


def by_plan(frame: pl.DataFrame, currency: str) -> None:
    """What each plan's MRR did in the range."""
    st.header(t("By plan"), anchor=False, help=t("Customers who change plan move out of one and into the other."))
    flows = [name for name in (*KINDS, "fx") if (frame[name] != 0).any()]
    names = {
        "opening": t("At the beginning"),
        **{name: movement_words()[name] for name in flows},
        "closing": t("At the end"),
    }
    rows = [
        {
            t("Plan"): row["plan"] or t("All plans"),
            t("Customers"): number(row["customers"]),
            **{said: money(row[name], currency) for name, said in names.items()},
        }
        for row in frame.sort(pl.col("plan_id").is_null(), "closing", descending=[False, True]).iter_rows(named=True)
    ]
    st.dataframe(rows, hide_index=True, column_config=parts.money_columns(t("Customers"), *names.values()))


def download(context: session.Context, found: Figures, months: pl.DataFrame, segment: str) -> None:
    """The page on paper."""

    def made() -> bytes:
        with session.read() as db:
            company = billing.company_name(db, context.today)
        return kpi_page(
            replace(found, months=months),
            movement_charts.as_svg(months, found.currency),
            context.language,
            company=company,
            segment=segment,
            today=context.today,
        ).content

    parts.download(t("PDF"), made, f"overview-{context.today}.pdf", key="overview:pdf", mime="application/pdf")


def chores(waiting: dict[str, int], last: dict[str, Any] | None, approvals: list[dict[str, Any]]) -> None:
    """What waits for somebody, each with the way there."""
    st.header(t("What needs a hand"), anchor=False)
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
        _overdue()
        st.caption(
            t("Last run: {documents} through {through}, by {author}.", documents=t("{count} documents", count=number(last["documents"])),
              through=last["through"], author=parts.plain(last["author"]))
        )  # fmt: skip
    else:
        st.caption(t("No billing run yet."))


def _overdue() -> None:
    """The way to what is overdue at once; how many are, when every payment is settled."""
    place, text = st.empty(), t("Overdue invoices")
    state, icon = Settlement.OVERDUE.value, ":material/payments:"
    with place:
        parts.link("invoices", text, query={"state": state}, icon=icon)
    count = session.frames(payments.left_ids, state, session.current().today).len()
    with place:
        parts.link("invoices", f"{text}: **{number(count)}**", query={"state": state}, icon=icon)
