"""Who stays and who leaves: cohorts, causes, survival by segment, and whom we may lose next."""

import streamlit as st

from core.calc.movements import after_months
from core.reports import churn, comparisons, kpis, lifetimes
from core.ui import overview_page, parts, segment, session
from core.ui import retention_page as page
from core.ui.text import definition, t
from core.ui.view import View, keep

VIEW = View("retention")
context = session.open_page()
parts.header(t("Retention"), t("Who stays and who leaves, and whom we may lose next."))
ledger = segment.history(context, "group_off", t("Retention can be told from the first paying customers on."))
with st.container(horizontal=True, vertical_alignment="center"):
    chosen, _ = overview_page.choose_range(comparing=False)
    filters = segment.choose(ledger)
    dimensions = page.dimension_words()
    by = st.selectbox(t("Compare by"), list(dimensions), format_func=dimensions.__getitem__, key=VIEW.begin("by", lambda asked: asked if asked in dimensions else "plan", "plan"),
                      width=200, label_visibility="collapsed", persist_state="session")  # fmt: skip
    keep("by", by if by != "plan" else "")
first = overview_page.first_month(chosen, context.today, ledger.first_day)
segment.coverage(context, ledger)
found = session.frames(segment.people, filters, context.today)
cells = session.derived(churn.cohorts, ledger, filters, after_months(context.today.replace(day=1), -36), context.today)

with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(t("Cohorts"), anchor=False, help=definition("cohort"))
        what = st.segmented_control(t("Count"), ["customers", "revenue"], key="cohorts:what", required=True, default="customers", label_visibility="collapsed",
                                    format_func={"customers": t("Customers"), "revenue": t("Revenue")}.__getitem__)  # fmt: skip
    cohort = page.chosen_cohort(context.today)
    left, right = st.columns([3, 2])
    with left:
        if cells.height:
            page.heat_map(cells, what == "revenue")
        st.caption(
            t("Percent of the first month. Blank: the cohort has not come so far. Click a row to see its customers.")
        )
    with right:
        page.summary(cells)
    if cohort:
        page.members(session.derived(churn.cohort_members, ledger, filters, cohort, context.today), cohort, ledger.home)

figures = session.derived(kpis.figures, ledger, filters, first, context.today)
page.rates(
    session.derived(kpis.exposed, ledger, filters, first, context.today),
    session.derived(kpis.planned, ledger, filters, context.today),
    figures.currency,
)
left, right = st.columns(2)
with left.container(border=True, height="stretch"):
    page.churn_lines(figures.months, figures.last_complete)
with right.container(border=True, height="stretch"):
    page.causes(
        session.derived(churn.by_cause, ledger, filters, first, context.today), figures.months["month"].to_list()
    )

with st.container(border=True):
    st.header(t("How long they stay"), anchor=False, help=definition("survival"))
    curve = session.derived(lifetimes.curves, found, by)
    left, right = st.columns([4, 3])
    with left:
        seen = st.segmented_control(
            t("Seen as"), ["stay", "leave"], key="curves:seen", required=True, default="stay", label_visibility="collapsed",
            format_func={"stay": t("Share still here"), "leave": t("Share that leaves in a month")}.__getitem__,
        )  # fmt: skip
        if seen == "leave":
            page.hazards(session.derived(lifetimes.hazards, found, by), by)
        else:
            page.curves(curve, by)
    with right:
        page.at_risk_table(curve, by)
        page.test_in_words(session.derived(comparisons.compare, found, by))

with st.container(border=True):
    st.header(t("What they leave for"), anchor=False)
    left, right = st.columns([3, 2])
    with left:
        page.incidences(found)
    with right:
        page.reasons(session.frames(segment.reasons, filters, first, context.today), figures.currency)
with st.container(border=True):
    st.header(
        t("Whom we may lose"),
        anchor=False,
        help=t(
            "Active customers who have cancelled, have an unresolved contact of the last 60 days, or have not finished onboarding in their first months."
        ),
    )
    page.risk_list(session.frames(segment.at_risk, filters, context.today), found.ledger.home)
