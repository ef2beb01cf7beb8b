"""The bridge from MRR to what was invoiced, and the subscriptions behind each of its bars."""

from __future__ import annotations

from datetime import date, timedelta

import altair as alt
import polars as pl
import streamlit as st
from sqlalchemy.orm import Session

from core.calc.movements import after_months
from core.domain.money import exponent_of
from core.reports import kpis, mrr
from core.reports.bridge import BARS, Bridge, bridge, usage_by_month
from core.ui import charts, parts, session
from core.ui.format import money, month, number
from core.ui.text import t

MOST_ROWS = 500


def read(db: Session, month_: date, today: date) -> Bridge:
    """The bridge of a month, by the shared ledger."""
    return bridge(db, session.carried(mrr.ledger, today), month_, today)


def usage(db: Session, filters: kpis.Filters, today: date) -> int:
    """Usage MRR of a segment: a third of the metered revenue of the last three whole months."""
    this_month = today.replace(day=1)
    own = kpis.segment(session.carried(mrr.ledger, today), filters)
    rows = usage_by_month(db, own, after_months(this_month, -3), this_month - timedelta(days=1))
    return round(int(rows["usage_minor"].sum()) / 3)


def _words() -> dict[str, str]:
    return {
        "longer": t("Longer intervals"), "parts": t("Part periods and changes"), "usage": t("Usage"),
        "one_offs": t("One-offs"), "credits": t("Credits"), "currency": t("Currency"),
    }  # fmt: skip


def show(found: Bridge) -> None:
    """Waterfall, what it ties to, and the rows of the bar that was clicked."""
    words, currency = _words(), found.currency
    scale = 10 ** exponent_of(currency)
    bars = [(t("MRR at the end"), "mrr", found.mrr_minor, 0, "total")]
    height = found.mrr_minor
    for name in BARS:
        if found.bars[name]:
            bars.append((words[name], name, found.bars[name], height, "up" if found.bars[name] > 0 else "down"))
            height += found.bars[name]
    bars.append((t("Invoiced net"), "invoiced", found.invoiced_minor, 0, "total"))
    frame = pl.DataFrame(
        [(said, key, amount / scale, start / scale, (start + amount) / scale, charts.COLOURS["today" if kind == "total" else kind])
         for said, key, amount, start, kind in bars],
        schema=["what", "key", "amount", "start", "end", "colour"], orient="row",
    )  # fmt: skip
    pick = alt.selection_point(name="part", fields=["key"])
    chart = alt.Chart(frame).mark_bar(cornerRadius=2, cursor="pointer").encode(
        x=alt.X("what:N", sort=None, title=None, axis=alt.Axis(labelAngle=-25, labelLimit=150, labelOverlap=False)),
        y=alt.Y("start:Q", title=currency, axis=charts.short_axis()), y2="end:Q", color=alt.Color("colour:N", scale=None),
        opacity=alt.condition(pick, alt.value(1.0), alt.value(0.4)),
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("amount:Q", title=currency, format=",.2f")],
    ).add_params(pick)  # fmt: skip
    event = st.altair_chart(
        charts.styled(chart, height=260), width="stretch", key="bridge", on_select="rerun", selection_mode="part",
        alt=t("From MRR to what was invoiced"),
    )  # fmt: skip
    if found.ties:
        st.caption(
            t("{documents} documents of {month}: their lines and the ledger say the same, {amount}.", documents=number(found.documents),
              month=month(found.month), amount=parts.plain(money(found.invoiced_minor, currency)))
        )  # fmt: skip
    else:
        st.error(
            t("The lines and the ledger of this month differ. Check the books in Settings."), icon=":material/error:"
        )
    chosen = (event.selection.get("part") or []) if event else []
    if chosen and chosen[0]["key"] in words:
        _rows(found, chosen[0]["key"], words[chosen[0]["key"]])


def _rows(found: Bridge, part: str, title: str) -> None:
    """The subscriptions behind a bar, the largest first."""
    rows = found.rows.filter(pl.col("part") == part)
    st.markdown(f"**{title}** · {parts.plain(money(found.bars[part], found.currency, sign=True))}")
    mrr, billed, difference = t("MRR"), t("Invoiced"), t("Difference")
    listed = [
        {t("Subscription"): row["external_id"], t("Customer"): row["customer"], mrr: money(row["mrr_minor"], found.currency),
         billed: money(row["billed_minor"], found.currency), difference: money(row["difference_minor"], found.currency, sign=True)}
        for row in rows.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    if not listed:
        st.caption(t("Rounding and rates only: no single subscription."))
        return
    parts.customer_rows(listed, rows["customer"].to_list(), key=f"bridge:{part}", money=(mrr, billed, difference))
    if rows.height > MOST_ROWS:
        st.caption(t("The {count} largest of {all}.", count=number(MOST_ROWS), all=number(rows.height)))
