"""How the company stands today, and what needs a hand."""

import streamlit as st

from core.reports import overview
from core.ui import overview_page as page
from core.ui import parts, session
from core.ui.text import t

context = session.open_page()
parts.header(t("Overview"), t("How the company stands today, and what needs a hand."))
if not session.frames(page.has_company, context.today):
    parts.empty(
        "apartment", t("No company yet"), t("Invoices need to know who sends them."),
        button=t("Enter your company"), page="settings",
    )  # fmt: skip
    st.stop()

standing = session.frames(overview.standing, context.today)
page.key_figures(standing)
left, right = st.columns([3, 2])
with left.container(border=True, height="stretch"):
    page.invoiced(session.frames(overview.invoiced_by_month, context.today), standing.currency)
with right.container(border=True, height="stretch"):
    page.chores(
        session.frames(overview.chores, context.today),
        session.frames(overview.last_run),
        session.frames(overview.approvals),
    )
with st.container(border=True):
    page.by_plan(standing)
