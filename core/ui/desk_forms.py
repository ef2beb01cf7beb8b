"""The forms of the subscription desk: what is asked for each change, as a request to its action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st

from core.actions import subscriptions
from core.domain.subscriptions import CreditChoice, EndCause, Timing
from core.reports.change_preview import Request
from core.reports.desk_choices import Choices, offers
from core.ui import session
from core.ui.format import day, money, percent, quantity
from core.ui.plan_list import interval_of
from core.ui.plan_words import day_format
from core.ui.text import label, t

MICRO = 10**6
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


def _day(text: str, value: date | None, key: str, *, help: str = "") -> date | None:
    """A day; what is left empty is no day."""
    return st.date_input(text, value, key=key, format=day_format(), help=help or None)


def _choose(place: Any, text: str, options: dict[Any, str], key: str, **more: Any) -> Any:
    """One of several, chosen by hand: what a customer gets is never simply the first of a list. What is alone stands."""
    return place.selectbox(
        text, list(options), format_func=options.__getitem__, key=key, index=0 if len(options) == 1 else None,
        placeholder=t("Choose one to see what it does"), **more,
    )  # fmt: skip


def offer_text(offer: dict[str, Any]) -> str:
    """ "Pro · month · from 599,00 kr" """
    amount = money(offer["headline_minor"], offer["currency"])
    return f"{offer['plan']} · {interval_of(offer)} · {amount}"


# --- plan, quantity, add-on ----------------------------------------------------------------------------------------


def draw_plan(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Another plan or interval: now and at renewal side by side, or on a day."""
    assert chosen is not None
    now = chosen.now
    options = {
        offer["price_version_id"]: offer for offer in chosen.offers if offer["price_version_id"] != now["current_id"]
    }
    if not options:
        st.info(t("No other prices are on offer in this currency."), icon=":material/info:")
        return None
    picked = _choose(
        st, t("New plan and interval"), {each: offer_text(offer) for each, offer in options.items()}, f"{key}:version",
        help=t("What one period costs with one seat and no add-ons"),
    )  # fmt: skip
    if picked is None:
        return None
    days = {"now": now["on"], "renewal": chosen.renews_on or now["on"]}
    upward = (options[picked]["rank"] or 0) - (now["rank"] or 0)
    policy = now["upgrade_when"] if upward > 0 else now["downgrade_when"] if upward < 0 else Timing.PERIOD_END.value
    names = {
        "now": t("Now, {day}", day=days["now"]),
        "renewal": t("At renewal, {day}", day=days["renewal"]),
        "day": t("On a day"),
    }
    when = st.segmented_control(
        t("When"), list(names), format_func=names.__getitem__, default="now" if policy == Timing.NOW else "renewal",
        key=f"{key}:when:{upward > 0}", required=True,
        help=t("The plan's policy says: upgrades {up}, downgrades {down}", up=label(now["upgrade_when"]), down=label(now["downgrade_when"])),
    )  # fmt: skip

    def request(on: date | None) -> Request:
        return (("subscription_id", subject.subscription_id), ("price_version_id", picked), ("effective_on", on))

    if when == "day":
        on = _day(t("From"), days["now"], f"{key}:on")
        return None if on is None else Asked("change_price", request(on), (request(on),), ("",))
    both = tuple(request(days[each]) for each in ("now", "renewal"))
    if both[0] == both[1]:
        return Asked("change_price", both[0], both[:1], ("",))
    return Asked("change_price", both[0 if when == "now" else 1], both, (names["now"], names["renewal"]))


def draw_quantity(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Another quantity from a day on."""
    assert chosen is not None
    held = chosen.now["quantity_now_micro"] or MICRO
    left, right = st.columns(2)
    wanted = left.number_input(
        t("Quantity"), 0.0, value=held / MICRO, step=1.0, format="%g", key=f"{key}:quantity",
        help=t("Now {quantity}", quantity=quantity(held)),
    )  # fmt: skip
    with right:
        on = _day(t("From"), chosen.now["on"], f"{key}:on")
    if on is None or round(wanted * MICRO) == held:
        st.caption(t("Choose another quantity to see what it does."))
        return None
    return one(
        "change_quantity",
        subscription_id=subject.subscription_id,
        quantity_micro=round(wanted * MICRO),
        effective_on=on,
    )


def draw_addon(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """More or fewer of an add-on; none removes it."""
    assert chosen is not None
    addons = {each["code"]: each for each in chosen.addons}
    if not addons:
        st.info(t("These prices have no add-ons."), icon=":material/info:")
        return None
    left, middle, right = st.columns([2, 1, 1])
    code = left.selectbox(
        t("Add-on"), list(addons), key=f"{key}:item",
        format_func=lambda each: t("{name} · now {quantity}", name=addons[each]["name"], quantity=quantity(addons[each]["held_micro"])),
    )  # fmt: skip
    held = addons[code]["held_micro"]
    wanted = middle.number_input(
        t("Quantity"),
        0.0,
        value=held / MICRO,
        step=1.0,
        format="%g",
        key=f"{key}:quantity:{code}",
        help=t("0 removes it"),
    )
    with right:
        on = _day(t("From"), chosen.now["on"], f"{key}:on")
    if on is None or round(wanted * MICRO) == held:
        st.caption(t("Choose another quantity to see what it does."))
        return None
    return one(
        "change_addon",
        subscription_id=subject.subscription_id,
        item=code,
        quantity_micro=round(wanted * MICRO),
        effective_on=on,
    )


# --- coupons ---------------------------------------------------------------------------------------------------------


def coupon_text(coupon: dict[str, Any]) -> str:
    """ "Welcome · 20 % · 3 periods" """
    worth = (
        percent(coupon["rate_ppm"])
        if coupon["kind"] == "percent"
        else money(coupon["amount_minor"], coupon["currency"])
    )
    lasts = (
        t("{count} periods", count=coupon["periods"]) if coupon["duration"] == "periods" else label(coupon["duration"])
    )
    return f"{coupon['name'] or coupon['code']} · {worth} · {lasts}"


def draw_coupon(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Give a coupon that may be given to this subscription."""
    return _coupon(
        subject,
        chosen,
        key,
        "grant_coupon",
        held=False,
        nothing=t("No coupon can be given to this subscription today."),
    )


def draw_coupon_end(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """Stop a coupon."""
    return _coupon(subject, chosen, key, "end_coupon", held=True, nothing=t("The subscription has no coupon."))


def _coupon(
    subject: Subject, chosen: Choices | None, key: str, action: str, *, held: bool, nothing: str
) -> Asked | None:
    assert chosen is not None
    coupons = {each["coupon_id"]: each for each in chosen.coupons if each["held"] == held}
    if not coupons:
        st.info(nothing, icon=":material/info:")
        return None
    left, right = st.columns([2, 1])
    told = {each: coupon_text(coupon) for each, coupon in coupons.items()}
    picked = _choose(left, t("Coupon"), told, f"{key}:coupon")
    with right:
        on = _day(t("From"), chosen.now["on"], f"{key}:on")
    if picked is None or on is None:
        return None
    return one(action, subscription_id=subject.subscription_id, coupon_id=picked, effective_on=on)


# --- when service runs -----------------------------------------------------------------------------------------------


def draw_cancel(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """The end: alternatives first, then when, what is given back, and why."""
    assert chosen is not None
    now = chosen.now
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(t(":material/lightbulb: Would something else help the customer more?"), width="content")
        for kind, text in (("pause", t("A pause instead")), ("change_price", t("Another plan instead"))):
            if st.button(text, key=f"{key}:instead:{kind}", icon=FORMS[kind].icon):
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
        on = _day(t("Last day"), now["on"], f"{key}:on")
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
        start = _day(t("From"), chosen.now["on"], f"{key}:from")
    with right:
        last = _day(t("Last day of the pause"), (start or chosen.now["on"]) + timedelta(days=29), f"{key}:until", help=t("Empty: until service is resumed"))  # fmt: skip
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
    on = _day(t("Service from"), chosen.now["on"], f"{key}:on")
    return None if on is None else one("resume", subscription_id=subject.subscription_id, effective_on=on)


def draw_trial(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """A trial that lasts longer, or ends today."""
    assert chosen is not None
    end = chosen.now["trial_end"]
    if end is None or end <= context.today:
        st.info(t("The subscription has no trial that runs."), icon=":material/info:")
        return None
    until = _day(t("First day that is billed"), end + timedelta(days=14), f"{key}:until")
    return None if until is None else one("change_trial", subscription_id=subject.subscription_id, until_on=until)


# --- beginning and undoing -------------------------------------------------------------------------------------------


def draw_start(subject: Subject, chosen: Choices | None, context: session.Context, key: str) -> Asked | None:
    """A new subscription of the customer."""
    options = {offer["price_version_id"]: offer for offer in session.frames(offers, None, context.today)}
    if not options:
        st.info(t("No plan is on offer: publish prices first."), icon=":material/info:")
        return None
    told = {each: offer_text(offer) for each, offer in options.items()}
    picked = _choose(st, t("Plan and interval"), told, f"{key}:version")
    first, second, third = st.columns(3)
    with first:
        on = _day(t("First day"), context.today, f"{key}:on")
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


FORMS: dict[str, Form] = {
    "change_price": Form(
        subscriptions.change_price, ":material/swap_vert:", lambda: t("Change plan"), lambda: t("Change plan or interval"),
        lambda: t("Change plan"), lambda: t("The plan is changed"), draw_plan,
    ),
    "change_quantity": Form(
        subscriptions.change_quantity, ":material/group_add:", lambda: t("Quantity"), lambda: t("Change quantity"),
        lambda: t("Change quantity"), lambda: t("The quantity is changed"), draw_quantity,
    ),
    "change_addon": Form(
        subscriptions.change_addon, ":material/extension:", lambda: t("Add-on"), lambda: t("Change an add-on"),
        lambda: t("Change add-on"), lambda: t("The add-on is changed"), draw_addon,
    ),
    "grant_coupon": Form(
        subscriptions.grant_coupon, ":material/redeem:", lambda: t("Coupon"), lambda: t("Give a coupon"),
        lambda: t("Give coupon"), lambda: t("The coupon is given"), draw_coupon,
    ),
    "cancel": Form(
        subscriptions.cancel, ":material/event_busy:", lambda: t("Cancel …"), lambda: t("Cancel the subscription"),
        lambda: t("Cancel the subscription"), lambda: t("The subscription is cancelled"), draw_cancel,
    ),
    "pause": Form(
        subscriptions.pause, ":material/pause_circle:", lambda: t("Pause"), lambda: t("Pause service"),
        lambda: t("Pause"), lambda: t("The pause is planned"), draw_pause,
    ),
    "resume": Form(
        subscriptions.resume, ":material/play_circle:", lambda: t("Resume"), lambda: t("Resume service"),
        lambda: t("Resume"), lambda: t("Service resumes"), draw_resume,
    ),
    "change_trial": Form(
        subscriptions.change_trial, ":material/hourglass:", lambda: t("Change trial"), lambda: t("Extend or end the trial"),
        lambda: t("Change trial"), lambda: t("The trial is changed"), draw_trial,
    ),
    "end_coupon": Form(
        subscriptions.end_coupon, ":material/money_off:", lambda: t("End a coupon"), lambda: t("End a coupon"),
        lambda: t("End coupon"), lambda: t("The coupon ends"), draw_coupon_end,
    ),
    "undo": Form(
        subscriptions.undo, ":material/undo:", lambda: t("Undo a change"), lambda: t("Undo a change"),
        lambda: t("Undo"), lambda: t("The change is undone"), draw_undo,
    ),
    "start": Form(
        subscriptions.start, ":material/add_circle:", lambda: t("New subscription"), lambda: t("Start a subscription"),
        lambda: t("Start"), lambda: t("The subscription is started"), draw_start,
    ),
}  # fmt: skip
