"""The dialogs of one plan: edit what is said about it, duplicate it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import plans
from core.reports import plans as reads
from core.reports.plans import OnePlan
from core.ui import session
from core.ui.text import t


def edit_dialog(plan: dict[str, Any]) -> None:
    """Open the dialog."""
    st.dialog(t("Edit the plan"))(_edit_form)(plan)


def _edit_form(plan: dict[str, Any]) -> None:
    """Name, description and rank."""
    with st.form("edit_plan", border=False):
        name = st.text_input(t("Name"), plan["name"])
        description = st.text_area(t("Description"), plan["description"], height=80)
        rank = st.number_input(t("Rank"), value=plan["rank"], step=1)
        if not st.form_submit_button(t("Save"), type="primary"):
            return
    content = {"plan_id": plan["id"], "name": name, "description": description, "rank": int(rank)}
    if session.act(plans.edit_plan, key=f"edit:{plan['id']}", **content):
        st.rerun()


def duplicate_dialog(found: OnePlan) -> None:
    """Open the dialog."""
    st.dialog(t("Duplicate the plan"))(_duplicate_form)(found)


def _duplicate_form(found: OnePlan) -> None:
    """A new plan with the same prices as drafts."""
    st.caption(t("The newest version of each currency and interval becomes a draft of the new plan."))
    with st.form("duplicate_plan", border=False):
        code = st.text_input(t("Code"), f"{found.plan['code']}-2")
        name = st.text_input(t("Name"), found.plan["name"])
        if not st.form_submit_button(t("Duplicate"), type="primary"):
            return
    content = {"code": code, "name": name, "description": found.plan["description"], "rank": found.plan["rank"]}
    key = f"duplicate:{found.plan['id']}"
    made = session.act(plans.create_plan, key=key, **content)
    if not made:
        return
    newest = found.versions.unique(reads.SERIES, keep="first", maintain_order=True)
    for version_id in newest["price_version_id"]:
        terms = session.frames(reads.terms, version_id)
        session.act(plans.save_draft, key=f"{key}:{version_id}", plan_id=made["plan_id"], terms=terms)
    st.query_params.from_dict({"plan": code.strip()})
    st.session_state.pop("version_chosen", None)
    st.rerun()
