"""What is said about a customer today, and who changed it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.reports.one_customer import OneCustomer
from core.ui import parts
from core.ui.customer_forms import CHOICES, choice_text, field_names
from core.ui.text import label, t


def facts(view: OneCustomer) -> None:
    """What is said about the customer today."""
    with st.container(border=True, gap="small"):
        st.markdown(f"**{t('Customer data')}**")
        for name, title in field_names().items():
            value = view.said.get(name)
            if name in ("name", "kind", "bill_to_id") or value in (None, "", False):
                continue
            with st.container(gap=None):
                st.caption(title)
                st.text(value_text(name, value))
        if view.bill_to:
            parts.link(
                "customers",
                t("Bills go to {name}", name=parts.plain(view.bill_to[1])),
                query={"customer": view.bill_to[0]},
            )


def history(view: OneCustomer) -> None:
    """Who changed what about the customer, and from which day it holds."""
    with st.container(border=True):
        st.markdown(f"**{t('Changes of customer data')}**")
        if not view.history:
            st.caption(t("Nothing has been changed."))
        for row in view.history[:20]:
            field = field_names()[row["field"]]
            st.caption(t("from {day} · {author}", day=row["effective_from"], author=parts.plain(row["author"])))
            before, after = (value_text(row["field"], row[side]) for side in ("before", "after"))
            st.text(f"{field}: {before} → {after}")


def value_text(field: str, value: Any) -> str:
    """A field's value as it is read."""
    if value in (None, ""):
        return t("nothing")
    if isinstance(value, bool) or value in ("yes", "no"):
        return label("yes" if value in (True, "yes") else "no")
    return choice_text(field, value) if field in CHOICES else str(value)
