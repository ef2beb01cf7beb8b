"""The list of plans and the coupons, and the forms that add to them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from core.actions import coupons, plans
from core.domain.access import Permission
from core.domain.coupons import CouponKind, Duration, Scope
from core.domain.errors import ForbliError
from core.domain.money import parse_decimal, to_exact_minor
from core.domain.periods import Interval, Unit
from core.domain.price_form import interval_name
from core.reports.plans import Overview
from core.ui import parts, session
from core.ui.format import day, money, number, percent
from core.ui.plan_words import CURRENCIES, day_format
from core.ui.text import label, refusal, t

PAGE_SIZE = 50


def interval_of(row: dict[str, Any]) -> str:
    """The interval of a version's row in words: "month", "quarter"."""
    return label(interval_name(Interval(Unit(row["interval_unit"]), row["interval_count"])))


def show(found: Overview, context: session.Context) -> None:
    """Search, the archived toggle, the rows, and the button that adds a plan."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("Find a plan"), key="plan_text", type="search", live="200ms", bind="query-params",
            placeholder=t("Name, code or description"), width=320,
        )  # fmt: skip
        archived = st.toggle(t("Show archived plans"), key="archived", bind="query-params")
        st.space("stretch")
        if st.button(t("New plan"), icon=":material/add:", type="primary", **permit(context, Permission.DRAFT_PRICES)):
            create_dialog()
    shown = found.narrowed(text or "", archived=bool(archived))
    if found.plans.is_empty():
        parts.empty(
            "sell", t("No plans yet"), t("A plan is what customers subscribe to. Make one, then give it prices.")
        )
        return
    if shown.is_empty():
        parts.empty("search_off", t("No plan fits"), t("Change the text, or show archived plans too."))
        return
    pages = -(-shown.height // PAGE_SIZE)
    page = st.pagination(pages, key="plan_page", bind="query-params") if pages > 1 else 1
    _rows(shown.slice((page - 1) * PAGE_SIZE, PAGE_SIZE), found)


def _rows(shown: pl.DataFrame, found: Overview) -> None:
    """One bordered row a plan: name, prices, subscriptions, list MRR."""
    for plan in shown.iter_rows(named=True):
        with st.container(border=True):
            name, prices, count, worth = st.columns([2.2, 3.4, 1.9, 2.4], vertical_alignment="center")
            with name:
                parts.link("plans", f"**{parts.plain(plan['name'])}**", query={"plan": plan["code"]})
                said = t("Rank {rank}", rank=plan["rank"])
                st.caption(
                    f"{parts.plain(plan['code'])} · {said}" + (f" · {t('Archived')}" if plan["archived"] else "")
                )
            with prices:
                _live(found.live.get(plan["plan_id"], []))
            with count:
                st.markdown(f"**{number(plan['subscriptions'])}**  \n:gray[:small[{t('subscriptions')}]]")
            with worth:
                sums = found.mrr.get(plan["plan_id"], {})
                worths = " · ".join(parts.plain(money(minor, code)) for code, minor in sums.items() if minor)
                st.markdown(f"**{worths or '–'}**  \n:gray[:small[{t('list MRR')}]]", help=t("What running subscriptions are worth a month at list prices: before VAT, discounts, usage and one-off fees."))  # fmt: skip


def _live(rows: list[dict[str, Any]]) -> None:
    """What is offered today, one badge for each currency and interval."""
    if not rows:
        st.caption(t("No prices in force"))
        return
    with st.container(horizontal=True, gap="small"):
        for row in rows[:6]:
            amount = money(row["headline_minor"], row["currency"])
            st.badge(f"{parts.plain(amount)} / {interval_of(row)}", color="blue", help=t("One interval with one seat"))
        if len(rows) > 6:
            st.caption(t("and {count} more", count=len(rows) - 6))


def permit(context: session.Context, permission: Permission) -> dict[str, Any]:
    """A button that the person acting may not use is disabled, with the reason."""
    if context.may(permission):
        return {}
    return {"disabled": True, "help": t("Your role may not do this")}


def create_dialog() -> None:
    """Open the dialog."""
    st.dialog(t("New plan"))(_create_form)()


def _create_form() -> None:
    """A new plan; what was typed stays when it is refused."""
    with st.form("new_plan", border=False):
        code = st.text_input(
            t("Code"), help=t("Short and lasting: it stands in links and files. It cannot be changed.")
        )
        name = st.text_input(t("Name"), help=t("Stands on invoices"))
        description = st.text_area(t("Description"), height=80)
        rank = st.number_input(t("Rank"), value=0, step=1, help=t("Moving to a higher rank is an upgrade, to a lower one a downgrade, whatever the prices."))  # fmt: skip
        if not st.form_submit_button(t("Create plan"), type="primary"):
            return
    content = {"code": code, "name": name, "description": description, "rank": int(rank)}
    if session.act(plans.create_plan, key="create_plan", **content):
        session.say(t("The plan is made. Give it prices."))
        st.query_params["plan"] = code.strip()
        st.rerun()


# --- coupons --------------------------------------------------------------------------------------------------------


def show_coupons(found: pl.DataFrame, context: session.Context, today: date) -> None:
    """The coupons, and the form for a new one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        archived = st.toggle(t("Show archived coupons"), key="archived_coupons")
        st.space("stretch")
        if st.button(
            t("New coupon"), icon=":material/add:", type="primary", **permit(context, Permission.EDIT_COUPONS)
        ):
            coupon_dialog(today)
    shown = found if archived else found.filter(~found["archived"])
    if shown.is_empty():
        parts.empty("local_offer", t("No coupons yet"), t("A coupon takes a share or an amount off, once, for some periods or for ever."))  # fmt: skip
        return
    rows = [
        {
            t("Code"): row["code"], t("Name"): row["name"], t("Gives"): gives(row), t("Lasts"): lasts(row),
            t("Taken off"): label(row["scope"]) + (f": {row['charge_code']}" if row["charge_code"] else ""),
            t("May be granted"): _validity(row), t("Status"): t("Archived") if row["archived"] else t("Offered"),
        }
        for row in shown.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        codes = dict(shown.select("coupon_id", "code").iter_rows())
        chosen = st.selectbox(t("Coupon"), list(codes), format_func=codes.__getitem__, width=240)
        gone = bool(shown.filter(shown["coupon_id"] == chosen)["archived"].item())
        text = t("Offer it again") if gone else t("Archive it")
        if st.button(text, **permit(context, Permission.EDIT_COUPONS)) and session.act(
            coupons.archive_coupon, key=f"archive_coupon:{chosen}", coupon_id=chosen, archived=not gone
        ):
            st.rerun()


def gives(row: dict[str, Any]) -> str:
    """What a coupon takes off."""
    return (
        percent(row["rate_ppm"]) if row["kind"] == CouponKind.PERCENT else money(row["amount_minor"], row["currency"])
    )


def lasts(row: dict[str, Any]) -> str:
    """How long a coupon lasts."""
    return t("{count} periods", count=row["periods"]) if row["duration"] == Duration.PERIODS else label(row["duration"])


def _validity(row: dict[str, Any]) -> str:
    if not row["valid_from"] and not row["valid_to"]:
        return t("always")
    return f"{day(row['valid_from'])} – {day(row['valid_to'])}"


def coupon_dialog(today: date) -> None:
    """Open the dialog."""
    st.dialog(t("New coupon"))(_coupon_form)(today)


def _coupon_form(today: date) -> None:
    """A new coupon; the fields follow the choices."""
    code, name = st.text_input(t("Code")), st.text_input(t("Name"), help=t("Stands on invoices"))
    kind = st.segmented_control(
        t("Gives"), list(CouponKind), format_func=label, default=CouponKind.PERCENT, required=True
    )
    with st.container(horizontal=True):
        amount = st.text_input(t("Percent") if kind == CouponKind.PERCENT else t("Amount"), placeholder="10")
        currency = st.selectbox(t("Currency"), CURRENCIES) if kind == CouponKind.AMOUNT else ""
    duration = st.segmented_control(t("Lasts"), list(Duration), format_func=label, default=Duration.ONCE, required=True)
    periods = st.number_input(t("Periods"), 1, 1200, 3) if duration == Duration.PERIODS else 1
    scope = st.segmented_control(t("Taken off"), list(Scope), format_func=label, default=Scope.PLAN, required=True)
    charge = st.text_input(t("Charge code")) if scope == Scope.CHARGE else ""
    with st.container(horizontal=True):
        valid_from = st.date_input(t("Granted from"), value=None, key="coupon_from", format=day_format())
        valid_to = st.date_input(
            t("Granted until, exclusive"), value=None, key="coupon_to", min_value=today, format=day_format()
        )
    if not st.button(t("Create coupon"), type="primary"):
        return
    try:
        worth = _worth(str(kind), amount, currency)
    except ForbliError as error:
        st.error(refusal(error))
        return
    content = {
        "code": code, "name": name, "kind": str(kind), **worth, "duration": str(duration), "periods": int(periods),
        "scope": str(scope), "charge_code": charge, "valid_from": valid_from, "valid_to": valid_to,
    }  # fmt: skip
    if session.act(coupons.create_coupon, key="create_coupon", **content):
        session.say(t("The coupon is made"))
        st.rerun()


def _worth(kind: str, typed: str, currency: str) -> dict[str, Any]:
    """The typed number as a rate or as an amount of the currency."""
    if kind == CouponKind.PERCENT:
        return {"rate_ppm": int(parse_decimal(typed, places=4) * Decimal(10_000))}
    return {"amount_minor": to_exact_minor(parse_decimal(typed), currency), "currency": currency}
