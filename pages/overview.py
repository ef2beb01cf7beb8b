"""How the company stands: the KPIs and what moved them, what was invoiced, and what needs a hand."""

import streamlit as st

from core.calc.movements import after_months
from core.reports import figures as entered
from core.reports import kpis, overview
from core.ui import bridge_chart, figure_forms, kpi_cards, movement_charts, parts, segment, session
from core.ui import overview_page as page
from core.ui.format import month
from core.ui.text import definition, t

context = session.open_page()
parts.header(t("Overview"))
if not session.frames(overview.has_company, context.today):
    parts.empty(
        "apartment", t("No company yet"), t("Invoices need to know who sends them."),
        button=t("Enter your company"), page="settings",
    )  # fmt: skip
    st.stop()

ledger = segment.ledger(context)
with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
    chosen, against = page.choose_range()
    filters = segment.choose(ledger)
    figure_forms.saved_views("overview", context)
    figure_forms.plans_and_marks(context, ledger.home)
    paper = st.container(width="content")
this_month = context.today.replace(day=1)
first = page.first_month(chosen, context.today, ledger.first_day)
found = page.figures(ledger, filters, first, context.today)
months = found.since(first)
segment.left_out(ledger)
if ledger.log.is_empty():
    parts.empty("monitoring", t("No figures yet"), t("They begin with the first paying customer."))
    page.chores(
        session.frames(overview.chores, context.today),
        session.frames(overview.last_run),
        session.frames(overview.approvals),
    )
    st.stop()
with paper:
    page.download(context, found, months, segment.words(filters, ledger))

usage = session.frames(bridge_chart.usage, filters, context.today)
segment.coverage(context, ledger)
kpi_cards.shown(found, months, kpi_cards.comparison(against, first, this_month), usage)
left, right = st.columns(2)
with left.container(border=True, height="stretch"):
    shown_budgets = {} if filters != kpis.Filters() else session.frames(entered.budgets)
    movement_charts.mrr_line(months, found.currency, shown_budgets, [row[:2] for row in session.frames(entered.marks)])
with right.container(border=True, height="stretch"):
    bar = movement_charts.movement_bars(months, found.currency, context.today)
if bar:
    last = after_months(bar[0], 1) - kpis.DAY
    rows = session.derived(kpis.members, ledger, filters, bar[0], min(last, context.today), (bar[1],))
    movement_charts.members(rows, found.currency, f"{movement_charts.movement_words()[bar[1]]} · {month(bar[0])}")

left, right = st.columns([3, 2])
with left.container(border=True, height="stretch"):
    st.header(t("From MRR to what was invoiced"), anchor=False, help=definition("bridge"))
    listed = {start: month(start) for start in months["month"].sort(descending=True)}
    at = st.selectbox(t("Month"), list(listed), format_func=listed.__getitem__, key="bridge:month", width=200, label_visibility="collapsed",
                      index=1 if len(listed) > 1 else 0)  # fmt: skip
    if filters != kpis.Filters():
        st.caption(t("The bridge is for all customers."))
    bridge_chart.show(session.frames(bridge_chart.read, at, context.today))
with right.container(border=True, height="stretch"):
    page.chores(
        session.frames(overview.chores, context.today),
        session.frames(overview.last_run),
        session.frames(overview.approvals),
    )
with st.container(border=True):
    page.by_plan(session.derived(kpis.by_plan, ledger, filters, first, context.today), found.currency)
with st.container(border=True):
    st.header(t("Month by month"), anchor=False)
    kind = st.segmented_control(
        t("Figures"), ["now", "reported"], key="figures:which", required=True, label_visibility="collapsed",
        format_func={"now": t("By today's facts"), "reported": t("As reported")}.__getitem__, default="now",
    )  # fmt: skip
    if kind == "now":
        movement_charts.table(found, months)
    else:
        figure_forms.as_reported(context)
    figure_forms.report_month(context, found.last_complete)
