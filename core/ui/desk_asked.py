"""What the forms of the subscription desk share: whose change it is, what is asked, and how a day or a choice is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st

from core.reports.change_preview import Request
from core.reports.desk_choices import Choices
from core.ui import session
from core.ui.format import money
from core.ui.plan_list import interval_of
from core.ui.plan_words import day_format
from core.ui.text import t

DAY = timedelta(days=1)
INSTEAD = "desk:instead"  # another change that the page opens next: (kind, subject)


@dataclass(frozen=True)
class Subject:
    """Whose change it is; without a subscription while one is about to begin."""

    customer_id: int
    customer: str
    subscription_id: int | None = None
    external_id: str = ""


@dataclass(frozen=True)
class Asked:
    """What the form says: the chosen request, and the alternatives that are shown beside each other with their names."""

    action: str
    chosen: Request
    requests: tuple[Request, ...]
    names: tuple[str, ...]


Draw = Callable[[Subject, Choices | None, session.Context, str], Asked | None]


@dataclass(frozen=True)
class Form:
    """One kind of change. Texts are asked for when they are shown, in the language of the page."""

    action: Any
    icon: str
    button: Callable[[], str]
    title: Callable[[], str]
    confirm: Callable[[], str]
    done: Callable[[], str]
    draw: Draw


def one(action: str, **columns: Any) -> Asked:
    """A request without alternatives."""
    request = tuple((name, value) for name, value in columns.items() if value is not None)
    return Asked(action, request, (request,), ("",))


def ask_day(text: str, value: date | None, key: str, *, help: str = "") -> date | None:
    """A day; what is left empty is no day."""
    return st.date_input(text, value, key=key, format=day_format(), help=help or None)


def ask_choice(place: Any, text: str, options: dict[Any, str], key: str, **more: Any) -> Any:
    """One of several, chosen by hand: what a customer gets is never simply the first of a list. What is alone stands."""
    return place.selectbox(
        text, list(options), format_func=options.__getitem__, key=key, index=0 if len(options) == 1 else None,
        placeholder=t("Choose one to see what it does"), **more,
    )  # fmt: skip


def offer_text(offer: dict[str, Any]) -> str:
    """ "Pro · month · from 599,00 kr" """
    amount = money(offer["headline_minor"], offer["currency"])
    return f"{offer['plan']} · {interval_of(offer)} · {amount}"
