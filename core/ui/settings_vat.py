"""Settings of VAT and currencies: the dated rules and rates, and the forms that add one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import streamlit as st

from core.actions import company
from core.domain.access import Permission
from core.domain.company import ANY, COUNTRIES, RATE_PLACES, Treatment
from core.domain.errors import ForbliError
from core.domain.money import EXPONENTS, parse_decimal
from core.domain.subscriptions import CustomerKind
from core.reports import settings as reads
from core.ui import parts, session
from core.ui import settings_pieces as pieces
from core.ui.format import country, day, number, percent
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, t

PPM_OF_PERCENT = 10_000
CATEGORIES = ("standard", "food", "cinema", "book")
ODD_PPM = 200_000  # a rate this far from the one before is worth a second look


def show_vat(context: session.Context) -> None:
    """The rules by state, then the form."""
    rules = session.frames(reads.vat, context.today)
    st.caption(
        t("The rule that fits a customer best decides: country first, then the VAT number, then the kind. A customer whom no rule fits needs review.")
    )  # fmt: skip
    if not rules:
        parts.empty("percent", t("No VAT rules yet"), t("Without a rule no invoice can be issued."))
    else:
        own = session.frames(company.profile_on, context.today)["country"]
        st.dataframe([_rule(row, own) for row in rules], hide_index=True, height="content" if len(rules) < 20 else 640)
    with st.container(border=True):
        st.header(t("New rule"), anchor=False)
        _vat_form(context, sorted({*CATEGORIES, *(row["category"] for row in rules)}, key=_standard_first))


def _standard_first(category: str) -> tuple[bool, str]:
    return category != CATEGORIES[0], label(category)


def _rule(row: dict[str, Any], own: str) -> dict[str, Any]:
    """One rule as a row of the table."""
    return {
        t("State"): pieces.state_text(row), t("Customers"): _buyers(row, own), t("VAT category"): label(row["category"]),
        t("Treatment"): label(row["treatment"]), t("Rate"): percent(row["rate_ppm"]),
        t("From"): day(row["valid_from"]), t("Until"): pieces.until(row["until"]), **pieces.stamp_columns(row),
    }  # fmt: skip


def _buyers(row: dict[str, Any], own: str) -> str:
    """Whom a rule is about, in words; the seller's country where it is not the company's."""
    kinds = {ANY: t("all customers"), "consumer": t("consumers"), "business": t("businesses")}
    where = t("all other countries") if row["customer_country"] == ANY else country(row["customer_country"])
    number_known = {None: "", True: t("with a VAT number"), False: t("without a VAT number")}[row["has_vat_number"]]
    seller = "" if row["seller_country"] == own else t("sold from {country}", country=country(row["seller_country"]))
    return " · ".join(part for part in (kinds[row["customer_kind"]], where, number_known, seller) if part)


def _vat_form(context: session.Context, categories: list[str]) -> None:
    """Choices, the effect in words, the button."""
    current = session.frames(company.profile_on, context.today)
    rule = _vat_inputs(context, current["country"], categories)
    if rule is None:
        return
    with session.read() as db:
        replaced = reads.replaced_rule(db, rule, rule["valid_from"])
    st.markdown(
        t("From {day}: {customers}, {category}: VAT {rate}", day=rule["valid_from"],
          customers=parts.plain(_buyers(rule, current["country"])), category=label(rule["category"]), rate=parts.plain(_what(rule)))
    )  # fmt: skip
    same = replaced is not None and all(replaced[name] == rule[name] for name in ("treatment", "rate_ppm", "valid_to"))
    if same:
        st.caption(t("This is what already holds."))
    elif replaced is not None:
        st.caption(
            t("It replaces {rate} since {day}. Issued documents keep their VAT.", rate=_what(replaced),
              day=replaced["valid_from"])
        )  # fmt: skip
    may = permit(context, Permission.EDIT_SETTINGS) or {"disabled": same}
    if st.button(t("Add rule"), type="primary", key="vat:add", **may) and session.act(
        company.add_vat_rule, key="vat:add", **rule
    ):
        pieces.forget("vat:")
        session.say(t("The rule holds from {day}", day=rule["valid_from"]))
        st.rerun()


def _what(rule: dict[str, Any]) -> str:
    """The rate, or the treatment that has none."""
    return percent(rule["rate_ppm"]) if rule["treatment"] == Treatment.STANDARD else label(rule["treatment"])


def _vat_inputs(context: session.Context, seller_country: str, categories: list[str]) -> dict[str, Any] | None:
    """What is chosen, as the rule's fields; None while the rate is no number."""
    numbers = {"any": t("with or without a VAT number"), "yes": t("with a VAT number"), "no": t("without a VAT number")}
    kinds = {ANY: t("all customers"), **{kind.value: label(kind.value) for kind in CustomerKind}}
    countries = [seller_country, ANY, *sorted(COUNTRIES - {seller_country}, key=country)]
    with st.grid(4, min_column_width=180):
        kind = st.selectbox(t("Customers"), list(kinds), format_func=kinds.__getitem__, key="vat:kind")
        place = st.selectbox(t("Customer's country"), countries, key="vat:country",
                             format_func=lambda code: t("all other countries") if code == ANY else country(code))  # fmt: skip
        known = st.selectbox(t("VAT number"), list(numbers), format_func=numbers.__getitem__, key="vat:number")
        category = st.selectbox(
            t("VAT category"), categories, format_func=label, accept_new_options=True, key="vat:category",
            help=t("A charge names its category; a new one may be typed."),
        )  # fmt: skip
        treatment = st.selectbox(
            t("Treatment"), [each.value for each in Treatment], format_func=label, key="vat:treatment"
        )
        typed = st.text_input(t("Rate, percent"), "25", key="vat:rate", disabled=treatment != Treatment.STANDARD)
        valid_from = pieces.day_input(t("From"), context.today, "vat:from")
        valid_to = st.date_input(t("Until (open when empty)"), None, key="vat:to", format=day_format(),
                                 min_value=pieces.FIRST_DAY, max_value=pieces.LAST_DAY, help=t("The first day on which the rule no longer holds."))  # fmt: skip
    try:
        rate = parse_decimal(typed, places=4) if treatment == Treatment.STANDARD else Decimal(0)
    except ForbliError as error:
        pieces.warn(error)
        return None
    return {
        "seller_country": seller_country, "customer_kind": kind, "customer_country": place, "treatment": treatment,
        "has_vat_number": {"any": None, "yes": True, "no": False}[known], "category": category or "standard",
        "rate_ppm": int(rate * PPM_OF_PERCENT), "valid_from": valid_from, "valid_to": valid_to,
    }  # fmt: skip


def show_currencies(context: session.Context) -> None:
    """The rates, what is missing, and the form."""
    own = session.frames(company.profile_on, context.today)["currency"]
    st.caption(
        t("Amounts of different currencies are never added. Rates are only used to state the VAT of a document in the company's currency.")
    )  # fmt: skip
    for currency in session.frames(reads.currencies_without_rate, own):
        st.warning(
            t("There are subscriptions in {currency}, but no rate: their invoices wait for review.", currency=currency)
        )
    left, right = st.columns([3, 2], gap="medium")
    with left.container(border=True):
        st.header(t("Rates"), anchor=False)
        rows = session.frames(reads.rates)
        if not rows:
            st.caption(t("No rates yet."))
        else:
            st.dataframe(
                [_rate(row, own) for row in rows], hide_index=True, height="content" if len(rows) < 15 else 500
            )
    with right.container(border=True):
        st.header(t("New rate"), anchor=False)
        _rate_form(context, own)


def _rate(row: dict[str, Any], own: str) -> dict[str, Any]:
    return {
        t("State"): pieces.state_text(row), t("Currency"): row["currency"],
        t("{currency} for one unit", currency=own): number(Decimal(row["rate"])), t("Day"): day(row["on_date"]),
        **pieces.stamp_columns(row),
    }  # fmt: skip


def _rate_form(context: session.Context, own: str) -> None:
    """Currency, day and rate; a rate far from the one before is pointed out."""
    currencies = sorted(set(EXPONENTS) - {own}, key=lambda code: (code not in ("EUR", "SEK", "DKK", "USD"), code))
    currency = st.selectbox(t("Currency"), currencies, key="rate:currency")
    on_date = pieces.day_input(t("Day"), context.today, "rate:day")
    typed = st.text_input(
        t("{own} for one {currency}", own=own, currency=currency), key="rate:rate", placeholder="11,50"
    )
    if not typed:
        return
    try:
        rate = parse_decimal(typed, places=RATE_PLACES)
    except ForbliError as error:
        pieces.warn(error)
        return
    with session.read() as db:
        moved = reads.rate_change_ppm(db, currency, on_date, rate)
    effect = t("From {day} 1 {currency} is {rate} {own}.", day=on_date, currency=currency, rate=rate, own=own)
    if moved is None:
        st.markdown(effect)
    else:
        show = st.warning if abs(moved) > ODD_PPM else st.markdown
        show(f"{effect} {t('{change} from the rate before.', change=parts.plain(percent(moved)))}")
    may = permit(context, Permission.EDIT_SETTINGS)
    if st.button(t("Add rate"), type="primary", key="rate:add", **may) and session.act(
        company.add_currency_rate, key="rate:add", currency=currency, on_date=on_date, rate=rate
    ):
        pieces.forget("rate:")
        session.say(t("The rate is stored"))
        st.rerun()
