"""Plans: what is sold, at which prices, and the drafts of tomorrow's prices; coupons."""

import streamlit as st

from core.reports import plans
from core.ui import parts, plan_list, plan_page, plan_words, session
from core.ui.text import t

context = session.open_page()
code = st.query_params.get("plan", "")
if code:
    plan_page.show(code, context)
    st.stop()

st.session_state.pop("version_chosen", None)
parts.header(t("Plans"), t("What is sold, at which prices, and the drafts of tomorrow's prices."))
views = {"plans": t("Plans"), "coupons": t("Coupons")}
view = plan_words.view_in_url("list", views)
if view == "coupons":
    plan_list.show_coupons(session.frames(plans.coupons), context, context.today)
else:
    plan_list.show(session.frames(plans.overview, context.today), context)
