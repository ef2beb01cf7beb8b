"""Wrong receiver, in one guided step: who got the invoice, who should have, and what is issued to put it right."""

from __future__ import annotations

import streamlit as st

from core.actions.reissuing import reissue
from core.domain.access import Permission
from core.reports import one_customer as reads
from core.reports.invoices import Explained
from core.ui import parts, session
from core.ui.format import money
from core.ui.plan_list import permit
from core.ui.text import t


def button(view: Explained, context: session.Context) -> None:
    """The way in."""
    may = permit(context, Permission.CREDIT_INVOICES)
    if st.button(t("Wrong receiver …"), icon=":material/forward_to_inbox:", key="reissue", **may):
        st.dialog(t("Wrong receiver"), width="large")(_form)(view)


def _form(view: Explained) -> None:
    """Old and new receiver side by side, then the two documents that will be issued."""
    context, head = session.current(), view.head
    customer = session.frames(reads.one_customer, view.customer, context.today)
    now = customer.bill_to[1] if customer.bill_to else customer.said.get("name", "")
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.caption(t("It went to"))
        st.markdown(f"**{parts.plain(view.buyer.get('name', ''))}**  \n{parts.plain(view.buyer.get('address', ''))}")
    with right.container(border=True, height="stretch"):
        st.caption(t("It would go to now"))
        st.markdown(f"**{parts.plain(now)}**")
        parts.link(
            "customers", t("Change the customer's data or who gets the bills"), query={"customer": view.customer}
        )
    total = parts.plain(money(head["total_minor"], head["currency"]))
    st.markdown(
        t("A credit note of **{total}** goes to the old receiver and a new invoice of **{total}** to the new one: together nothing. {number} stays as it is, and no period is billed again.",
          total=total, number=parts.plain(head["number"]))
    )  # fmt: skip
    if st.button(t("Credit and issue anew"), type="primary", key="reissue:go"):
        answer = session.act(reissue, key=f"reissue:{head['number']}", number=head["number"])
        if answer:
            session.say(t("{credit} and {invoice} are issued", credit=answer["credit_note"], invoice=answer["invoice"]))
            parts.go("invoices", {"number": answer["invoice"]})
