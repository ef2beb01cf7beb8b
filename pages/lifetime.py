"""What customers are worth over their lifetime: one value and its range first, then what goes with it."""

import streamlit as st

from core.reports import lifetimes
from core.ui import lifetime_forms, lifetime_gap, parts, segment, session
from core.ui import lifetime_page as page
from core.ui.retention_page import dimension_words
from core.ui.text import definition, t
from core.ui.view import View, keep

VIEW = View("lifetime")
context = session.open_page()
parts.header(t("Lifetime"), t("What customers are worth while they stay, and what goes with staying."))
ledger = segment.history(context, "hourglass_disabled", t("A lifetime can be told once some customers have left."))
dimensions = dimension_words()
with st.container(horizontal=True, vertical_alignment="center"):
    by = st.selectbox(t("Compare by"), list(dimensions), format_func=dimensions.__getitem__, key=VIEW.begin("by", lambda asked: asked if asked in dimensions else "payment_option", "payment_option"),
                      width=200, label_visibility="collapsed", persist_state="session")  # fmt: skip
    keep("by", by if by != "payment_option" else "")
    filters = segment.choose(ledger)
    lifetime_forms.margins(context, ledger)
segment.coverage(context, ledger)
found = session.frames(segment.people, filters, context.today)
margin = session.frames(segment.margin, filters, context.today)
with st.spinner(t("Fitting …")):
    whole = session.derived(lifetimes.value, found.frame, "all", margin)
currency = found.ledger.home
# The one value and its curve stand before the segments are fitted, which takes three times as long.
top = st.empty()
with top.container():
    page.headline(whole, currency, by, [])
left, right = st.columns(2)
with right.container(border=True, height="stretch"):
    st.header(t("How long they stay"), anchor=False, help=definition("survival"))
    page.projection(whole)
with left.container(border=True, height="stretch"):
    st.header(
        t("By {dimension}, over the whole life", dimension=dimensions[by].lower()), anchor=False, help=definition("clv")
    )
    with st.spinner(t("Fitting …")):
        values = session.derived(lifetimes.by_segment, found, by, margin)
    page.by_segment(values, by, currency)
with top.container():
    page.headline(whole, currency, by, values)

with st.container(border=True):
    lifetime_gap.show(found, by, values, currency)

left, right = st.columns(2)
with left.container(border=True, height="stretch"):
    lifetime_forms.what_if(found, whole, currency)
with right.container(border=True, height="stretch"):
    lifetime_forms.contacts(session.frames(segment.contact_lives, filters, context.today))
with st.expander(t("How this is calculated"), icon=":material/function:"):
    page.how(whole, currency)
    st.divider()
    page.bench()
