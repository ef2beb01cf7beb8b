"""Forms of the subscription desk about what is bought: plan, quantity, add-ons, coupons."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from core.calc.pricebook import MICRO
from core.domain.subscriptions import Timing
from core.reports.change_preview import Request
from core.reports.desk_choices import Choices
from core.ui import session
from core.ui.desk_asked import Asked, Subject, ask_choice, ask_day, offer_text, one
from core.ui.format import money, percent, quantity
from core.ui.text import label, t

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
    picked = ask_choice(
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
        on = ask_day(t("From"), days["now"], f"{key}:on")
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
        on = ask_day(t("From"), chosen.now["on"], f"{key}:on")
    return _another("change_quantity", subject, wanted, held, on)


def _another(action: str, subject: Subject, wanted: float, held: int, on: date | None, **more: Any) -> Asked | None:
    """The request for another quantity than is held; nothing while it is the same."""
    if on is None or round(wanted * MICRO) == held:
        st.caption(t("Choose another quantity to see what it does."))
        return None
    return one(
        action, subscription_id=subject.subscription_id, **more, quantity_micro=round(wanted * MICRO), effective_on=on
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
        on = ask_day(t("From"), chosen.now["on"], f"{key}:on")
    return _another("change_addon", subject, wanted, held, on, item=code)


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
    picked = ask_choice(left, t("Coupon"), told, f"{key}:coupon")
    with right:
        on = ask_day(t("From"), chosen.now["on"], f"{key}:on")
    if picked is None or on is None:
        return None
    return one(action, subscription_id=subject.subscription_id, coupon_id=picked, effective_on=on)
