"""Settings of the company itself: what holds, what comes, the form that shows its effect first, the history."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from core.actions import company
from core.domain.access import Permission
from core.domain.company import BOUNDS, COUNTRIES
from core.domain.errors import ForbliError
from core.domain.money import EXPONENTS
from core.reports import settings as reads
from core.ui import parts, session
from core.ui import settings_pieces as pieces
from core.ui.format import country, day
from core.ui.plan_list import permit
from core.ui.text import t

COMPANY = (
    "legal_name", "organisation_number", "address", "postal_code", "city", "country", "email", "phone",
    "bank_account", "iban", "bic", "vat_registered", "limited_company",
)  # fmt: skip
NUMBERS = (
    "terms_days", "currency", "invoice_prefix", "credit_note_prefix", "review_above_minor", "review_lines_above",
    "support_limit_minor", "admin_limit_minor", "price_notice_consumer_days", "price_notice_business_days",
    "late_usage_days", "usage_grace_days", "time_zone", "skip_zero_invoices",
)  # fmt: skip


def show_company(context: session.Context) -> None:
    """Who the company is: what documents say of the seller."""
    _show(context, "company", COMPANY, t("From {day} documents will say", day=_chosen(context, "company")))


def show_numbers(context: session.Context) -> None:
    """Terms, numbers and limits."""
    _show(context, "numbers", NUMBERS, t("From {day} this holds", day=_chosen(context, "numbers")))
    st.caption(
        t("Numbers count from 1 each year, without gaps, invoices and credit notes apart. A new prefix begins with the next year's series.")
    )  # fmt: skip


def _chosen(context: session.Context, section: str) -> Any:
    return st.session_state.get(f"company:{section}:from", context.today)


def _show(context: session.Context, section: str, fields: tuple[str, ...], promise: str) -> None:
    profiles = session.frames(reads.profiles, context.today)
    current = session.frames(company.profile_on, context.today)
    left, right = st.columns([3, 2], gap="medium")
    with left.container(border=True):
        st.header(t("Change from a day on"), anchor=False)
        _form(context, section, fields, current, promise)
    with right.container(border=True):
        _in_force(profiles, current, fields)
        _to_come(profiles, fields, current["currency"])
    _history(profiles, fields, current["currency"])


def _form(
    context: session.Context, section: str, fields: tuple[str, ...], current: dict[str, Any], promise: str
) -> None:
    """The inputs, then what they do, then the button."""
    prefix = f"company:{section}:"
    effective_from = pieces.day_input(t("From"), context.today, f"{prefix}from", width=200)
    typed: dict[str, Any] = {}
    switches = [field for field in fields if isinstance(current[field], bool)]
    for some in ([field for field in fields if field not in switches], switches):
        with st.grid(2, min_column_width=220):
            typed |= {field: _input(field, current, f"{prefix}{field}") for field in some}
    edited = {field: value for field, value in typed.items() if value != current[field]}
    plan = _plan(effective_from, edited)
    if plan is not None and plan.changes:
        st.markdown(f"**{promise}**")
        pieces.effect(plan.changes, current["currency"])
        for later in plan.carried_to:
            st.caption(t("The change is also kept in what begins on {day}.", day=later))
    may = permit(context, Permission.EDIT_SETTINGS) or {"disabled": plan is None or not plan.changes}
    if st.button(t("Save from {day}", day=effective_from), type="primary", key=f"{prefix}save", **may) and session.act(
        company.save_company, key=f"{prefix}save", effective_from=effective_from, **edited
    ):
        pieces.forget(prefix)
        session.say(t("Saved: it holds from {day}", day=effective_from))
        st.rerun()


def _plan(effective_from: Any, edited: dict[str, Any]) -> company.ProfilePlan | None:
    """What a save would do; a refusal is shown while it is typed."""
    if not edited:
        st.caption(t("Change a field to see what it does before you save."))
        return None
    try:
        with session.read() as db:
            return company.plan_profile(db, effective_from, edited)
    except ForbliError as error:
        pieces.warn(error)
        return None


def _input(field: str, current: dict[str, Any], key: str) -> Any:
    """One field's input; answers its value as the profile keeps it."""
    name, value = pieces.field_names()[field], current[field]
    if isinstance(value, bool):
        return st.toggle(name, value, key=key)
    if field.endswith("_minor"):
        currency, limit = current["currency"], field != "review_above_minor"
        about = t("A charge or a credit above it waits until a second person approves it.") if limit else None
        major = st.number_input(f"{name} ({currency})", 0 if limit else 1, 10**12, pieces.major_of(value, currency),
                                step=1000, key=key, help=about)  # fmt: skip
        return value if major == pieces.major_of(value, currency) else pieces.minor_of(int(major), currency)
    if field in BOUNDS:
        return int(st.number_input(name, value=value, step=1, key=key))
    options = {"country": COUNTRIES, "currency": EXPONENTS, "time_zone": available_timezones()}.get(field)
    if options is not None:
        listed = sorted(options, key=country if field == "country" else str)
        shown = country if field == "country" else str
        return st.selectbox(name, listed, listed.index(value), format_func=shown, key=key)
    return st.text_input(name, value, key=key, max_chars=200)


def _in_force(profiles: list[dict[str, Any]], current: dict[str, Any], fields: tuple[str, ...]) -> None:
    """What holds today."""
    st.header(t("In force today"), anchor=False)
    row = next((row for row in profiles if row["state"] == reads.IN_FORCE), None)
    if row is None:
        st.caption(t("Nothing is stored yet: these are the defaults. Enter the legal name to begin."))
    else:
        st.caption(t("Since {day}", day=row["effective_from"]))
    called = pieces.field_names()
    parts.facts([(called[field], pieces.value_text(field, current[field], current["currency"])) for field in fields])


def _to_come(profiles: list[dict[str, Any]], fields: tuple[str, ...], currency: str) -> None:
    """What is decided and not yet in force."""
    coming = [row for row in reversed(profiles) if row["state"] == reads.TO_COME]
    for row in coming:
        changes = {field: change for field, change in row["changes"].items() if field in fields}
        if changes:
            st.markdown(f"**{t('To come from {day}', day=row['effective_from'])}**")
            pieces.effect(changes, currency)


def _history(profiles: list[dict[str, Any]], fields: tuple[str, ...], currency: str) -> None:
    """Every entry with its author; nothing is overwritten."""
    called = pieces.field_names()
    rows = [
        {
            t("From"): day(row["effective_from"]),
            t("State"): pieces.state_text(row),
            t("What changed"): "; ".join(
                f"{called[field]}: {pieces.value_text(field, after, currency)}"
                for field, (_, after) in row["changes"].items() if field in fields
            ) or t("first entry"),
            **pieces.stamp_columns(row),
        }
        for row in profiles
        if not row["changes"] or any(field in fields for field in row["changes"])
    ]  # fmt: skip
    if rows:
        st.header(t("History"), anchor=False)
        st.dataframe(rows, hide_index=True, height="content")
