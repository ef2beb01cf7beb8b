"""Customers: find one by name, e-mail, id or invoice number; everything about one on a page."""

import streamlit as st

from core.ui import customer_list, customer_page, many_page, parts, session
from core.ui.text import t

context = session.open_page()
external_id = st.query_params.get("customer", "") or customer_page.owner_of(st.query_params.get("subscription", ""))
if external_id:
    customer_page.show(external_id, context)
    st.stop()

if st.query_params.get("many"):
    many_page.show(context)
    st.stop()

parts.header(t("Customers"), t("Who subscribes, to what, and what that is worth a month."))
customer_list.show(context)
