"""A price agreed with one subscription: asked for here, seen with its effect, approved or declined by a second person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas
import streamlit as st

from core.actions.agreed_prices import approve_price, decline_price, propose_price, withdraw_price
from core.domain.access import Permission
from core.domain.plans import PriceTerms, lowered
from core.reports import change_preview, desk_choices
from core.reports.plans import terms as terms_of
from core.ui import parts, session
from core.ui.desk_asked import Subject
from core.ui.desk_effect import show_effect
from core.ui.plan_list import permit
from core.ui.plan_words import day_format, field_name
from core.ui.text import t

AMOUNTS = ("unit_amount", "flat_amount")


def agree_form(subject: Subject) -> None:
    """What is agreed, from when until when, and why."""
    context = session.current()
    assert subject.subscription_id is not None
    chosen = session.frames(desk_choices.choices, subject.subscription_id, context.today)
    if chosen.now["current_id"] is None:
        st.info(t("The subscription has no prices in force."), icon=":material/info:")
        return
    key = f"agree:{subject.subscription_id}"
    today_terms = session.frames(terms_of, chosen.now["current_id"])
    left, middle, right = st.columns(3)
    percent = left.number_input(t("Lower every price by, %"), 0.0, 100.0, 10.0, 1.0, key=f"{key}:percent", format="%g")
    start = middle.date_input(t("From"), chosen.now["on"], key=f"{key}:from", format=day_format())
    last = right.date_input(
        t("Last day"), (start or context.today) + timedelta(days=364), key=f"{key}:until", format=day_format(),
        help=t("Empty: without an end. Afterwards the prices of today hold again."),
    )  # fmt: skip
    terms = _prices(lowered(today_terms, Decimal(str(percent))), f"{key}:{percent}")
    reason = st.text_input(t("Why it was agreed"), key=f"{key}:reason", max_chars=200)
    st.caption(t("Another person sees the effect on the customer's page and approves it. Until then nothing changes."))
    if st.button(
        t("Ask for approval"),
        type="primary",
        icon=":material/handshake:",
        key=f"{key}:send",
        disabled=terms is None or start is None,
    ):
        content = {"subscription_id": subject.subscription_id, "terms": terms, "reason": reason, "effective_on": start,
                   "expires_on": last + timedelta(days=1) if last else None}  # fmt: skip
        if session.act(propose_price, key=key, **content):
            session.say(t("The price waits for approval"))
            st.rerun()


def _prices(terms: PriceTerms, key: str) -> PriceTerms | None:
    """Every price that can be agreed, to be edited; None while a cell cannot be read."""
    places = [
        (at, row, name)
        for at, charge in enumerate(terms.charges)
        for row, tier in enumerate(charge.tiers)
        for name in AMOUNTS
        if getattr(tier, name)
    ]
    shown = pandas.DataFrame(
        {
            t("Charge"): [terms.charges[at].name for at, _, _ in places],
            t("Up to"): [
                f"{up:f}" if (up := terms.charges[at].tiers[row].up_to) is not None else "" for at, row, _ in places
            ],
            t("Price"): [field_name(name) for _, _, name in places],
            t("Amount"): [f"{getattr(terms.charges[at].tiers[row], name).normalize():f}" for at, row, name in places],
        }
    )
    edited = st.data_editor(shown, key=f"{key}:prices", hide_index=True, disabled=list(shown.columns[:3]))
    charges = [list(charge.tiers) for charge in terms.charges]
    for (at, row, name), text in zip(places, edited[t("Amount")], strict=True):
        try:
            amount = Decimal(str(text).replace(",", ".").replace(" ", ""))
        except InvalidOperation:
            st.error(t("“{text}” is not an amount", text=parts.plain(str(text))), icon=":material/error:")
            return None
        charges[at][row] = replace(charges[at][row], **{name: amount})
    return replace(
        terms,
        charges=tuple(
            replace(charge, tiers=tuple(tiers)) for charge, tiers in zip(terms.charges, charges, strict=True)
        ),
    )


def show_waiting(row: dict[str, Any], context: session.Context) -> None:
    """A proposal on the customer's page, its effect, and the two ways out."""
    version_id = row["price_version_id"]
    with st.container(border=True):
        until = (
            t("through {day}", day=row["expires_on"] - timedelta(days=1)) if row["expires_on"] else t("without an end")
        )
        st.markdown(
            f":orange[:material/hourglass_top:] **{t('Own price, waits for approval')}** · {parts.plain(row['external_id'])} · {until}  \n"
            + parts.plain(row["reason"]) + f"  \n:gray[{t('Asked for by {name}', name=parts.plain(row['author']))}]"
        )  # fmt: skip
        request = (("price_version_id", version_id),)
        show_effect(session.frames(change_preview.effect, row["customer_id"], "approve_price", request, context.today))
        with st.container(horizontal=True):
            _approve(row, context)
            drop = withdraw_price if row["author"] == context.actor.name else decline_price
            may = {} if drop is withdraw_price else permit(context, Permission.PUBLISH_PRICES)
            if st.button(t("Drop it"), key=f"agreed:{version_id}:drop", type="tertiary", **may) and session.act(
                drop, key=f"drop:{version_id}", price_version_id=version_id
            ):
                session.say(t("The proposal is dropped"))
                st.rerun()


def _approve(row: dict[str, Any], context: session.Context) -> None:
    """Only for a second person; the first one reads why not."""
    version_id, may = row["price_version_id"], permit(context, Permission.PUBLISH_PRICES)
    if row["author"] == context.actor.name:
        may = {"disabled": True, "help": t("You asked for it: a second person must approve it.")}
    if st.button(
        t("Approve"), type="primary", icon=":material/verified:", key=f"agreed:{version_id}:yes", **may
    ) and session.act(approve_price, key=f"approve:{version_id}", price_version_id=version_id):
        session.say(t("The agreed price is approved"))
        st.rerun()
