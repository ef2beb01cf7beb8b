"""One-off charges, goodwill credits and pinned notes on the customer's page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from core.actions.adjustments import approve_adjustment, ask_adjustments, decline_adjustment, withdraw_adjustment
from core.actions.notes import pin_note
from core.domain.access import Permission
from core.domain.money import exponent_of
from core.domain.subscriptions import AdjustmentKind
from core.reports import asides, change_preview, desk_choices
from core.reports.one_customer import OneCustomer
from core.ui import parts, session
from core.ui.desk_asked import Subject
from core.ui.desk_effect import show_effect
from core.ui.format import instant, money
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, t

COLOURS = {"waiting": "orange", "next": "blue", "billed": "green", "declined": "gray", "withdrawn": "gray"}


def adjust_form(subject: Subject, *, credit_for: str = "") -> None:
    """A charge or a credit with its text on the invoice and its effect; `credit_for`: the text of what can only be a credit."""
    context, key = session.current(), f"adjust:{subject.subscription_id}"
    assert subject.subscription_id is not None
    chosen = session.frames(desk_choices.choices, subject.subscription_id, context.today)
    currency = chosen.now["currency"]
    kinds = {AdjustmentKind.GOODWILL.value: t("Goodwill credit"), AdjustmentKind.CHARGE.value: t("One-off charge")}
    kind: str | None = AdjustmentKind.GOODWILL.value
    if not credit_for:
        kind = st.segmented_control(
            t("Kind"), list(kinds), format_func=kinds.__getitem__, default="goodwill", key=f"{key}:kind", required=True
        )
    left, middle = st.columns(2)
    amount = left.number_input(
        t("Amount in {currency}, as the plan's prices", currency=currency),
        0.0,
        value=None,
        step=1.0,
        format="%.2f",
        key=f"{key}:amount",
    )
    on = middle.date_input(t("On the first invoice from"), context.today, key=f"{key}:on", format=day_format())
    text = st.text_input(t("Text on the invoice"), credit_for, key=f"{key}:text", max_chars=200)
    reason = st.text_input(t("Reason, for us"), key=f"{key}:reason", max_chars=200)
    if not amount or on is None:
        st.caption(t("Give an amount to see what it does."))
        return
    minor = int(Decimal(str(amount)).scaleb(exponent_of(currency)).to_integral_value())
    request = (
        ("subscription_id", subject.subscription_id),
        ("kind", kind),
        ("amount_minor", minor),
        ("text", text),
        ("effective_on", on),
        ("reason", reason),
    )
    effect = session.frames(change_preview.effect, subject.customer_id, "adjust", request, context.today)
    with st.container(border=True):
        show_effect(effect)
    st.caption(_who_decides(minor, currency, context))
    if st.button(
        t("Put it on the invoice"),
        type="primary",
        icon=":material/receipt:",
        key=f"{key}:send",
        disabled=effect.error is not None,
    ):
        answer = session.act(ask_adjustments, key=key, requests=pl.DataFrame([dict(request)]))
        if answer:
            session.say(t("It waits for approval") if answer["waiting"] else t("It comes on the next invoice"))
            st.rerun()


def _who_decides(amount_minor: int, currency: str, context: session.Context) -> str:
    """May the person who asks decide alone, and up to which amount?"""
    limit = session.frames(asides.own_limit, context.actor.role, currency, context.today)
    named = {"limit": parts.plain(money(limit, currency))}
    if amount_minor <= limit:
        return t("Up to {limit} you decide alone: nobody else is asked.", **named)
    if not limit:
        return t("It waits until a second person approves it.")
    return t("You may decide alone up to {limit}. This is more: it waits until a second person approves it.", **named)


def show_adjustments(view: OneCustomer, context: session.Context) -> None:
    """What waits, what comes next and what was billed, with the ways out."""
    rows = session.frames(asides.adjustments, view.customer_id)
    if not rows:
        return
    st.header(t("One-off charges and credits"), anchor=False)
    for row in rows[:20]:
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(label(row["state"]), color=COLOURS[row["state"]])  # type: ignore[arg-type]
            sign = -1 if row["kind"] == AdjustmentKind.GOODWILL else 1
            amount = parts.plain(money(sign * row["amount_minor"], row["currency"], sign=True))
            said = (
                f"**{amount}** · {parts.plain(row['text'])} · "
                + t("from {day}", day=row["effective_on"])
                + f" · :gray[{parts.plain(row['author'])}]"
            )
            st.markdown(said, width="stretch")
            _ways_out(row, context)


def _ways_out(row: dict[str, Any], context: session.Context) -> None:
    """Approve, decline or withdraw; or the document that carries it."""
    key, state = f"adjustment:{row['id']}", row["state"]
    if state == asides.BILLED:
        parts.link("invoices", parts.plain(row["number"]), query={"number": row["number"]})
    if state == asides.WAITING:
        may = permit(context, Permission.CREDIT_INVOICES)
        if row["author"] == context.actor.name:
            may = {"disabled": True, "help": t("You asked for it: a second person must approve it.")}
        if st.button(t("Approve"), key=f"{key}:yes", type="primary", **may) and session.act(
            approve_adjustment, key=f"{key}:yes", adjustment_id=row["id"]
        ):
            st.rerun()
        if st.button(t("Decline"), key=f"{key}:no", **permit(context, Permission.CREDIT_INVOICES)) and session.act(
            decline_adjustment, key=f"{key}:no", adjustment_id=row["id"]
        ):
            st.rerun()
    if state == asides.NEXT and row["decision"] is None and st.button(
        t("Withdraw"), key=f"{key}:back", **permit(context, Permission.CHANGE_SUBSCRIPTIONS)
    ) and session.act(withdraw_adjustment, key=f"{key}:back", adjustment_id=row["id"]):  # fmt: skip
        st.rerun()


def show_notes(view: OneCustomer, context: session.Context) -> None:
    """Pinned notes above everything, and the way to write one."""
    may = permit(context, Permission.RECORD_CONTACTS)
    for note in session.frames(asides.notes, view.customer_id):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":orange[:material/push_pin:] {parts.plain(note['text'])}  \n:gray[:small[{parts.plain(note['author'])}, {instant(note['recorded_at'])}]]",
                width="stretch",
            )
            key = f"note:{note['id']}"
            if st.button(t("Take down"), key=key, type="tertiary", **may) and session.act(
                pin_note, key=key, customer_id=view.customer_id, text="", replaces_id=note["id"]
            ):
                st.rerun()


def note_form(view: OneCustomer) -> None:
    """A note that everybody sees first."""
    text = st.text_area(t("What the next person should know"), key="note:new", max_chars=500)
    if st.button(t("Pin"), type="primary", icon=":material/push_pin:", key="note:pin") and session.act(
        pin_note, key=f"note:{view.customer_id}", customer_id=view.customer_id, text=text or ""
    ):
        session.say(t("The note is pinned"))
        st.rerun()
