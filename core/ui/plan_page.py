"""One plan: what it is, its versions, what they say and how they differ, its policies, and the steps of a price's life."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import plans
from core.domain.access import Permission
from core.domain.errors import NotFound
from core.domain.periods import MONTHLY
from core.domain.plans import PriceStatus, PriceTerms
from core.reports import plans as reads
from core.reports import scenarios
from core.reports.plans import OnePlan
from core.ui import parts, plan_editor, plan_policies, plan_preview, session
from core.ui.format import day, instant, number
from core.ui.plan_dialogs import duplicate_dialog, edit_dialog
from core.ui.plan_list import permit
from core.ui.plan_publish import publish_dialog, retire_dialog
from core.ui.plan_versions import differences, history, said_by, version_name
from core.ui.plan_words import view_in_url
from core.ui.text import sentence, t


def show(code: str, context: session.Context) -> None:
    """Head, then prices or policies; a code that no plan has gets a way back."""
    try:
        found = session.frames(reads.one_plan, code, context.today)
    except NotFound as error:
        parts.header(t("Plans"))
        parts.empty("search_off", t("No such plan"), parts.plain(sentence(error)), button=t("All plans"), page="plans")
        return
    plan = found.plan
    _head(found, context)
    views = {"prices": t("Prices"), "policies": t("Policies")}
    view = view_in_url("view", views)
    if view == "policies":
        plan_policies.show(plan, found.policies, context)
        return
    if found.versions.is_empty():
        parts.empty(
            "payments",
            t("No prices yet"),
            t("A draft can be saved at any time; nothing is billed before it is published."),
        )
        _start_draft(plan, context)
        return
    _versions(found, context)


def _head(found: OnePlan, context: session.Context) -> None:
    """Name, what is said about the plan, and what can be done with it."""
    plan = found.plan
    parts.link("plans", t("All plans"), icon=":material/arrow_back:")
    parts.header(parts.plain(plan["name"]))
    with st.container(horizontal=True, vertical_alignment="center"):
        if plan["archived"]:
            parts.pill("retired", t("Archived"))
        said = [plan["code"], t("Rank {rank}", rank=plan["rank"]), plan["description"]]
        st.caption(" · ".join(parts.plain(each) for each in said if each))
        st.space("stretch")
        texts = {
            "edit": t("Edit"),
            "duplicate": t("Duplicate"),
            "archive": t("Offer again") if plan["archived"] else t("Archive"),
        }
        chosen = st.menu_button(t("More"), list(texts), format_func=texts.__getitem__, key="plan_menu")
    if chosen == "edit":
        edit_dialog(plan)
    elif chosen == "duplicate":
        duplicate_dialog(found)
    elif chosen == "archive" and session.act(
        plans.archive_plan, key=f"archive:{plan['id']}", plan_id=plan["id"], archived=not plan["archived"]
    ):
        session.say(t("The plan is offered again") if plan["archived"] else t("The plan is archived: nobody is offered it any more, and those who have it keep it."))  # fmt: skip
        st.rerun()


def _versions(found: OnePlan, context: session.Context) -> None:
    """The choice of a version, its head, and the version itself."""
    rows = {row["price_version_id"]: row for row in found.versions.iter_rows(named=True)}
    wanted = st.query_params.get("version", "")
    if wanted.isdecimal() and int(wanted) in rows and st.session_state.get("version_chosen") is None:
        st.session_state["version_chosen"] = int(wanted)
    if st.session_state.get("version_chosen") not in rows:
        st.session_state["version_chosen"] = next(iter(rows))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        version_id = st.selectbox(
            t("Version"), list(rows), format_func=lambda each: version_name(rows[each]), key="version_chosen", width=420
        )
        if st.button(
            t("New draft from this"), icon=":material/content_copy:", **permit(context, Permission.DRAFT_PRICES)
        ):
            _draft_from(found.plan, version_id)
        st.space("stretch")
        _steps(found, rows[version_id], context)
    st.query_params["version"] = str(version_id)
    version = rows[version_id]
    _version_head(version)
    approved = session.frames(scenarios.behind, version_id) if version["status"] == PriceStatus.DRAFT else None
    if approved is not None:
        _approved(approved)
    if version["status"] == PriceStatus.DRAFT and approved is None:
        plan_editor.show(found.plan, version, context)
    else:
        _published(version, context)
    with st.expander(t("What changed since the version before"), expanded=version["status"] != PriceStatus.DRAFT):
        differences(found.versions, version_id)
    with st.expander(t("All versions")):
        history(found.versions)


def _steps(found: OnePlan, version: dict[str, Any], context: session.Context) -> None:
    """Publish a draft, retire what is published."""
    if version["status"] == PriceStatus.DRAFT:
        if st.button(
            t("Publish …"), type="primary", icon=":material/publish:", **permit(context, Permission.PUBLISH_PRICES)
        ):
            publish_dialog(found.plan, version)
    elif version["status"] == PriceStatus.PUBLISHED and st.button(
        t("Retire …"), icon=":material/archive:", **permit(context, Permission.PUBLISH_PRICES)
    ):
        retire_dialog(version)


def _version_head(version: dict[str, Any]) -> None:
    """Status, who, when, from when, and how many have it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.pill(version["status"])
        said = [t("Drafted by {author}, {when}", author=version["author"], when=instant(version["recorded_at"]))]
        if version["status"] != PriceStatus.DRAFT:
            said.append(
                t(
                    "published by {author}, {when}",
                    author=version["published_by"],
                    when=instant(version["published_at"]),
                )
            )
        if version["valid_from"]:
            said.append(t("valid from {day}", day=day(version["valid_from"])))
        if version["retired_at"]:
            said.append(t("retired {when}", when=instant(version["retired_at"])))
        if version["status"] != PriceStatus.DRAFT:
            said.append(t("{count} subscriptions have it", count=number(version["subscriptions"])))
        st.caption(" · ".join(parts.plain(each) for each in said))
    if version["note"]:
        st.caption(t("Note: {note}", note=parts.plain(version["note"])))


def _approved(scenario: dict[str, Any]) -> None:
    """Why a draft cannot be edited, and the way to the scenario that it was approved with."""
    st.info(
        t("These prices were approved with the scenario “{name}”, so they cannot be edited: publish them as they are, or stop the roll-out of the scenario first.",
          name=parts.plain(scenario["name"])),
        icon=":material/lock:",
    )  # fmt: skip
    parts.link("simulate", t("To the scenario"), query={"scenario": str(scenario["id"])}, icon=":material/science:")


def _published(version: dict[str, Any], context: session.Context) -> None:
    """A version that nobody edits: what it says, its curve and a bill."""
    terms = session.frames(reads.terms, version["price_version_id"])
    left, right = st.columns([11, 9], gap="medium")
    with left.container(border=True):
        st.header(t("What it says"), anchor=False)
        said_by(terms)
    with right:
        plan_preview.show(terms, [], context, f"version:{version['price_version_id']}")


def _start_draft(plan: dict[str, Any], context: session.Context) -> None:
    """The first, empty draft of a plan."""
    if st.button(t("Start a draft"), type="primary", **permit(context, Permission.DRAFT_PRICES)):
        _save_copy(plan, PriceTerms("NOK", MONTHLY, ()), f"first:{plan['id']}")


def _draft_from(plan: dict[str, Any], version_id: int) -> None:
    """A new draft that says what a version says."""
    _save_copy(plan, session.frames(reads.terms, version_id), f"copy:{version_id}")


def _save_copy(plan: dict[str, Any], terms: Any, key: str) -> None:
    made = session.act(plans.save_draft, key=key, plan_id=plan["id"], terms=terms)
    if made:
        open_version(made["price_version_id"])


def open_version(version_id: int) -> None:
    """Show a version at the next run."""
    st.session_state.pop("version_chosen", None)
    st.query_params["version"] = str(version_id)
    st.rerun()
