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
OPENED = "finder:opened"
# The field has the focus at once: a letter that is typed while the dialog has it is a command of Streamlit's (r runs the page
# again). It may be drawn later than this runs, and the dialog takes the focus itself once its opening is done, so for two
# seconds from the field's first sight it is handed on. Enter opens the first hit, as soon as the hits are those of the text.
KEYS = """
export default function ({ parentElement, data }) {
  const dialog = (parentElement.host ?? parentElement).closest('[role="dialog"]')
  if (!dialog) return
  const field = () => dialog.querySelector("input")
  const open = () => {
    if (dialog.dataset.wanted && field().value.trim() === dialog.dataset.found)
      dialog.querySelector(".st-key-finder-0 button")?.click()
  }
  dialog.dataset.found = data?.text ?? ""
  if (dialog.dataset.bound) return open()
  dialog.dataset.bound = "yes"
  dialog.addEventListener("input", () => delete dialog.dataset.wanted)
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== field()) return
    dialog.dataset.wanted = "yes"
    open()
  })
  const hand_on = (times) => {
    const at = document.activeElement
    if (!dialog.isConnected || times === 0) return
    if (field() && (at === dialog || !dialog.contains(at))) field().focus()
    setTimeout(hand_on, 50, field() ? times - 1 : times)
  }
  hand_on(40)
}
"""


def button() -> None:
    """The way in, on every page."""
    if st.button(t("Find"), icon=":material/search:", key="finder", shortcut="Ctrl+K", width="stretch"):
        # A field of its own each time: the browser keeps what was typed in one that was left by Esc.
        st.session_state[OPENED] = st.session_state.get(OPENED, 0) + 1
        st.dialog(t("Find"), width="medium")(_finder)()


def _finder() -> None:
    """What is typed is looked up as it is typed; Enter opens the first hit."""
    text = st.text_input(
        t("Customer, e-mail, id, invoice or plan"), key=f"finder:text:{st.session_state.get(OPENED, 0)}", type="search", live="200ms",
        placeholder=t("Customer, e-mail, id, invoice or plan"), label_visibility="collapsed",
    )  # fmt: skip
    _hits(text or "")
    st.components.v2.component("forbli_finder", js=KEYS)(
        key="finder:keys", height=1, data={"text": (text or "").strip()}
    )


def _hits(text: str) -> None:
    """What is called that, or what could be typed."""
    if not text.strip():
        st.caption(
            t("A few letters are enough: a name, an e-mail address, a customer, subscription or invoice number.")
        )
        return
    with session.read() as db:
        hits = find(db, text, session.current().today)
    if not hits:
        st.caption(t("Nothing is called that."))
    for place, hit in enumerate(hits):
        _hit(hit, place)


def _hit(hit: Hit, place: int) -> None:
    """One line that opens the thing."""
    said = f"**{parts.plain(hit.title)}** · {label(hit.kind)}"
    if hit.detail:
        said += f" · :gray[{parts.plain(hit.detail)}]"
    if st.button(said, icon=ICONS[hit.kind], key=f"finder:{place}", type="tertiary"):
        parts.go(hit.page, dict(hit.query))
