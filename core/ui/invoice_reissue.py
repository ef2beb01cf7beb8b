"""A wrong receiver, put right in one guided step: the old invoice is credited, a new one goes to whom it should have gone."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions.reissuing import reissue
from core.domain.access import Permission
from core.frames import BUYER
from core.reports import one_customer as reads
from core.reports.invoices import Explained
from core.ui import parts, session
from core.ui.format import money
from core.ui.plan_list import permit
from core.ui.text import t


def button(view: Explained, context: session.Context) -> None:
    """The way in."""
    may = may_take_back(view, context)
    if st.button(t("Wrong receiver …"), icon=":material/forward_to_inbox:", key="reissue", **may):
        st.dialog(t("Wrong receiver"), width="large")(_form)(view)


def may_take_back(view: Explained, context: session.Context) -> dict[str, Any]:
    """How a button that takes an invoice back whole is disabled, with the reason; that can be done once."""
    if view.is_taken_back:
        return {"disabled": True, "help": parts.plain(t("{number} was taken back already", number=view.head["number"]))}
    return permit(context, Permission.CREDIT_INVOICES)


def _form(view: Explained) -> None:
    """Old and new receiver side by side, then the two documents that will be issued."""
    context, head = session.current(), view.head
    customer = session.frames(reads.one_customer, view.customer, context.today)
    payer = session.frames(reads.one_customer, customer.bill_to[0], context.today) if customer.bill_to else customer
    same = payer.customer_id == head["bill_to_id"] and all(
        payer.said.get(name) == view.buyer.get(name) for name in BUYER
    )
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.caption(t("It went to"))
        _receiver(view.buyer)
    with right.container(border=True, height="stretch"):
        st.caption(t("It would go to now"))
        _receiver(payer.said)
        parts.link(
            "customers", t("Change the customer's data or who gets the bills"), query={"customer": view.customer}
        )
    total = parts.plain(money(head["total_minor"], head["currency"]))
    st.markdown(
        t("A credit note of **{total}** goes to the old receiver and a new invoice of **{total}** to the new one: together nothing. {number} stays as it is, and no period is billed again.",
          total=total, number=parts.plain(head["number"]))
    )  # fmt: skip
    paid_on_it(view)
    why = t("It already goes there: change the customer's data or who gets the bills first.") if same else None
    if st.button(t("Credit and issue anew"), type="primary", key="reissue:go", disabled=same, help=why):
        answer = session.act(reissue, key=f"reissue:{head['number']}", number=head["number"])
        if answer:
            session.say(t("{credit} and {invoice} are issued", credit=answer["credit_note"], invoice=answer["invoice"]))
            parts.go("invoices", {"number": answer["invoice"]})


def paid_on_it(view: Explained) -> None:
    """What becomes of money that was paid on an invoice that is taken back."""
    paid = int(view.payments["amount_minor"].sum())
    if paid:
        st.warning(
            t("{amount} was paid on it. That stays in the old receiver's favour: it pays what else is open there, or is paid back.", amount=parts.plain(money(paid, view.head["currency"]))),
            icon=":material/payments:",
        )  # fmt: skip


def _receiver(said: dict[str, Any]) -> None:
    """Who and where, as an invoice says it."""
    place = f"{said.get('postal_code', '')} {said.get('city', '')}".strip()
    lines = [said.get("address", ""), place, said.get("emails", "")]
    name = parts.plain(said.get("name", "")) or t("Erased by law")
    st.markdown("  \n".join([f"**{name}**", *(parts.plain(line) for line in lines if line)]))
