"""What is said about a customer, edited with a date; payment option and channel; contacts."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.actions.customers import create_customers, edit_customers
from core.actions.touch_points import record_touch_points
from core.domain.access import Permission
from core.domain.company import COUNTRIES
from core.domain.customers import LANGUAGES
from core.domain.subscriptions import Channel, CustomerKind, PaymentOption
from core.reports import customers as directory
from core.reports.one_customer import OneCustomer
from core.ui import desk_asides, parts, session
from core.ui.format import country
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, t

CONTACTS = ["call", "email", "chat", "meeting", "letter", "onboarding"]
TOPICS = ["billing", "technical", "price", "usage", "invoice_question", "cancellation", "other"]
OUTCOMES = ["resolved", "unresolved"]
STEPS = ["welcome", "profile", "first_use", "settled"]
CHOICES = {
    "kind": [each.value for each in CustomerKind],
    "language": list(LANGUAGES),
    "payment_option": [each.value for each in PaymentOption],
    "channel": [each.value for each in Channel],
    "country": sorted(COUNTRIES),
}
DATA = [
    ["name", "kind"], ["contact", "phone"], ["emails", "language"], ["address", "postal_code", "city", "country"],
    ["organisation_number", "vat_number"], ["reference", "purchase_order", "einvoice_id"],
    ["terms_days", "bill_to", "separate_invoices"],
]  # fmt: skip
PAYING = [["payment_option", "channel"]]


def new_customer(context: session.Context) -> None:
    """The button of the list, and the dialog behind it."""
    may = permit(context, Permission.EDIT_CUSTOMERS)
    if st.button(t("New customer"), icon=":material/person_add:", key="customers:new", **may):
        st.dialog(t("New customer"))(_create)(context)


def _create(context: session.Context) -> None:
    """Who it is; everything else is said later, with a date. What was typed stays when it is refused."""
    with st.form("new_customer", border=False):
        name = st.text_input(t("Name"), max_chars=200)
        left, right = st.columns(2)
        kind = left.selectbox(t("Kind"), CHOICES["kind"], format_func=label)
        external_id = right.text_input(
            t("Customer id"), max_chars=60, help=t("As your other systems know the customer; it stays.")
        )
        emails = left.text_input(t("E-mail"), max_chars=200)
        land = right.selectbox(
            t("Country"),
            CHOICES["country"],
            CHOICES["country"].index("NO"),
            format_func=lambda code: choice_text("country", code),
        )
        asked = st.form_submit_button(t("Create"), type="primary")
    if not asked:
        return
    said = {
        "external_id": external_id.strip(),
        "name": name,
        "kind": kind,
        "country": land,
        "emails": emails.strip() or None,
    }
    request = pl.DataFrame([said], schema=dict.fromkeys(said, pl.String))
    done = session.act(create_customers, key="new_customer", requests=request)
    if done:
        session.say(t("{name} is a customer now", name=parts.plain(name)))
        parts.go("customers", {"customer": external_id.strip()})


def field_names() -> dict[str, str]:
    """What the fields of a customer are called."""
    return {
        "name": t("Name"), "kind": t("Kind"), "contact": t("Contact"), "address": t("Address"),
        "postal_code": t("Postal code"), "city": t("Town"), "country": t("Country"), "emails": t("E-mail"),
        "phone": t("Phone"), "language": t("Language"), "organisation_number": t("Organisation number"),
        "vat_number": t("VAT number"), "reference": t("Reference"), "purchase_order": t("Purchase order"),
        "einvoice_id": t("E-invoice address"), "payment_option": t("Payment option"), "channel": t("Channel"),
        "terms_days": t("Payment terms, days"), "bill_to_id": t("Bills go to"), "bill_to": t("Bills go to"),
        "separate_invoices": t("One invoice for each subscription"),
    }  # fmt: skip


def choice_text(field: str, value: str) -> str:
    """A stored choice as it is read."""
    return country(value) if field == "country" else label(value)


def buttons(view: OneCustomer, context: session.Context) -> None:
    """Edit, choose how to pay and be reached, note a contact."""
    edit = permit(context, Permission.EDIT_CUSTOMERS)
    with st.container(horizontal=True, gap="small"):
        if st.button(t("Edit"), icon=":material/edit:", key="customer:edit", **edit):
            st.dialog(t("Customer data"), width="large")(edit_form)(view, DATA)
        if st.button(t("Payment and channel"), icon=":material/payments:", key="customer:pay", **edit):
            st.dialog(t("Payment and channel"))(edit_form)(view, PAYING)
        contacts = permit(context, Permission.RECORD_CONTACTS)
        if st.button(
            t("Pin a note"),
            icon=":material/push_pin:",
            key="customer:note",
            **permit(context, Permission.RECORD_CONTACTS),
        ):
            st.dialog(t("Pin a note"))(desk_asides.note_form)(view)
        if st.button(t("Note a contact"), icon=":material/support_agent:", key="customer:contact", **contacts):
            st.dialog(t("Note a contact"))(contact_form)(view)


def edit_form(view: OneCustomer, fields: list[list[str]]) -> None:
    """What is typed stays when it is refused; only what differs is said anew, from the day on."""
    context, said = session.current(), view.said
    with st.form("customer", border=False):
        typed: dict[str, Any] = {}
        for row in fields:
            for column, name in zip(st.columns(len(row), vertical_alignment="bottom"), row, strict=True):
                typed[name] = _field(column, name, view)
        on = st.date_input(t("Holds from"), context.today, format=day_format(), help=t("Earlier documents stay as they are."))  # fmt: skip
        sent = st.form_submit_button(t("Save"), type="primary", icon=":material/save:")
    if not sent or on is None:
        return
    changed = _changed(typed, said, view)
    if changed is None:
        return
    if not changed:
        st.info(t("Nothing differs from what is said already."), icon=":material/info:")
        return
    request = pl.DataFrame([{"customer_id": view.customer_id, "effective_from": on, **changed}])
    if session.act(edit_customers, key=f"edit:{view.customer_id}", requests=request):
        session.say(t("Saved, from {day}", day=on))
        st.rerun()


def _field(column: Any, name: str, view: OneCustomer) -> Any:
    """One field with what is said today."""
    title, value = field_names()[name], view.said.get(name)
    if name in CHOICES:
        options = CHOICES[name]
        at = options.index(value) if value in options else 0
        return column.selectbox(title, options, at, format_func=lambda each: choice_text(name, each))
    if name == "terms_days":
        return column.number_input(title, 0, 365, value, placeholder=t("as the company says"))
    if name == "separate_invoices":
        return column.toggle(title, bool(value))
    if name == "bill_to":
        help = t("The id of the customer who gets the bills; empty: this customer")
        return column.text_input(title, view.bill_to[0] if view.bill_to else "", help=help)
    if name == "address":
        return column.text_area(title, value or "", height=68)
    return column.text_input(title, value or "")


def _changed(typed: dict[str, Any], said: dict[str, Any], view: OneCustomer) -> dict[str, Any] | None:
    """What differs from what is said; None when the payer does not exist."""
    payer = typed.pop("bill_to", None)
    changed = {
        name: value for name, value in typed.items()
        if value is not None and value != (said.get(name) if said.get(name) is not None else "" if isinstance(value, str) else False)
    }  # fmt: skip
    now = view.bill_to[0] if view.bill_to else ""
    if payer is None or payer.strip() == now:
        return changed
    if not payer.strip():
        return {**changed, "bill_to_id": view.customer_id}
    with session.read() as db:
        found = directory.customer_id_of(db, payer.strip())
    if found is None:
        st.error(t("There is no customer {id}", id=parts.plain(payer)), icon=":material/error:")
        return None
    return {**changed, "bill_to_id": found}


def contact_form(view: OneCustomer) -> None:
    """A service contact with topic and outcome, or an onboarding step."""
    context = session.current()
    kind = st.segmented_control(t("Kind"), CONTACTS, format_func=label, default="call", required=True)
    with st.form("contact", border=False):
        left, right = st.columns(2)
        if kind == "onboarding":
            topic, outcome = left.selectbox(t("Step"), STEPS, format_func=label), ""
        else:
            topic = left.selectbox(t("Topic"), TOPICS, format_func=label)
            outcome = right.selectbox(t("Outcome"), OUTCOMES, format_func=label)
        note = st.text_area(t("Note"), max_chars=1_000)
        on: date | None = st.date_input(t("Day"), context.today, max_value=context.today, format=day_format())
        sent = st.form_submit_button(t("Save"), type="primary", icon=":material/save:")
    if not sent or on is None:
        return
    request = pl.DataFrame(
        [{"customer_id": view.customer_id, "occurred_on": on, "kind": kind, "topic": topic, "outcome": outcome, "note": note}]
    )  # fmt: skip
    if session.act(record_touch_points, key=f"contact:{view.customer_id}", requests=request):
        session.say(t("The contact is noted"))
        st.rerun()
