"""Customers on hold: who and why, and the form that holds or releases one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import invoices
from core.domain.access import Permission
from core.reports import billing_review as reads
from core.ui import parts, session
from core.ui.format import instant
from core.ui.plan_list import permit
from core.ui.text import t


def show(context: session.Context) -> None:
    """The list, the form, and a release for each."""
    found = session.frames(reads.held)
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{t('On hold')}**", width="content", help=t("A held customer is not billed. After the release everything that fell due meanwhile is billed at once."))  # fmt: skip
            if st.button(t("Hold or release"), icon=":material/pause_circle:", **permit(context, Permission.HOLD_BILLING)):  # fmt: skip
                _dialog("")
        if found.is_empty():
            st.caption(t("Nobody is on hold."))
        for row in found.iter_rows(named=True):
            _row(row, context)


def _row(row: dict[str, Any], context: session.Context) -> None:
    """One held customer."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{parts.plain(row['name'] or '')}** · {parts.plain(row['external_id'])} · {parts.plain(row['reason'])}  \n"
            f":gray[:small[{parts.plain(row['author'])}, {parts.plain(instant(row['recorded_at']))}]]", width="stretch",
        )  # fmt: skip
        if st.button(t("Release"), key=f"release:{row['customer_id']}", **permit(context, Permission.HOLD_BILLING)):
            _dialog(row["external_id"])


def _dialog(external_id: str) -> None:
    """Open the dialog."""
    st.dialog(t("Release the customer") if external_id else t("Hold or release a customer"))(_form)(external_id)


def _form(external_id: str) -> None:
    """Hold a customer, or release it, always with a reason."""
    choices = {"hold": t("Hold"), "release": t("Release")}
    with st.form("hold", border=False):
        who = st.text_input(t("Customer id"), external_id, disabled=bool(external_id))
        kind = "release"
        if not external_id:
            kind = st.segmented_control(t("What to do"), list(choices), format_func=choices.__getitem__, default="hold", required=True)  # fmt: skip
        reason = st.text_input(t("Reason"), placeholder=t("So that the next person understands"))
        st.caption(t("A release also lets an unusually large amount pass once."))
        if not st.form_submit_button(choices[kind] if external_id else t("Save"), type="primary"):
            return
    with session.read() as db:
        customer_id = reads.customer_id_of(db, who)
    if customer_id is None:
        st.error(t("No customer has the id {id}", id=parts.plain(who)), icon=":material/error:")
        return
    if session.act(invoices.hold, key="hold", customer_id=customer_id, held=kind == "hold", reason=reason):
        session.say(t("The customer is on hold") if kind == "hold" else t("The customer is released"))
        st.rerun()
