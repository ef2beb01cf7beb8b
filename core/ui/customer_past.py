"""What has been with a customer: price periods, documents, and everything that happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.calendar import OPEN
from core.calc.pricebook import MICRO
from core.domain.money import exponent_of
from core.reports.one_customer import OneCustomer
from core.ui import charts, parts, session
from core.ui.customer_facts import value_text
from core.ui.customer_forms import field_names
from core.ui.format import day, instant, money, quantity, units
from core.ui.payment_forms import option_text
from core.ui.text import label, t
from core.ui.view import keep

SHOWN_EVENTS = 200


def periods(view: OneCustomer) -> None:
    """From when to when which prices and quantities held."""
    if view.periods.is_empty():
        return
    st.header(
        t("Price periods"),
        anchor=False,
        help=t(
            "From when to when the same plan, quantity and add-ons held, and what that costs a month before VAT: what discounts and limits on a rise take off is not in it."
        ),
    )
    names = {each["subscription_id"]: each["external_id"] for each in view.subscriptions}
    worth = t("A month at list prices")
    rows = [
        {
            t("From"): day(row["start"]), t("Last day"): "" if row["end"] == OPEN else day(row["end"] - timedelta(days=1)),
            t("Plan"): row["plan"], t("Quantity"): quantity(row["quantity_micro"]), t("Add-ons"): row["addons"],
            worth: money(row["mrr_minor"], row["currency"]), t("Subscription"): names[row["subscription_id"]],
        }
        for row in view.periods.sort("start", descending=True).iter_rows(named=True)
    ]  # fmt: skip
    if view.periods.height > 1 or view.invoices.height > 1:
        _chart(view)
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=parts.money_columns(worth))


def _chart(view: OneCustomer) -> None:
    """What each price period was worth a month, and what was billed when."""
    currency = view.periods["currency"][0]
    scale = 10 ** exponent_of(currency)
    names = {each["subscription_id"]: each["external_id"] for each in view.subscriptions}
    today = session.current().today
    rows = [
        {"start": row["start"], "end": min(row["end"], max(today, row["start"])), "worth": row["mrr_minor"] / scale,
         "subscription": names[row["subscription_id"]], "what": f"{row['plan']}, {quantity(row['quantity_micro'])}"}
        for row in view.periods.filter(pl.col("currency") == currency).iter_rows(named=True)
    ]  # fmt: skip
    bills = [
        {"start": row["issue_date"], "worth": (-1 if row["kind"] == "credit_note" else 1) * row["net_minor"] / scale, "what": row["number"]}
        for row in view.invoices.filter(pl.col("currency") == currency).iter_rows(named=True)
    ]  # fmt: skip
    # A year's bill is twelve times a month's worth: each has a scale of its own, and both the same days.
    days = [day for each in rows for day in (each["start"], each["end"])] + [each["start"] for each in bills]
    span = alt.Scale(domain=[alt.DateTime(year=day.year, month=day.month, date=day.day) for day in (min(days), max(days))])  # fmt: skip
    written = "%m.%Y" if (max(days) - min(days)).days > 200 else "%d.%m."  # a month would stand there twice
    time = alt.X("start:T", title=None, scale=span, axis=alt.Axis(format=written, labelOverlap="greedy", tickCount=6))

    def amount(title: str) -> alt.Y:
        axis = alt.Axis(tickCount=4, minExtent=46, maxExtent=46)
        return alt.Y("worth:Q", title=f"{title}, {currency}", scale=alt.Scale(zero=True), axis=axis)

    def told(what: str, on: str, value: str) -> list[alt.Tooltip]:
        return [
            alt.Tooltip("what:N", title=what), alt.Tooltip("start:T", title=on, format="%d.%m.%Y"),
            alt.Tooltip("worth:Q", title=value, format=",.2f"),
        ]  # fmt: skip

    legend = alt.Legend() if len(names) > 1 else None
    periods = alt.Chart(pl.DataFrame(rows)).mark_rect(opacity=0.55, cornerRadius=2).encode(
        x=time, x2="end:T", y=amount(t("A month")), y2=alt.datum(0), color=alt.Color("subscription:N", title=None, legend=legend),
        tooltip=told(t("Plan"), t("From"), t("A month")),
    )  # fmt: skip
    st.caption(t("What a month was worth at list prices before VAT"))
    st.altair_chart(charts.styled(periods, height=130), width="stretch", key="periods", alt=t("Price periods"))
    if bills:
        billed = alt.Chart(pl.DataFrame(bills)).mark_bar(width=5, cornerRadius=2, color=charts.COLOURS["sample"]).encode(
            x=time, y=amount(t("Net")), tooltip=told(t("Invoice"), t("Issued"), t("Net")),
        )  # fmt: skip
        st.caption(t("What was invoiced, before VAT, on its day"))
        st.altair_chart(charts.styled(billed, height=110), width="stretch", key="bills", alt=t("Invoices"))


def documents(view: OneCustomer) -> None:
    """The documents, newest first; choosing one opens it."""
    st.header(t("Invoices"), anchor=False)
    if view.invoices.is_empty():
        st.caption(t("Nothing has been invoiced yet."))
        return
    total, left, shared = t("Total"), t("Left to pay"), (view.invoices["other"] != "").any()
    rows = [
        {t("Number"): row["number"], t("Kind"): label(row["kind"]), t("Issued"): day(row["issue_date"]),
         t("Due"): day(row["due_date"]), total: money(row["total_minor"], row["currency"]),
         left: money(row["open_minor"], row["currency"]) if row["open_minor"] else "",
         **({t("For, or paid by"): _other(row, view)} if shared else {})}
        for row in view.invoices.iter_rows(named=True)
    ]  # fmt: skip
    opened = st.session_state.setdefault("customers:invoice", 0)
    state: Any = st.dataframe(
        pl.DataFrame(rows), hide_index=True, key=f"customers:invoices:{opened}", on_select="rerun",
        selection_mode="single-row", column_config=parts.money_columns(total, left), height=parts.tall(len(rows), 8),
    )  # fmt: skip
    if state.selection.rows:
        st.session_state["customers:invoice"] = opened + 1
        parts.go("invoices", {"number": view.invoices["number"][state.selection.rows[0]]})


def _other(row: dict[str, Any], view: OneCustomer) -> str:
    """Whom else a document concerns: who pays it, or for whom this customer does."""
    if not row["other"]:
        return ""
    mine = row["bill_to_id"] == view.customer_id
    return t("for {name}", name=row["other"]) if mine else t("paid by {name}", name=row["other"])


def timeline(view: OneCustomer) -> None:
    """Everything that happened, newest first."""
    st.header(t("Timeline"), anchor=False)
    sorts = {
        "change": t("Changes"),
        "invoice": t("Invoices"),
        "payment": t("Payments"),
        "contact": t("Contacts"),
        "data": t("Customer data"),
    }
    asked = [name for name in st.query_params.get("show", "").split(",") if name in sorts]
    chosen = st.pills(
        t("Show"), list(sorts), selection_mode="multi", format_func=sorts.__getitem__, default=asked or list(sorts),
        key="customers:timeline", label_visibility="collapsed",
    )  # fmt: skip
    keep("show", ",".join(chosen) if len(chosen) < len(sorts) else "")
    events = view.events.filter(pl.col("sort").is_in(chosen))
    if events.is_empty():
        st.caption(t("Nothing to show."))
        return
    rows = [
        {t("Day"): day(row["on"]), t("What"): label(row["kind"]), t("Details"): _details(row),
         t("By"): row["author"] or "", t("Recorded"): instant(row["recorded_at"]) if row["recorded_at"] else ""}
        for row in events.head(SHOWN_EVENTS).iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True, height=parts.tall(len(rows), 16))
    if events.height > SHOWN_EVENTS:
        st.caption(t("The newest {count} are shown.", count=SHOWN_EVENTS))


def _details(row: dict[str, Any]) -> str:
    """What an event says beyond its kind."""
    subject, detail, text = (row[name] or "" for name in ("subject", "detail", "text"))
    if row["sort"] == "data":
        return f"{field_names()[subject]}: {value_text(subject, detail)} → {value_text(subject, text)}"
    said = [
        label(subject) if row["sort"] == "contact" and subject else subject,
        option_text(detail) if row["sort"] == "payment" else label(detail) if detail else "",
    ]
    if row["quantity_micro"] is not None and (row["kind"] != "start" or row["quantity_micro"] != MICRO):
        said.append(units(row["quantity_micro"]))
    if row["until_on"]:
        said.append(t("through {day}", day=row["until_on"] - timedelta(days=1)))
    if row["amount_minor"] is not None:
        said.append(money(row["amount_minor"], row["currency"]))
    if row["undone"]:
        said.append(t("undone"))
    return " · ".join(filter(None, [*said, text]))
