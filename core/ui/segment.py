"""The segment that figures are shown for: one set of filters on all pages of figures, in the URL and kept over pages."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import streamlit as st
from sqlalchemy.orm import Session

from core.calc import drivers
from core.domain.subscriptions import Channel, CustomerKind, PaymentOption
from core.reports import churn, lifetimes, mrr, overview
from core.reports.kpis import Filters
from core.ui import parts, session
from core.ui.format import country, month
from core.ui.text import label, t
from core.ui.view import begin, keep

FIELDS = ("plan", "kind", "country", "channel", "payment_option", "currency")


def ledger(context: session.Context) -> mrr.Ledger:
    """The MRR ledger, read once for a data revision."""
    found: mrr.Ledger = session.carried(mrr.ledger, context.today)
    return found


def left_out(known: mrr.Ledger) -> None:
    """Whose money no figure holds: currencies that nobody has entered a rate of."""
    if known.missing:
        st.warning(
            t("Left out for want of a rate: {currencies}. Enter one in Settings.", currencies=", ".join(known.missing))
        )


def history(context: session.Context, icon: str, why: str) -> mrr.Ledger:
    """The ledger of a page that needs a history; without one the page ends here and says so."""
    known = ledger(context) if session.frames(overview.has_company, context.today) else None
    if known is not None:
        left_out(known)
    if known is None or known.log.is_empty():
        parts.empty(icon, t("No history yet"), why, button=t("Go to the customers"), page="customers")
        st.stop()
    return known


def coverage(context: session.Context, known: mrr.Ledger) -> None:
    """Say so where figures mix what was billed here with what was imported."""
    since = session.frames(overview.billed_since)
    if (
        known.first_day is None
        or known.first_day > context.today
        or (since and months_apart(known.first_day, since) <= 1)
    ):
        return
    first = month(known.first_day)
    if since is None:
        said = t(
            "Nothing has been billed here yet: all figures since {first} rest on recorded or imported history.",
            first=first,
        )
    else:
        said = t("Billed here since {since}; the figures from {first} until then rest on recorded or imported history.",
                 since=month(since), first=first)  # fmt: skip
    st.caption(f":material/history: {said}")


def months_apart(first: date, last: date) -> int:
    """Whole calendar months between two days."""
    return (last.year - first.year) * 12 + last.month - first.month


def choose(known: mrr.Ledger) -> Filters:
    """The filters in a popover; what is chosen stands on its button and in the URL."""
    people = known.people
    options: dict[str, tuple[str, list[Any], Any]] = {
        "plan": (t("Plan"), sorted(known.names), lambda value: known.names.get(value, str(value))),
        "kind": (t("Kind"), [each.value for each in CustomerKind], label),
        "country": (t("Country"), people["country"].unique().sort().to_list(), country),
        "channel": (t("Channel"), [each.value for each in Channel], label),
        "payment_option": (t("Payment option"), [each.value for each in PaymentOption], label),
    }
    chosen = {name: _begun(name, options[name][1]) for name in options}
    count = sum(1 for values in chosen.values() if values) + bool(_currency(known))
    text = t("Filters") if not count else t("Filters ({count})", count=count)
    with st.popover(text, icon=":material/filter_list:"):
        for name, (title, values, words) in options.items():
            st.multiselect(
                title, values, format_func=words, key=f"segment:{name}", persist_state="session", placeholder=t("All")
            )
            picked = st.session_state[f"segment:{name}"]
            keep(name, ",".join(str(value) for value in picked))
            chosen[name] = picked
        currencies = known.steps["currency"].unique().sort().to_list()
        if len(currencies) > 1:
            st.selectbox(
                t("Currency"), currencies, key="segment:currency", persist_state="session", index=None,
                placeholder=t("All, in {currency}", currency=known.home),
                help=t("With a currency chosen, only its subscriptions count, and nothing is converted."),
            )  # fmt: skip
            keep("currency", st.session_state["segment:currency"] or "")
        st.button(
            t("Show everything"),
            icon=":material/filter_list_off:",
            on_click=_clear,
            key="segment:clear",
            disabled=not count,
        )
    return Filters(
        plans=tuple(chosen["plan"]), kinds=tuple(chosen["kind"]), countries=tuple(chosen["country"]),
        channels=tuple(chosen["channel"]), payment_options=tuple(chosen["payment_option"]), currency=_currency(known),
    )  # fmt: skip


def _begun(name: str, options: list[Any]) -> list[Any]:
    """What is chosen: what the session keeps, at first what the URL says."""
    key = f"segment:{name}"
    begin(key, name, lambda given: [option for option in options if str(option) in given.split(",")], [])
    return list(st.session_state[key])


def _currency(known: mrr.Ledger) -> str:
    """The currency chosen, if there is one."""
    here = known.steps["currency"].unique().to_list()
    begin("segment:currency", "currency", lambda given: given if given in here else None, None)
    return st.session_state["segment:currency"] or ""


def _clear() -> None:
    """Forget all filters."""
    for name in FIELDS:
        st.query_params.pop(name, None)
        st.session_state[f"segment:{name}"] = None if name == "currency" else []


def words(filters: Filters, known: mrr.Ledger) -> str:
    """The segment in words, for files and headings."""
    said = [
        *(known.names[plan_id] for plan_id in filters.plans), *(label(value) for value in filters.kinds),
        *(country(value) for value in filters.countries), *(label(value) for value in filters.channels),
        *(label(value) for value in filters.payment_options), *([filters.currency] if filters.currency else []),
    ]  # fmt: skip
    return ", ".join(said) if said else t("All customers")


def people(db: Session, filters: Filters, today: date) -> lifetimes.People:
    """The customers of a segment as survival subjects, by the shared ledger."""
    return lifetimes.people(db, session.carried(mrr.ledger, today), filters, today)


def reasons(db: Session, filters: Filters, first: date, today: date) -> pl.DataFrame:
    """Stated reasons of the segment's churn, by the shared ledger."""
    return churn.reasons(db, session.carried(mrr.ledger, today), filters, first, today)


def at_risk(db: Session, filters: Filters, today: date) -> pl.DataFrame:
    """Whom of the segment we may lose."""
    return churn.at_risk(db, session.frames(people, filters, today), today)


def margin(db: Session, filters: Filters, today: date) -> float:
    """The segment's margin."""
    return lifetimes.margin_of(db, session.frames(people, filters, today), today)


def contact_lives(db: Session, filters: Filters, today: date) -> pl.DataFrame:
    """Subjects who were there after two months, by whether they had contacted customer service before."""
    found = session.frames(people, filters, today)
    return drivers.landmark(found.frame, lifetimes.contacts(db), 2)
