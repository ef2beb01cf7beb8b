"""Find anything from every page: Ctrl+K, a few letters, Enter."""

from __future__ import annotations

import streamlit as st

from core.reports.finding import Hit, find
from core.ui import parts, session
from core.ui.text import label, t

ICONS = {
    "customer": ":material/person:", "subscription": ":material/subscriptions:", "document": ":material/receipt_long:",
    "plan": ":material/sell:",
}  # fmt: skip
KEY = "finder:text"
# Without it the dialog has the focus, and a letter that is typed at once is a command of Streamlit's (r runs the page again).
FOCUS = """
export default function ({ parentElement }) {
  const dialog = (parentElement.host ?? parentElement).closest('[role="dialog"]')
  const field = dialog?.querySelector("input")
  field?.focus()
  field?.select()
}
"""


def button() -> None:
    """The way in, on every page."""
    if st.button(t("Find"), icon=":material/search:", key="finder", shortcut="Ctrl+K", width="stretch"):
        st.session_state.pop(KEY, None)
        st.dialog(t("Find"), width="medium")(_finder)()


def _finder() -> None:
    """What is typed is looked up as it is typed; the first hit opens with Ctrl+Enter."""
    text = st.text_input(
        t("Customer, e-mail, id, invoice or plan"), key=KEY, type="search", live="200ms",
        placeholder=t("Customer, e-mail, id, invoice or plan"), label_visibility="collapsed",
    )  # fmt: skip
    st.components.v2.component("forbli_focus", js=FOCUS)(key="finder:focus", height=1)
    if not (text or "").strip():
        st.caption(
            t("A few letters are enough: a name, an e-mail address, a customer, subscription or invoice number.")
        )
        return
    with session.read() as db:
        hits = find(db, text or "", session.current().today)
    if not hits:
        st.caption(t("Nothing is called that."))
    for place, hit in enumerate(hits):
        _hit(hit, place)


def _hit(hit: Hit, place: int) -> None:
    """One line that opens the thing."""
    said = f"**{parts.plain(hit.title)}** · {label(hit.kind)}"
    if hit.detail:
        said += f" · :gray[{parts.plain(hit.detail)}]"
    shortcut = {"shortcut": "Ctrl+Enter"} if place == 0 else {}
    if st.button(said, icon=ICONS[hit.kind], key=f"finder:{place}", type="tertiary", width="stretch", **shortcut):  # type: ignore[arg-type]
        parts.go(hit.page, dict(hit.query))
