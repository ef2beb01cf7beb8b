"""Settings of people: who may do what, the forms that let somebody in and change a role, the history."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import people
from core.domain.access import GRANTS, Permission, Role
from core.reports import settings as reads
from core.ui import parts, session
from core.ui import settings_pieces as pieces
from core.ui.format import instant
from core.ui.plan_list import permit
from core.ui.text import label, t


def show(context: session.Context) -> None:
    """Everybody, the two forms, what roles may, the history."""
    known = session.frames(reads.people)
    left, right = st.columns([3, 2], gap="medium")
    with left.container(border=True):
        st.header(t("People"), anchor=False)
        if known:
            st.dataframe([_person(row) for row in known], hide_index=True, height="content")
        else:
            st.caption(t("Nobody is known yet: add an administrator first."))
    with right:
        with st.container(border=True):
            _change(context, known)
        with st.container(border=True):
            _add(context)
    _grants()
    _history()


def _person(row: dict[str, Any]) -> dict[str, str]:
    return {
        t("Name"): row["name"], t("E-mail"): row["email"], t("Role"): label(row["role"]),
        t("State"): label("active") if row["active"] else label("inactive"),
    }  # fmt: skip


def _may(role: str) -> str:
    """What a role may do, in words."""
    granted = GRANTS[Role(role)] - {Permission.SAVE_VIEWS}  # everybody may keep views
    return ", ".join(label(each.value) for each in Permission if each in granted) or t("look at everything")


def _change(context: session.Context, known: list[dict[str, Any]]) -> None:
    """A role, or leaving: the effect first."""
    st.header(t("Change a role"), anchor=False)
    by_id = {row["id"]: row for row in known}
    chosen = st.selectbox(
        t("Person"),
        list(by_id),
        format_func=lambda key: by_id[key]["name"],
        index=None,
        key="person:who",
        placeholder=t("Choose somebody"),
    )
    if chosen is None:
        st.caption(t("Choose whom it is about."))
        return
    row = by_id[chosen]
    roles = [role.value for role in Role]
    role = st.selectbox(t("Role"), roles, roles.index(row["role"]), format_func=label, key=f"person:role:{chosen}")
    active = st.toggle(t("Active"), row["active"], key=f"person:active:{chosen}")
    same = (role, active) == (row["role"], row["active"])
    if not same:
        name = parts.plain(row["name"])
        st.caption(
            t("From now on {name} may: {permissions}", name=name, permissions=_may(role)) if active
            else t("From now on {name} may do nothing; what {name} did stays recorded.", name=name)
        )  # fmt: skip
    may = permit(context, Permission.MANAGE_PEOPLE) or {"disabled": same}
    if st.button(t("Save"), type="primary", key="person:save", **may) and session.act(
        people.change_person, key="person:save", person_id=chosen, role=role, active=active
    ):
        pieces.forget("person:")
        session.say(t("Saved"))
        st.rerun()


def _add(context: session.Context) -> None:
    """Somebody new."""
    st.header(t("Add somebody"), anchor=False)
    name = st.text_input(t("Name"), key="new_person:name", max_chars=200)
    email = st.text_input(t("E-mail"), key="new_person:email", max_chars=200)
    role = st.selectbox(t("Role"), [role.value for role in Role], format_func=label, key="new_person:role")
    st.caption(t("May: {permissions}", permissions=_may(role)))
    may = permit(context, Permission.MANAGE_PEOPLE) or {"disabled": not name.strip() or not email.strip()}
    if st.button(t("Add"), type="primary", key="new_person:add", **may) and session.act(
        people.add_person, key="new_person:add", name=name, email=email, role=role
    ):
        pieces.forget("new_person:")
        session.say(t("{name} can now act", name=parts.plain(name)))
        st.rerun()


def _grants() -> None:
    """Roles across, permissions down."""
    with st.expander(t("What each role may do")):
        rows = [
            {t("Permission"): label(permission.value),
             **{label(role.value): "✓" if permission in GRANTS[role] else "" for role in Role}}
            for permission in Permission
        ]  # fmt: skip
        st.dataframe(rows, hide_index=True, height="content")
        st.caption(t("Everybody may look at everything. Price changes and reopening the books need two people."))


def _history() -> None:
    """Who gave whom which role, and when."""
    rows = [
        {t("When"): instant(row["recorded_at"]), t("Name"): row["name"],
         t("What"): t("added") if row["added"] else t("changed"), t("Role"): label(row["role"]),
         t("State"): label("active") if row["active"] else label("inactive"), t("Set by"): row["author"]}
        for row in session.frames(reads.people_history)
    ]  # fmt: skip
    if rows:
        st.header(t("History"), anchor=False)
        st.dataframe(rows, hide_index=True, height="content")
