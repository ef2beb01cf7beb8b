"""A plan's policies: what holds today, what comes, what held, and the form for a new dated one."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from core.actions import plans
from core.domain.access import Permission
from core.domain.subscriptions import CreditChoice, Timing
from core.reports import plans as reads
from core.ui import session
from core.ui.format import day, instant
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, t

CHOICES: dict[str, list[str]] = {
    "upgrade_when": [each.value for each in Timing], "downgrade_when": [each.value for each in Timing],
    "cancel_when": [each.value for each in Timing], "cancel_credit": [each.value for each in CreditChoice],
}  # fmt: skip


def names() -> dict[str, str]:
    """What the policies are called."""
    return {
        "upgrade_when": t("Upgrades take effect"), "downgrade_when": t("Downgrades take effect"),
        "cancel_when": t("Cancellations take effect"), "cancel_credit": t("Unused days after a cancellation"),
        "minimum_term_months": t("Minimum term, months"), "notice_days": t("Notice, days"),
        "minimum_quantity": t("Fewest seats"), "maximum_pause_days": t("Longest pause, days"),
    }  # fmt: skip


def show(plan: dict[str, Any], history: pl.DataFrame, context: session.Context) -> None:
    """Today's policy as text, the form, the history."""
    current = session.frames(reads.policy, plan["id"], context.today)
    left, right = st.columns(2, gap="medium")
    with left.container(border=True):
        st.header(t("In force today"), anchor=False)
        rows = [{t("Policy"): name, t("Says"): label(str(current[field]))} for field, name in names().items()]
        st.dataframe(pl.DataFrame(rows), hide_index=True, height="content")
        if history.is_empty():
            st.caption(t("Nothing was set for this plan: these are the defaults."))
    with right.container(border=True):
        _form(plan, current, context)
    if not history.is_empty():
        _history(history, context)


def _form(plan: dict[str, Any], current: dict[str, Any], context: session.Context) -> None:
    """A new policy from a day on."""
    st.header(t("Change from a day on"), anchor=False)
    with st.form(f"policy:{plan['id']}", border=False, enter_to_submit=False):
        effective_from = st.date_input(t("From"), context.today, format=day_format())
        policy: dict[str, Any] = {}
        columns = st.columns(2)
        for place, (field, name) in enumerate(names().items()):
            column = columns[place % 2]
            if field in CHOICES:
                options = CHOICES[field]
                policy[field] = column.selectbox(name, options, options.index(current[field]), format_func=label)
            else:
                policy[field] = int(column.number_input(name, 0, 1_000_000, current[field]))
        if not st.form_submit_button(t("Save policies"), type="primary", **permit(context, Permission.PUBLISH_PRICES)):
            return
    if session.act(
        plans.set_policy, key=f"policy:{plan['id']}", plan_id=plan["id"], effective_from=effective_from, **policy
    ):
        session.say(t("The policies hold from {day}", day=day(effective_from)))
        st.rerun()


def _history(history: pl.DataFrame, context: session.Context) -> None:
    """Every policy with its day and author; nothing is overwritten."""
    st.header(t("All policies"), anchor=False)
    called = names()
    rows = [
        {
            t("From"): day(row["effective_from"]) + (f" · {t('to come')}" if row["effective_from"] > context.today else ""),
            **{called[field]: label(str(row[field])) for field in called},
            t("Set by"): row["author"], t("When"): instant(row["recorded_at"]),
        }
        for row in history.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True)
