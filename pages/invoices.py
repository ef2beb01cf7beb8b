"""Invoices: the list, one document with the why of every line, and the billing run."""

import streamlit as st

from core.ui import billing_run, invoice_list, invoice_page, parts, session
from core.ui.plan_words import view_in_url
from core.ui.text import t

context = session.open_page()
number = st.query_params.get("number", "")
if number:
    invoice_page.show(number, context)
    st.stop()

parts.header(t("Invoices"), t("What was invoiced and why, and what is to be invoiced next."))
view = view_in_url("view", {"list": t("All invoices"), "run": t("Billing run")})
if view == "run":
    billing_run.show(context)
else:
    invoice_list.show(context)
