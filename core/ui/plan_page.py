"""One plan: what it is, its versions, what they say and how they differ, its policies, and the steps of a price's life."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from core.actions import plans
from core.domain.access import Permission
from core.domain.errors import NotFound
from core.domain.periods import MONTHLY
from core.domain.plans import PriceStatus, PriceTerms
from core.domain.price_form import interval_name
from core.reports import plans as reads
from core.reports.plans import OnePlan
from core.reports.price_differences import side_by_side
from core.ui import parts, plan_editor, plan_policies, plan_preview, session
from core.ui.format import day, instant, number, price
from core.ui.plan_list import interval_of, permit
from core.ui.plan_publish import publish_dialog, retire_dialog
from core.ui.plan_words import field_name, more_text, prices_text, view_in_url
from core.ui.text import label, sentence, t


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
    if version["status"] == PriceStatus.DRAFT:
        plan_editor.show(found.plan, version, context)
    else:
        _published(version, context)
    with st.expander(t("What changed since the version before"), expanded=version["status"] != PriceStatus.DRAFT):
        differences(found.versions, version_id)
    with st.expander(t("All versions")):
        _history(found.versions)


def version_name(version: dict[str, Any]) -> str:
    """A version in a list: "NOK · month · version 3 · draft"."""
    number_text = t("version {number}", number=version["number"])
    return f"{version['currency']} · {interval_of(version)} · {number_text} · {label(version['status'])}"


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
        st.caption(parts.plain(version["note"]))


def _published(version: dict[str, Any], context: session.Context) -> None:
    """A frozen version: what it says, its curve and a bill."""
    terms = session.frames(reads.terms, version["price_version_id"])
    left, right = st.columns([11, 9], gap="medium")
    with left.container(border=True):
        st.header(t("What it says"), anchor=False)
        _said(terms)
    with right:
        plan_preview.show(terms, [], context, f"version:{version['price_version_id']}")


def _said(terms: PriceTerms) -> None:
    """The whole price in a line, then a row for each charge."""
    vat = t("prices include VAT") if terms.tax_inclusive else t("prices before VAT")
    said = [terms.currency, label(interval_name(terms.interval)), label(terms.alignment.value), vat]
    if terms.trial_days:
        said.append(t("{days} days of trial", days=terms.trial_days))
    if terms.minimum_commitment:
        said.append(t("at least {amount}", amount=price(terms.minimum_commitment, terms.currency)))
    st.caption(parts.plain(" · ".join(said)))
    for charge in terms.charges:
        what = " · ".join(label(word) for word in (charge.kind.value, charge.model.value, charge.timing.value))
        st.markdown(f"**{parts.plain(charge.name)}** :gray[{parts.plain(what)}]")
        more = more_text(charge, terms.currency)
        st.caption(parts.plain(prices_text(charge, terms.currency) + (f" · {more}" if more else "")))


def differences(versions: pl.DataFrame, version_id: int) -> None:
    """This version beside the one before it, changed cells first and marked."""
    before_id = reads.previous_version(versions, version_id)
    if before_id is None:
        st.caption(t("This is the first version in its currency and interval."))
        return
    before, after = session.frames(reads.terms, before_id), session.frames(reads.terms, version_id)
    cells = side_by_side(before, after)
    changed = int(cells["changed"].sum())
    st.caption(t("{count} cells differ from version {number}", count=changed, number=versions.filter(versions["price_version_id"] == before_id)["number"].item()))  # fmt: skip
    everything = st.toggle(t("Show what is equal too"), key=f"equal:{version_id}")
    shown = cells if everything else cells.filter(cells["changed"])
    if shown.height:
        st.dataframe(_table(shown), hide_index=True, height="content")


def _table(cells: pl.DataFrame) -> pl.DataFrame:
    """Side by side for the screen: where, which field, before, now, and a word for what changed."""
    rows = []
    for row in cells.iter_rows(named=True):
        where = row["charge"] or t("The whole price")
        tier = t(", tier {tier}", tier=row["tier"]) if row["tier"] else ""
        rows.append({
            t("Where"): f"{where}{tier}", t("Field"): field_name(row["field"]), t("Before"): label(row["before"]),
            t("Now"): label(row["after"]), t("Changed"): t("● changed") if row["changed"] else "",
        })  # fmt: skip
    return pl.DataFrame(rows)


def _history(versions: pl.DataFrame) -> None:
    """All versions with status, who and when."""
    rows = [
        {
            t("Version"): version_name(row), t("Valid from"): day(row["valid_from"]),
            t("Drafted by"): row["author"], t("Published by"): row["published_by"],
            t("Published"): instant(row["published_at"]), t("Subscriptions"): row["subscriptions"], t("Note"): row["note"],
        }
        for row in versions.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True)


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
