"""Simulate a pricing change on the real subscriber base, decide on it, roll it out, and hold it against what came."""

from dataclasses import replace

import streamlit as st

from core.domain.errors import ForbliError
from core.reports import overview
from core.ui import parts, session, simulate_decide, simulate_reads
from core.ui import simulate_answer as answer
from core.ui import simulate_assumptions as assumptions
from core.ui import simulate_sentence as sentence
from core.ui.format import number
from core.ui.text import refusal, t

context = session.open_page()
parts.header(
    t("Simulate"),
    t(
        "What if prices were different? First exactly, for your own customers, then how they may react. Trying prices here publishes nothing."
    ),
)
if not session.frames(overview.has_company, context.today):
    parts.empty(
        "apartment",
        t("No company yet"),
        t("Invoices need to know who sends them."),
        button=t("Enter your company"),
        page="settings",
    )
    st.stop()
with st.spinner(t("Preparing the base …")):
    known = session.frames(simulate_reads.series, context.today)
if not known:
    parts.empty(
        "tune",
        t("Nothing to simulate yet"),
        t("It takes published prices that somebody subscribes to."),
        button=t("Plans"),
        page="plans",
    )
    st.stop()

row = simulate_decide.kept_ones(context)
if row is not None and simulate_decide.decided(row, context):
    simulate_decide.roll_out(row, context)
    simulate_decide.afterwards(row, context)
    st.stop()
simulate_decide.may_only_try(context)
scenario = sentence.build(known, context)
assumed, notes = assumptions.chosen()
scenario = replace(scenario, notes=notes, assumptions=assumed)
parts.show_refused()
told = st.empty()
told.markdown(f"**{parts.plain(sentence.in_words(scenario, known, context.today))}**")
try:
    exact, hoped, found = answer.answered(scenario, context.today)
except ForbliError as error:
    st.error(refusal(error), icon=":material/error:")
    simulate_decide.keep(row, scenario, context)
else:
    told.markdown(f"**{parts.plain(sentence.in_words(scenario, known, context.today, found['exact']))}**")
    sentence.order_of_days(scenario, found["exact"]["begins"], context.today)
    if sentence.changes_nothing(scenario) and not found["exact"]["delta_minor"]:
        st.info(t("Nothing changes yet: type another price above, or include an add-on."), icon=":material/edit:")
        simulate_decide.compare(None, context)
    else:
        if sentence.changes_nothing(scenario):
            st.info(
                t(
                    "No price is changed. {count} subscriptions have older prices: what is shown is what it brings to move them to the prices that are sold today.",
                    count=number(found["exact"]["changed"]),
                ),
                icon=":material/history:",
            )
        with st.container(border=True):
            answer.who_is_hit(exact, found, scenario.currency)
        with st.container(border=True):
            answer.why(found, hoped, scenario, scenario.currency)
            assumptions.show(hoped, context)
        left, right = st.columns([3, 2])
        with left.container(border=True, height="stretch"):
            answer.months_chart(hoped, scenario.currency)
        with right.container(border=True, height="stretch"):
            simulate_decide.keep(row, scenario, context)
            simulate_decide.decide(row, scenario, found, context)
        simulate_decide.compare(scenario, context)
if row is not None:
    simulate_decide.roll_out(row, context)
    simulate_decide.afterwards(row, context)
