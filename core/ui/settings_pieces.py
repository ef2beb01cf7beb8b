"""What the sections of Settings share: names of fields, values as text, effects before a save, history."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import streamlit as st

from core.domain.errors import ForbliError
from core.domain.money import exponent_of, to_minor
from core.ui.format import country, day, instant, money, number
from core.ui.plan_words import day_format
from core.ui.text import label, refusal, t

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2100, 12, 31)


def field_names() -> dict[str, str]:
    """What the fields of the company profile are called."""
    return {
        "legal_name": t("Legal name"), "organisation_number": t("Organisation number"), "address": t("Address"),
        "postal_code": t("Postal code"), "city": t("City"), "country": t("Country"), "email": t("E-mail"),
        "phone": t("Phone"), "bank_account": t("Account number"), "iban": "IBAN", "bic": "BIC",
        "vat_registered": t("Registered for VAT"), "limited_company": t("Limited company"),
        "currency": t("Company's currency"), "time_zone": t("Time zone"), "terms_days": t("Payment terms, days"),
        "late_usage_days": t("Late usage is billed for, days"), "usage_grace_days": t("Wait for usage, days"),
        "skip_zero_invoices": t("Leave out invoices of zero"), "invoice_prefix": t("Prefix of invoice numbers"),
        "credit_note_prefix": t("Prefix of credit note numbers"), "review_above_minor": t("Review invoices above"),
        "support_limit_minor": t("Support may charge or credit alone up to"),
        "admin_limit_minor": t("Administrators may charge or credit alone up to"),
        "review_lines_above": t("Review invoices with more lines than"),
        "price_notice_consumer_days": t("Notice of a price change to consumers, days"),
        "price_notice_business_days": t("Notice of a price change to businesses, days"),
    }  # fmt: skip


def value_text(field: str, value: Any, currency: str) -> str:
    """A profile's value as people read it."""
    if isinstance(value, bool):
        return label("yes") if value else label("no")
    if field.endswith("_minor"):
        return money(value, currency)
    if field == "country":
        return country(value)
    if isinstance(value, int):
        return number(value)
    return " ".join(str(value).split()) or "–"


def effect(changes: dict[str, tuple[Any, Any]], currency: str) -> None:
    """Before and after of each field, as a table."""
    called = field_names()
    st.dataframe(
        [
            {t("Field"): called[field], t("Before"): value_text(field, before, currency),
             t("After"): value_text(field, after, currency)}
            for field, (before, after) in changes.items()
        ],
        hide_index=True, height="content",
    )  # fmt: skip


def warn(error: ForbliError) -> None:
    """Why what is typed cannot be saved, while it is typed."""
    st.warning(refusal(error), icon=":material/error:")


def state_text(row: dict[str, Any]) -> str:
    """In force, to come, over."""
    return label(row["state"])


def stamp_columns(row: dict[str, Any]) -> dict[str, str]:
    """Who said it and when."""
    return {t("Set by"): row["author"], t("When"): instant(row["recorded_at"])}


def day_input(text: str, value: date, key: str, **more: Any) -> date:
    """A day."""
    chosen = st.date_input(text, value, min_value=FIRST_DAY, max_value=LAST_DAY, format=day_format(), key=key, **more)
    return chosen if isinstance(chosen, date) else value


def forget(prefix: str) -> None:
    """Clear what was typed into a form, so that it shows what is stored."""
    for key in [key for key in st.session_state if str(key).startswith(prefix)]:
        del st.session_state[key]


def minor_of(major: int, currency: str) -> int:
    """Whole major units typed into a field."""
    return to_minor(Decimal(major), currency)


def major_of(amount_minor: int, currency: str) -> int:
    """The whole major units of an amount."""
    return int(amount_minor // 10 ** exponent_of(currency))


def until(value: date | None) -> str:
    """The day something ends, open when it does not."""
    return day(value) if value else t("open")
