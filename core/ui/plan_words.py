"""What the fields of prices are called on screen, and the choices they offer."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.documents import price_words
from core.documents.words import Words
from core.domain.money import EXPONENTS
from core.domain.periods import INTERVALS
from core.domain.plans import Charge
from core.domain.price_rules import Finding
from core.ui.text import language, t

COMMON = ["NOK", "SEK", "DKK", "EUR", "USD", "GBP", "JPY", "KWD"]
CURRENCIES = [*COMMON, *sorted(set(EXPONENTS) - set(COMMON))]
INTERVAL_NAMES = list(INTERVALS)


def field_name(name: str) -> str:
    """A field of a price version, a charge or a tier as people call it."""
    return price_words.field_name(name, Words.of(language()))


def finding_text(finding: Finding) -> str:
    """A finding in the page's language."""
    return t(finding.message, **finding.values)


def prices_text(charge: Charge, currency: str) -> str:
    """The prices of a charge in one line: "1.00 kr up to 100, 0.60 kr above"."""
    return price_words.prices_text(charge, currency, Words.of(language()))


def whole_text(charge: Charge, currency: str) -> str:
    """The prices of a charge and all that belongs to them, in one line."""
    return price_words.whole_text(charge, currency, Words.of(language()))


def more_text(charge: Charge, currency: str) -> str:
    """Included units, conversion, cap, minimum, free allowance and bounds of a charge, as far as it has them."""
    return price_words.more_text(charge, currency, Words.of(language()))


def limit_text(limit: dict[str, Any]) -> list[str]:
    """What the limits of a price change promise."""
    return price_words.limit_text(limit, Words.of(language()))


def day_format() -> str:
    """How a day is typed in the page's language."""
    return "DD.MM.YYYY" if language() == "nb" else "DD/MM/YYYY"


def view_in_url(name: str, views: dict[str, str]) -> str:
    """One of several views, chosen above it; the URL carries its name (not its words, which differ by language).

    A link that says another view than this page wrote there wins over what was chosen before.
    """
    key, usual = f"view:{name}", next(iter(views))
    wanted, written = st.query_params.get(name, ""), f"{name}:written"
    if key not in st.session_state or st.session_state.get(written, "") != wanted:
        st.session_state[key] = wanted if wanted in views else usual
    chosen = st.segmented_control(
        t("View"), list(views), format_func=views.__getitem__, required=True, key=key, label_visibility="collapsed"
    )
    if chosen and chosen != usual:
        st.query_params[name] = chosen
    else:
        st.query_params.pop(name, None)
    st.session_state[written] = st.query_params.get(name, "")
    return chosen or usual
