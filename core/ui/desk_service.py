"""Forms of the subscription desk about when service runs: beginning, trial, pause, cancellation, undoing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import streamlit as st

from core.calc.pricebook import MICRO
from core.domain.subscriptions import CreditChoice, EndCause, Timing
from core.reports.desk_choices import Choices, offers
from core.ui import session
from core.ui.desk_asked import DAY, INSTEAD, Asked, Subject, ask_choice, ask_day, offer_text, one
from core.ui.format import day, quantity
from core.ui.text import label, t

# --- when service runs -----------------------------------------------------------------------------------------------


def draw_cancel(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """The end: alternatives first, then when, what is given back, and why."""
    assert chosen is not None
    now = chosen.now
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(t(":material/lightbulb: Would something else help the customer more?"), width="content")
        for kind, icon, text in (
            ("pause", ":material/pause_circle:", t("A pause instead")),
            ("change_price", ":material/swap_vert:", t("Another plan instead")),
        ):
            if st.button(text, key=f"{key}:instead:{kind}", icon=icon):
                st.session_state[INSTEAD] = (kind, subject)
                st.rerun()
    names = {"period_end": t("At the end of the period"), "now": t("Today"), "day": t("On a day")}
    default = "now" if now["cancel_when"] == Timing.NOW else "period_end"
    when = st.segmented_control(
        t("Last day of service"),
        list(names),
        format_func=names.__getitem__,
        default=default,
        key=f"{key}:when",
        required=True,
    )
    on: date | None = None
    if when == "now":
        on = now["on"]
    elif when == "period_end" and chosen.renews_on is not None:
        on = chosen.renews_on - DAY
    elif when == "day":
        on = ask_day(t("Last day"), now["on"], f"{key}:on")
    left, right = st.columns(2)
    credits = [choice.value for choice in CreditChoice]
    credit = left.selectbox(
        t("Unused days that were billed"), credits, index=credits.index(now["cancel_credit"]), format_func=_credit_text,
        key=f"{key}:credit",
    )  # fmt: skip
    causes = [cause.value for cause in EndCause]
    cause = right.selectbox(t("Cause"), causes, format_func=label, key=f"{key}:cause")
    reason = st.text_input(t("Reason in the customer's words"), key=f"{key}:reason", max_chars=200)
    return one(
        "cancel",
        subscription_id=subject.subscription_id,
        effective_on=on,
        credit=credit,
        cause=cause,
        reason=reason.strip(),
    )


def _credit_text(choice: str) -> str:
    return {
        CreditChoice.NONE.value: t("Stay billed: no credit"),
        CreditChoice.CREDIT.value: t("Credit on the next invoice or as a credit note"),
        CreditChoice.REFUND.value: t("Credit, to be paid back"),
    }[choice]


def draw_pause(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """From–until with a reason."""
    assert chosen is not None
    left, right = st.columns(2)
    with left:
        start = ask_day(t("From"), chosen.now["on"], f"{key}:from")
    with right:
        last = ask_day(t("Last day of the pause"), (start or chosen.now["on"]) + timedelta(days=29), f"{key}:until", help=t("Empty: until service is resumed"))  # fmt: skip
    credits = [CreditChoice.NONE.value, CreditChoice.CREDIT.value]
    credit = st.selectbox(t("Unused days that were billed"), credits, format_func=_credit_text, key=f"{key}:credit")
    reason = st.text_input(t("Reason, printed on the invoice"), key=f"{key}:reason", max_chars=200)
    if start is None:
        return None
    return one(
        "pause", subscription_id=subject.subscription_id, effective_on=start, until_on=None if last is None else last + DAY,
        credit=credit, reason=reason.strip(),
    )  # fmt: skip


def draw_resume(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Serve again from a day on."""
    assert chosen is not None
    if chosen.now["pause_from"] is None:
        st.info(t("The subscription is not paused."), icon=":material/info:")
        return None
    on = ask_day(t("Service from"), chosen.now["on"], f"{key}:on")
    return None if on is None else one("resume", subscription_id=subject.subscription_id, effective_on=on)


def draw_trial(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """A trial that lasts longer, or ends today."""
    assert chosen is not None
    end = chosen.now["trial_end"]
    if end is None or end <= context.today:
        st.info(t("The subscription has no trial that runs."), icon=":material/info:")
        return None
    until = ask_day(t("First day that is billed"), end + timedelta(days=14), f"{key}:until")
    return None if until is None else one("change_trial", subscription_id=subject.subscription_id, until_on=until)


# --- beginning and undoing -------------------------------------------------------------------------------------------


def draw_start(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """A new subscription of the customer."""
    options = {offer["price_version_id"]: offer for offer in session.frames(offers, None, context.today)}
    if not options:
        st.info(t("No plan is on offer: publish prices first."), icon=":material/info:")
        return None
    told = {each: offer_text(offer) for each, offer in options.items()}
    picked = ask_choice(st, t("Plan and interval"), told, f"{key}:version")
    first, second, third = st.columns(3)
    with first:
        on = ask_day(t("First day"), context.today, f"{key}:on")
    wanted = second.number_input(t("Quantity"), 0.0, value=1.0, step=1.0, format="%g", key=f"{key}:quantity")
    trial = third.number_input(
        t("Trial, days"), 0, 366, value=None, key=f"{key}:trial", placeholder=t("as the plan says")
    )
    if picked is None or on is None:
        return None
    return one(
        "start", customer_id=subject.customer_id, price_version_id=picked, start_on=on,
        quantity_micro=round(wanted * MICRO), trial_days=trial,
    )  # fmt: skip


def change_text(change: dict[str, Any]) -> str:
    """ "Plan · Pro · from 1 Dec 2026 · Kari Nordmann" """
    what = change["plan"] or change["coupon"] or change["item"] or ""
    if change["quantity_micro"] is not None and change["kind"] in ("quantity", "addon"):
        what = f"{what} {quantity(change['quantity_micro'])}".strip()
    said = [label(change["kind"]), what, t("from {day}", day=day(change["effective_on"])), change["author"]]
    return " · ".join(filter(None, said))


def draw_undo(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Take back one of the newest changes."""
    assert chosen is not None
    changes = {each["id"]: each for each in chosen.undoable}
    if not changes:
        st.info(t("There is nothing to undo."), icon=":material/info:")
        return None
    picked = st.selectbox(t("Change"), list(changes), format_func=lambda each: change_text(changes[each]), key=f"{key}:change")  # fmt: skip
    return one("undo", change_id=picked)
