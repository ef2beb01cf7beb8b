"""What can be asked and entered on the lifetime page: margins, what-ifs, and lives after early contacts."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.actions import figures as actions
from core.calc import survival
from core.domain.access import Permission
from core.reports import comparisons, lifetimes
from core.reports.lifetimes import People, Value
from core.reports.mrr import Ledger
from core.ui import parts, session
from core.ui.format import money, number, share
from core.ui.text import label, t


def margins(context: session.Context, ledger: Ledger) -> None:
    """The margin of each plan, entered by staff."""
    if not context.may(Permission.PLAN_FIGURES):
        return
    known = session.frames(lifetimes.margins, context.today)
    with st.popover(t("Margins"), icon=":material/percent:"):
        st.caption(t("The share of revenue that is left after a plan's own costs; 100 % until you enter one."))
        with st.form("margin", border=False):
            plan = st.selectbox(
                t("Plan"), sorted(ledger.names), format_func=ledger.names.__getitem__, key="margin:plan"
            )
            percent = st.number_input(t("Margin, %"), 0.0, 100.0, 100.0, 1.0, key="margin:percent")
            if st.form_submit_button(t("Save margin")) and session.act(
                actions.set_margin,
                key="margin",
                plan_id=plan,
                effective_from=context.today,
                margin_ppm=round(percent * 10_000),
            ):
                session.say(t("The margin is saved."))
                st.rerun()
        for plan_id, ppm in sorted(known.items()):
            st.caption(f"{parts.plain(ledger.names[plan_id])}: {number(ppm / 10_000)} %")


def what_if(found: People, whole: Value, currency: str) -> None:
    """If fewer left for a cause: labelled as what it is."""
    st.header(t("What if"), anchor=False)
    counts = found.frame.filter(pl.col("cause").is_not_null())["cause"].value_counts(sort=True)
    enough = [cause for cause, count in counts.iter_rows() if count >= 30]
    if not enough or whole.months is None:
        st.caption(t("No cause has 30 ends yet: nothing can be said."))
        return
    with st.container(horizontal=True):
        names = {cause: label(cause) for cause in enough}
        cause = st.selectbox(t("Ends by this cause"), enough, format_func=names.__getitem__, key="whatif:cause", width=220,
                             index=enough.index("involuntary") if "involuntary" in enough else 0)  # fmt: skip
        less = st.slider(t("fall by"), 0, 100, 50, 10, format="%d %%", key="whatif:less", width=260)
    told = comparisons.what_if(found, cause, 1 - less / 100)
    if told is None:
        return
    now, then, horizon = told
    start = float(found.frame["start_mrr"].fill_null(0).mean() or 0) / 12 * whole.margin  # type: ignore[arg-type]
    st.metric(
        t("Value of a new customer in the first {count} months", count=horizon), money(round(start * then), currency),
        share(then / now - 1, sign=True),
    )  # fmt: skip
    st.caption(
        t("What-if, not a forecast: the other causes are taken to stay as they are. {now} discounted months become {then}.",
          now=number(now, places=1), then=number(then, places=1))
    )  # fmt: skip


def contacts(frame: pl.DataFrame) -> None:
    """Lives of those who contacted customer service in their first two months, and of the others, from then on."""
    st.header(t("Early contact with customer service"), anchor=False)
    if not frame["contacted"].any():
        st.caption(t("No contact of a first two months is recorded, so nothing can be compared."))
        return
    rows = []
    for contacted, name in ((True, t("Contacted us")), (False, t("Did not"))):
        own = frame.filter(pl.col("contacted") == contacted)
        ends = int(own["cause"].is_not_null().sum())
        table = survival.kaplan_meier(own)
        year = survival.survival_at(table, [12])[0]
        rows.append({t("In the first two months"): name, t("Customers"): number(own.height), t("Have left"): number(ends),
                     t("Still there at month 12"): share(year if ends >= 30 else None)})  # fmt: skip
    st.dataframe(
        rows,
        hide_index=True,
        column_config=parts.money_columns(t("Customers"), t("Have left"), t("Still there at month 12")),
    )
    test = survival.log_rank(frame, "contacted")
    if test.df:
        p = t("less than 0.1 %") if test.p < 0.001 else share(test.p)
        st.caption(
            t("Only contacts of the first two months and only lives from then on are counted: a call before cancelling is no cause of it. By chance alone such a difference comes in {p} of cases.", p=p)
        )  # fmt: skip
