"""One customer: who it is, what it has in plain words, what comes next, its invoices, and everything that happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import altair as alt
import polars as pl
import streamlit as st
from sqlalchemy import Engine

from core.calc.calendar import OPEN
from core.documents.customer_overview import customer_overview
from core.domain.access import Permission
from core.domain.errors import NotFound
from core.domain.money import exponent_of
from core.reports import one_customer as reads
from core.reports.contents import contents_of
from core.reports.one_customer import OneCustomer, Upcoming
from core.reports.price_proposals import waiting
from core.store.engine import reading
from core.ui import charts, customer_contents, customer_forms, desk, desk_agreed, desk_asides, parts, session
from core.ui.customer_forms import CHOICES, choice_text, field_names
from core.ui.customer_list import KEPT
from core.ui.desk_forms import Subject
from core.ui.format import day, instant, money, period, quantity
from core.ui.plan_list import permit
from core.ui.text import definition, label, sentence, t
from core.ui.view import keep

SHOWN_EVENTS = 200
UNIT_MICRO = 1_000_000


def show(external_id: str, context: session.Context) -> None:
    """The whole page."""
    if st.button(t("All customers"), icon=":material/arrow_back:", type="tertiary"):
        parts.go("customers", st.session_state.get(KEPT) or None)
    try:
        view = session.frames(reads.one_customer, external_id, context.today)
    except NotFound as error:
        parts.header(t("Customers"))
        parts.empty("search_off", t("No such customer"), parts.plain(sentence(error)))
        return
    ahead = session.frames(reads.upcoming, view.customer_id, context.today)
    parts.header(parts.plain(_name(view)))
    _states(view, context)
    if view.hold:
        st.warning(
            t("On hold since {instant}, by {author}: {reason}. Nothing is billed before it is released.", instant=instant(view.hold["recorded_at"]),
              author=parts.plain(view.hold["author"]), reason=parts.plain(view.hold["reason"])), icon=":material/pause_circle:",
        )  # fmt: skip
        parts.link("invoices", t("To the holds"), query={"view": "run"}, icon=":material/receipt_long:")
    desk_asides.show_notes(view, context)
    _figures(view, ahead)
    left, right = st.columns([2.2, 1], gap="medium")
    with left:
        _subscriptions(view, ahead, context)
        desk_asides.show_adjustments(view, context)
        _upcoming(view, ahead)
        _periods(view)
        _invoices(view)
        _timeline(view)
    with right:
        _facts(view)
        _history(view)


def _states(view: OneCustomer, context: session.Context) -> None:
    """Status, kind and since when."""
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.pill(view.status)
        st.markdown(
            f"{label(view.said.get('kind', ''))} · " + t("customer since {day}", day=view.created_on), width="content"
        )
        st.code(view.external_id, language=None, width="content")
    with st.container(horizontal=True, gap="small"):
        customer_forms.buttons(view, context)
        may = permit(context, Permission.CHANGE_SUBSCRIPTIONS)
        if st.button(t("New subscription"), icon=":material/add_circle:", key="customer:start", **may):
            desk.open_change("start", Subject(view.customer_id, _name(view)))
        if any(each["status"] not in ("ended", "future") for each in view.subscriptions):
            make = _Overview(context.engine, view.external_id, context.today)
            name = f"{view.external_id}-{context.today.isoformat()}.pdf"
            parts.download(t("Overview to send, PDF"), make, name, key="customer:pdf", mime="application/pdf")


def _figures(view: OneCustomer, ahead: Upcoming | None) -> None:
    """What the customer is worth, owes and gets next; one figure a currency."""
    worth: dict[str, int] = {}
    for each in view.subscriptions:
        if each["now"] and each["status"] == "active":
            worth[each["currency"]] = worth.get(each["currency"], 0) + each["now"]["mrr_minor"]
    written = {name: " + ".join(money(value, currency) for currency, value in sums.items()) or "–" for name, sums in (("worth", worth), ("balance", view.balance))}  # fmt: skip
    parts.cards(
        [
            {"label": t("MRR"), "value": written["worth"], "help": definition("MRR")},
            {"label": t("Balance"), "value": written["balance"], "help": definition("Balance")},
            {"label": t("Next invoice"), "value": money(ahead.total_minor, ahead.currency) if ahead else "–",
             "help": t("With VAT, by what is known today."), **({"delta": day(ahead.day), "delta_color": "off", "delta_arrow": "off"} if ahead else {})},
        ]
    )  # fmt: skip


@dataclass(frozen=True)
class _Overview:
    """What the download button calls, off the page's own thread."""

    engine: Engine
    external_id: str
    today: date

    def __call__(self) -> bytes:
        """The overview in the customer's language."""
        with reading(self.engine) as db:
            return customer_overview(db, self.external_id, self.today).content


# --- what it has ---------------------------------------------------------------------------------------------------


def _subscriptions(view: OneCustomer, ahead: Upcoming | None, context: session.Context) -> None:
    """Each subscription in plain words."""
    if not view.subscriptions:
        parts.empty("subscriptions", t("No subscriptions"), t("This customer has never had a subscription."))
        return
    for row in session.frames(waiting, view.customer_id):
        desk_agreed.show_waiting(row, context)
    whole = session.frames(contents_of, view.customer_id, context.today)
    for each in view.subscriptions:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{_what(each, view)}**", width="content")
                parts.pill(each["status"])
                st.space("stretch")
                st.caption(parts.plain(each["external_id"]), width="content")
            st.caption(" · ".join(_about(each, ahead)))
            if each["subscription_id"] in whole and each["status"] != "ended":
                customer_contents.show(whole[each["subscription_id"]])
            subject = Subject(view.customer_id, _name(view), each["subscription_id"], each["external_id"])
            desk.buttons(subject, each["status"], context)


def _name(view: OneCustomer) -> str:
    return str(view.said.get("name") or view.external_id)


def _what(each: dict[str, Any], view: OneCustomer) -> str:
    """ "Pro, 12 units, 2 × Storage" """
    now = each["now"]
    if now is None:
        own = view.periods.filter(pl.col("subscription_id") == each["subscription_id"])
        return parts.plain(own["plan"][-1]) if own.height else t("Subscription")
    said = [parts.plain(now["plan"])]
    if now["quantity_micro"] != UNIT_MICRO:
        said.append(t("{quantity} units", quantity=quantity(now["quantity_micro"])))
    if now["addons"]:
        said.append(parts.plain(now["addons"]))
    return ", ".join(said)


def _about(each: dict[str, Any], ahead: Upcoming | None) -> list[str]:
    """Worth, days, and what comes next."""
    said = []
    if each["now"] and each["status"] == "active":
        amount = parts.plain(money(each["now"]["mrr_minor"], each["currency"]))
        said.append(t("{amount} a month at list prices before VAT", amount=amount))
    said.append(t("since {day}", day=each["started_on"]))
    if each["status"] == "trial" and each["trial_end"]:
        said.append(t("free until {day}", day=each["trial_end"]))
    if each["ends_on"]:
        said.append(t("last day of service {day}", day=each["ends_on"] - timedelta(days=1)))
    if ahead and each["subscription_id"] in ahead.lines["subscription_id"].to_list():
        total = parts.plain(money(ahead.total_minor, ahead.currency))
        said.append(t("next invoice {day}: about {amount} incl. VAT", day=ahead.day, amount=total))
    return said


def _upcoming(view: OneCustomer, ahead: Upcoming | None) -> None:
    """The next invoice, line by line, as the billing run would make it today."""
    st.header(
        t("Next invoice"), anchor=False, help=t("Made by the same engine as the billing run, by what is known today.")
    )
    if ahead is None:
        st.caption(t("Nothing is ahead."))
        return
    titles = {"amount": t("Amount"), "discount": t("Discount"), "net": t("Net")}
    rows = [
        {
            t("Line"): label(row["charge"]), t("Period"): period(row["service_start"], row["service_end"])
            if row["service_start"] < row["service_end"] else day(row["service_start"]),
            t("Quantity"): quantity(row["quantity_micro"], row["convert_by"]),
            titles["amount"]: money(row["amount_minor"], ahead.currency),
            titles["discount"]: money(-row["discount_minor"], ahead.currency) if row["discount_minor"] else "",
            titles["net"]: money(row["net_minor"], ahead.currency),
        }
        for row in ahead.lines.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=parts.money_columns(*titles.values()))
    net, tax, total = (parts.plain(money(each, ahead.currency)) for each in (ahead.net_minor, ahead.tax_minor, ahead.total_minor))  # fmt: skip
    st.markdown(
        t("{day}: {net} + {tax} VAT = **{total}**", day=parts.plain(day(ahead.day)), net=net, tax=tax, total=total)
    )


def _periods(view: OneCustomer) -> None:
    """From when to when which prices and quantities held."""
    if view.periods.is_empty():
        return
    st.header(t("Price periods"), anchor=False, help=t("From when to when the same plan, quantity and add-ons held."))
    names = {each["subscription_id"]: each["external_id"] for each in view.subscriptions}
    worth = t("A month")
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
    time = alt.X("start:T", title=None, axis=alt.Axis(format="%m.%Y", labelOverlap="greedy", tickCount=6))
    amount = alt.Y("worth:Q", title=currency, scale=alt.Scale(zero=True))

    def told(what: str, on: str, value: str) -> list[alt.Tooltip]:
        return [
            alt.Tooltip("what:N", title=what), alt.Tooltip("start:T", title=on, format="%d.%m.%Y"),
            alt.Tooltip("worth:Q", title=value, format=",.2f"),
        ]  # fmt: skip

    legend = alt.Legend() if len(names) > 1 else None
    periods = alt.Chart(pl.DataFrame(rows)).mark_rect(opacity=0.55, cornerRadius=2).encode(
        x=time, x2="end:T", y=amount, y2=alt.datum(0), color=alt.Color("subscription:N", title=None, legend=legend),
        tooltip=told(t("Plan"), t("From"), t("A month")),
    )  # fmt: skip
    layers = [periods]
    if bills:
        layers.append(
            alt.Chart(pl.DataFrame(bills))
            .mark_point(filled=True, size=45, color=charts.COLOURS["sample"])
            .encode(
                x=time,
                y=amount,
                tooltip=told(t("Invoice"), t("Issued"), t("Net")),
            )
        )
    st.altair_chart(
        charts.styled(alt.layer(*layers), height=180), width="stretch", key="periods", alt=t("Price periods")
    )
    st.caption(t("Blocks: what a month was worth at list prices. Dots: what was billed, before VAT."))


def _invoices(view: OneCustomer) -> None:
    """The documents, newest first; choosing one opens it."""
    st.header(t("Invoices"), anchor=False)
    if view.invoices.is_empty():
        st.caption(t("Nothing has been invoiced yet."))
        return
    total, left = t("Total"), t("Left to pay")
    rows = [
        {t("Number"): row["number"], t("Kind"): label(row["kind"]), t("Issued"): day(row["issue_date"]),
         t("Due"): day(row["due_date"]), total: money(row["total_minor"], row["currency"]),
         left: money(row["open_minor"], row["currency"]) if row["open_minor"] else ""}
        for row in view.invoices.iter_rows(named=True)
    ]  # fmt: skip
    opened = st.session_state.setdefault("customers:invoice", 0)
    state: Any = st.dataframe(
        pl.DataFrame(rows), hide_index=True, key=f"customers:invoices:{opened}", on_select="rerun",
        selection_mode="single-row", column_config=parts.money_columns(total, left), height=min(38 + 35 * len(rows), 290),
    )  # fmt: skip
    if state.selection.rows:
        st.session_state["customers:invoice"] = opened + 1
        parts.go("invoices", {"number": view.invoices["number"][state.selection.rows[0]]})


# --- what happened -------------------------------------------------------------------------------------------------


def _timeline(view: OneCustomer) -> None:
    """Changes, documents, payments and contacts, newest first."""
    st.header(t("Timeline"), anchor=False)
    sorts = {"change": t("Changes"), "invoice": t("Invoices"), "payment": t("Payments"), "contact": t("Contacts")}
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
    st.dataframe(pl.DataFrame(rows), hide_index=True, height=min(38 + 35 * len(rows), 500))
    if events.height > SHOWN_EVENTS:
        st.caption(t("The newest {count} are shown.", count=SHOWN_EVENTS))


def _details(row: dict[str, Any]) -> str:
    """What an event says beyond its kind."""
    subject = row["subject"] or ""
    said = [label(subject) if row["sort"] == "contact" else subject, label(row["detail"]) if row["detail"] else ""]
    if row["quantity_micro"] is not None:
        said.append(t("{quantity} units", quantity=quantity(row["quantity_micro"])))
    if row["until_on"]:
        said.append(t("until {day}", day=row["until_on"]))
    if row["amount_minor"] is not None:
        said.append(money(row["amount_minor"], row["currency"]))
    if row["undone"]:
        said.append(t("undone"))
    return " · ".join(filter(None, said))


def _facts(view: OneCustomer) -> None:
    """What is said about the customer today."""
    with st.container(border=True, gap="small"):
        st.markdown(f"**{t('Customer data')}**")
        for name, title in field_names().items():
            value = view.said.get(name)
            if name in ("name", "kind", "bill_to_id") or value in (None, "", False):
                continue
            with st.container(gap=None):
                st.caption(title)
                st.text(_value(name, value))
        if view.bill_to:
            parts.link(
                "customers",
                t("Bills go to {name}", name=parts.plain(view.bill_to[1])),
                query={"customer": view.bill_to[0]},
            )


def _history(view: OneCustomer) -> None:
    """Who changed what about the customer, and from which day it holds."""
    with st.container(border=True):
        st.markdown(f"**{t('Changes of customer data')}**")
        if not view.history:
            st.caption(t("Nothing has been changed."))
        for row in view.history[:20]:
            field = field_names()[row["field"]]
            st.caption(t("from {day} · {author}", day=row["effective_from"], author=parts.plain(row["author"])))
            before, after = (_value(row["field"], row[side]) for side in ("before", "after"))
            st.text(f"{field}: {before} → {after}")


def _value(field: str, value: Any) -> str:
    """A field's value as it is read."""
    if value in (None, ""):
        return t("nothing")
    if isinstance(value, bool):
        return label("yes" if value else "no")
    return choice_text(field, value) if field in CHOICES else str(value)
