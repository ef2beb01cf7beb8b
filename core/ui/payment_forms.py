"""Payments of an invoice: what came when, what is left, and the way to register one or to take an error back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from core.actions.payments import register_payments, take_back_payment
from core.domain.access import Permission
from core.domain.invoices import Settlement
from core.domain.money import exponent_of, to_major, to_minor
from core.domain.subscriptions import PaymentOption
from core.reports.invoices import Explained
from core.ui import parts, session
from core.ui.format import day, instant, money
from core.ui.invoice_side import pair_row
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, t


def state(view: Explained, context: session.Context) -> None:
    """How far the document is settled, as a pill."""
    settled = view.settlement(context.today)
    if settled in (Settlement.CREDITED, Settlement.OFFSET) and view.head["kind"] == "credit_note":
        return
    left = parts.plain(money(abs(view.open_minor), view.head["currency"]))
    words = {
        Settlement.OPEN: t("Open: {amount}", amount=left), Settlement.OVERDUE: t("Overdue: {amount}", amount=left),
        Settlement.IN_FAVOUR: t("In the customer's favour: {amount}", amount=left),
    }  # fmt: skip
    parts.pill(settled.value, words.get(settled, label(settled.value)))


def payments(view: Explained, context: session.Context) -> None:
    """What was paid on the document and by when, and the way to register more."""
    currency = view.head["currency"]
    with st.container(border=True):
        st.markdown(f"**{t('Payments')}**")
        if view.payments.is_empty():
            st.caption(t("Nothing has been registered."))
        rows(view.payments, context)
        pair_row(f"**{t('Left to pay')}**", f"**{parts.plain(money(view.open_minor, currency))}**")
        may = permit(context, Permission.REGISTER_PAYMENTS)
        if st.button(t("Register payment"), icon=":material/payments:", key="payment:new", **may):
            st.dialog(t("Register payment"))(form)(view)


def rows(found: pl.DataFrame, context: session.Context) -> None:
    """One payment after the other, those that stand with their way back."""
    taken = set(found["undoes_id"].drop_nulls())
    for row in found.iter_rows(named=True):
        said = [f"{row['author']}, {instant(row['recorded_at'])}", row["note"]]
        when = " · ".join(filter(None, (day(row["paid_on"]), option_text(row["payment_option"]))))
        pair_row(
            f"{parts.plain(when)}  \n:gray[:small[{parts.plain(' · '.join(filter(None, said)))}]]",
            parts.plain(money(row["amount_minor"], row["currency"])),
        )
        if row["undoes_id"] is None and row["payment_id"] not in taken:
            _way_back(row, context)


def balance_text(owed_minor: int, currency: str) -> str:
    """What is owed; what is in the customer's favour says so in words."""
    left = money(abs(owed_minor), currency)
    return t("{amount} in the customer's favour", amount=left) if owed_minor < 0 else left


def option_text(option: str) -> str:
    """ "by card" """
    return t("by {option}", option=label(option)) if option else ""


def form(view: Explained) -> None:
    """Day, amount and how; the amount is what is left."""
    context, head = session.current(), view.head
    currency, places = head["currency"], exponent_of(head["currency"])
    left, right = st.columns(2)
    amount = left.number_input(
        t("Amount in {currency}", currency=currency), value=float(to_major(view.open_minor, currency)) or None,
        step=1.0, format=f"%.{places}f", key="payment:amount", help=t("Negative where money was paid back."),
    )  # fmt: skip
    on = right.date_input(t("Paid on"), context.today, max_value=context.today, key="payment:on", format=day_format())
    options = [each.value for each in PaymentOption]
    known = options.index(head["payment_option"]) if head["payment_option"] in options else None
    option = left.selectbox(t("Payment option"), options, index=known, format_func=label, key="payment:option")
    note = right.text_input(t("Note, for us"), key="payment:note", max_chars=200)
    if not amount or on is None:
        st.caption(t("Give an amount to see what is left."))
        return
    minor = to_minor(Decimal(str(amount)), currency)
    st.markdown(_what_is_left(view, minor))
    seen = int(view.payments["payment_id"].max() or 0)  # type: ignore[arg-type]
    request = {"document_id": head["id"], "paid_on": on, "amount_minor": minor, "payment_option": option, "note": note,
               "seen_payment_id": seen}  # fmt: skip
    if st.button(t("Register payment"), type="primary", icon=":material/payments:", key="payment:go") and session.act(
        register_payments, key=f"payment:{head['number']}", requests=pl.DataFrame([request])
    ):
        session.say(t("The payment is registered"))
        st.rerun()


def _what_is_left(view: Explained, minor: int) -> str:
    """What the payment leaves of the document."""
    rest, head = view.open_minor - minor, view.head
    said = parts.plain(money(abs(rest), head["currency"]))
    if rest == 0:
        return t("{number} is settled with it.", number=parts.plain(head["number"]))
    if rest > 0:
        return t("**{amount}** is left to pay after it.", amount=said)
    if view.open_minor > 0:
        return t("It is **{amount}** more than was left: that is in the customer's favour.", amount=said)
    return t("**{amount}** is in the customer's favour after it.", amount=said)


def _way_back(row: dict[str, Any], context: session.Context) -> None:
    """Take back what was registered by mistake."""
    key = f"payment:{row['payment_id']}:back"
    with st.popover(t("Take back"), key=f"{key}:ask", type="tertiary", **permit(context, Permission.REGISTER_PAYMENTS)):
        st.caption(t("For a registration that was an error: its opposite is registered, and both stay to be seen."))
        reason = st.text_input(t("Reason"), key=f"{key}:reason", max_chars=200)
        if st.button(t("Take back"), key=key, type="primary") and session.act(
            take_back_payment, key=key, payment_id=row["payment_id"], reason=reason or ""
        ):
            session.say(t("The payment is taken back"))
            st.rerun()
