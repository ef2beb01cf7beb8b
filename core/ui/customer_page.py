"""One customer: who it is, what it has in plain words, what comes next, its invoices, and everything that happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import streamlit as st
from sqlalchemy import Engine

from core.documents.customer_overview import customer_overview
from core.domain.access import Permission
from core.domain.errors import NotFound
from core.reports import one_customer as reads
from core.reports.contents import contents_of
from core.reports.letters import told_of
from core.reports.one_customer import OneCustomer, Upcoming
from core.reports.price_proposals import waiting
from core.store.engine import reading
from core.ui import (
    customer_contents,
    customer_facts,
    customer_forms,
    customer_past,
    customer_payments,
    desk,
    desk_agreed,
    desk_asides,
    parts,
    session,
)
from core.ui.customer_list import KEPT
from core.ui.desk_asked import Subject
from core.ui.format import day, instant, money, period, quantity, units
from core.ui.plan_list import permit
from core.ui.text import definition, label, sentence, t

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
        customer_past.periods(view)
        customer_past.documents(view)
        customer_payments.show(view, context)
        customer_past.timeline(view)
    with right:
        customer_facts.facts(view)
        customer_facts.history(view)


def owner_of(subscription: str) -> str:
    """Whose page a link to a subscription opens; the id itself where there is none, so that the page can say so."""
    if not subscription:
        return ""
    found: str | None = session.frames(reads.owner_of, subscription)
    return found or subscription


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
    told = session.frames(told_of, view.customer_id, context.today)
    for each in view.subscriptions:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{_what(each, view)}**", width="content")
                parts.pill(each["status"])
                st.space("stretch")
                st.code(each["external_id"], language=None, width="content")
            st.caption(" · ".join(_about(each, ahead)))
            if each["subscription_id"] in whole and each["status"] != "ended":
                customer_contents.show(whole[each["subscription_id"]], told)
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
        said.append(units(now["quantity_micro"]))
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


def _line(row: dict[str, Any]) -> str:
    """What a line is for, and whether it puts right what was billed before."""
    if row["corrects_id"] is not None:
        return t("{charge} · credited, billed before", charge=label(row["charge"]))
    return t("{charge} · billed anew", charge=label(row["charge"])) if row["revision"] else label(row["charge"])


def _upcoming(view: OneCustomer, ahead: Upcoming | None) -> None:
    """The next invoice, line by line, as the billing run would make it today."""
    st.header(
        t("Next invoice"), anchor=False, help=t("Made by the same engine as the billing run, by what is known today.")
    )
    if ahead is None:
        st.caption(t("Nothing is ahead."))
        return
    titles = {"amount": t("Amount"), "discount": t("Discount"), "net": t("Net")}
    discounted = (ahead.lines["discount_minor"] != 0).any()
    rows = [
        {
            t("Line"): _line(row), t("Period"): period(row["service_start"], row["service_end"])
            if row["service_start"] < row["service_end"] else day(row["service_start"]),
            t("Quantity"): quantity(row["quantity_micro"], row["convert_by"]),
            titles["amount"]: money(row["amount_minor"], ahead.currency),
            **({titles["discount"]: money(-row["discount_minor"], ahead.currency) if row["discount_minor"] else ""} if discounted else {}),
            titles["net"]: money(row["net_minor"], ahead.currency),
        }
        for row in ahead.lines.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=parts.money_columns(*titles.values()))
    net, tax, total = (parts.plain(money(each, ahead.currency)) for each in (ahead.net_minor, ahead.tax_minor, ahead.total_minor))  # fmt: skip
    st.markdown(
        t("{day}: {net} + {tax} VAT = **{total}**", day=parts.plain(day(ahead.day)), net=net, tax=tax, total=total)
    )
