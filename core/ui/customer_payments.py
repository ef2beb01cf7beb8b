"""Payments of a customer that name no invoice: they settle the oldest open ones. The way to register one, or to take one back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from core.actions.payments import register_payments
from core.domain.access import Permission
from core.domain.money import exponent_of, to_minor
from core.domain.subscriptions import PaymentOption
from core.reports import payments as reads
from core.reports.one_customer import OneCustomer
from core.ui import parts, payment_forms, session
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import definition, label, t


def show(view: OneCustomer, context: session.Context) -> None:
    """What was paid without an invoice, each with its way back, and the way to register one."""
    found = session.frames(reads.without_document, view.customer_id)
    if found.is_empty() and not view.balance:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(
            t("Payments without an invoice"), anchor=False, width="content",
            help=t("They settle the oldest invoices that are open; what is over stays in the customer's favour."),
        )  # fmt: skip
        may = permit(context, Permission.REGISTER_PAYMENTS)
        if st.button(t("Register payment"), icon=":material/payments:", key="loose:new", **may):
            st.dialog(t("Register payment"))(_form)(view)
    if found.is_empty():
        st.caption(t("Nothing has been registered."))
        return
    with st.container(border=True):
        payment_forms.rows(found, context)


def _form(view: OneCustomer) -> None:
    """Currency, amount, day and how."""
    context, known = session.current(), list(view.balance)
    currency = known[0] if len(known) == 1 else st.selectbox(t("Currency"), known, key="loose:currency")
    owed = view.balance[currency]
    st.caption(f"{t('Balance')}: {parts.plain(payment_forms.balance_text(owed, currency))}", help=definition("Balance"))
    left, right = st.columns(2)
    amount = left.number_input(
        t("Amount in {currency}", currency=currency), value=None, step=1.0, format=f"%.{exponent_of(currency)}f",
        key="loose:amount", help=t("Negative where money was paid back."),
    )  # fmt: skip
    on = right.date_input(t("Paid on"), context.today, max_value=context.today, key="loose:on", format=day_format())
    options = [each.value for each in PaymentOption]
    usual = view.said.get("payment_option")
    option = left.selectbox(
        t("Payment option"), options, options.index(usual) if usual in options else None, format_func=label, key="loose:option",
    )  # fmt: skip
    note = right.text_input(t("Note, for us"), key="loose:note", max_chars=200)
    if not amount or on is None:
        st.caption(t("Give an amount to see what is left."))
        return
    minor = to_minor(Decimal(str(amount)), currency)
    st.markdown(t("The balance is **{amount}** after it.", amount=parts.plain(payment_forms.balance_text(owed - minor, currency))))  # fmt: skip
    request: dict[str, Any] = {
        "customer_id": view.customer_id, "currency": currency, "paid_on": on, "amount_minor": minor,
        "payment_option": option, "note": note,
    }  # fmt: skip
    if st.button(t("Register payment"), type="primary", icon=":material/payments:", key="loose:go") and session.act(
        register_payments, key=f"loose:{view.external_id}", requests=pl.DataFrame([request])
    ):
        session.say(t("The payment is registered"))
        st.rerun()
