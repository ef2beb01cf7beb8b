"""What a subscription consists of, on the customer's page: parts and their why, discounts, usage so far, what is planned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from core.calc.calendar import OPEN
from core.calc.pricebook import MICRO
from core.documents.letters import how_stated, letter
from core.documents.words import Words
from core.domain.plans import PriceTerms
from core.reports.contents import Contents
from core.reports.letters import Told
from core.ui import parts
from core.ui.desk_service import change_text
from core.ui.format import money, percent, quantity
from core.ui.invoice_page import says
from core.ui.invoice_side import pair_row
from core.ui.plan_list import interval_of
from core.ui.plan_words import limit_text, whole_text
from core.ui.text import label, language, t

DAY = timedelta(days=1)


def show(each: Contents, told: Told) -> None:
    """Everything in force today and everything that is agreed to come, with what the customer is told of it."""
    if each.version is not None:
        _parts(each, each.version)
        for charge in each.metered:
            st.caption(
                f":material/speed: {parts.plain(charge.name or charge.code)}: {parts.plain(whole_text(charge, each.version['currency']))}"
            )
        for row in each.usage:
            _usage(row, each.version["currency"])
    for text in _states(each):
        st.markdown(text)
    if each.planned:
        st.markdown(f":blue[:material/event_upcoming:] **{t('Planned')}**")
        rolled_out = {row["change_id"]: row for row in told.rows.iter_rows(named=True)}
        for change in each.planned:
            text = change_text({**change, "author": ""})
            if change["change_id"] in rolled_out:
                _rolled_out(text, change, rolled_out[change["change_id"]], told.terms)
            else:
                st.markdown("- " + parts.plain(" · ".join([text, *limit_text(change)])))


def _rolled_out(text: str, change: dict[str, Any], row: dict[str, Any], terms: dict[int, PriceTerms]) -> None:
    """A price change of a scenario: from what to what, on which invoice first, and what the letter says when."""
    words = Words.of(language())
    before, after = (money(row[name], row["currency"]) for name in ("before_minor", "after_minor"))
    said = [
        text,
        t("{before} → {after} per {interval} ({how})", before=before, after=after, interval=interval_of(row), how=how_stated(row, terms, words)),
        t("on invoices from {day}", day=change["invoice_on"] or change["effective_on"]),
        t("letter on {day}", day=row["notice_on"]),
    ]  # fmt: skip
    st.markdown("- " + parts.plain(" · ".join(said)))
    st.caption(parts.plain(t("The letter: “{text}”", text=letter(row, terms))))
    parts.link("simulate", t("To the scenario"), query={"scenario": str(row["scenario_id"])}, icon=":material/science:")


def _parts(each: Contents, version: dict[str, Any]) -> None:
    """What one period costs, part by part, as the prices are stated."""
    currency = version["currency"]
    with st.container(gap="xsmall"):
        for part in each.parts:
            amount = parts.plain(money(part["amount_minor"], currency))
            why = "  \n".join(
                f":gray[:small[{says(each)}]]" for each in part["why"] if len(part["why"]) > 1 or len(each.says) > 1
            )
            many = f" × {quantity(part['quantity_micro'])}" if part["quantity_micro"] != MICRO else ""
            pair_row(parts.plain(part["name"] + many) + (f"  \n{why}" if why else ""), amount)
        for row in each.discounts:
            worth = percent(row["rate_ppm"]) if row["kind"] == "percent" else money(row["left_minor"], row["currency"])
            ends = t("through {day}", day=row["until"] - DAY) if row["until"] else ""
            until = ends or label(row["duration"] if row["duration"] == "once" else "forever")
            pair_row(
                f":violet[:material/redeem: {parts.plain(row['name'] or row['code'])}] · {until}",
                f"−{parts.plain(worth)}",
            )
        least = each.minimum_minor > sum(part["amount_minor"] for part in each.parts)
        if least:
            pair_row(t("At least, with what is used"), parts.plain(money(each.minimum_minor, currency)))
        if each.limit:
            why = "  \n".join(f":gray[:small[{parts.plain(text)}]]" for text in limit_text(each.limit))
            pair_row(
                f"{t('Limit on the price rise')}  \n{why}", parts.plain(money(each.limit["amount_minor"], currency))
            )
        if len(each.parts) > 1 or least or each.limit:
            vat = t("with VAT") if version["tax_inclusive"] else t("before VAT")
            total = parts.plain(money(each.period_minor, currency))
            pair_row(f"**{t('Price for one {interval}', interval=interval_of(version))}**, {vat}", f"**{total}**")


def _usage(row: dict[str, Any], currency: str) -> None:
    """Usage so far against the tier it stands in."""
    used = row["quantity_micro"] / MICRO
    said = t(
        "{name}: {quantity} so far, {amount}; billed after {day}", name=parts.plain(row["name"]), quantity=quantity(row["quantity_micro"], row["convert_by"]),
        amount=parts.plain(money(row["amount_minor"], currency)), day=row["period_end"] - DAY,
    )  # fmt: skip
    if row["bound"] is None:
        st.markdown(f":material/speed: {said}")
        return
    upper = float(row["bound"]) + float(row["included_units"] or 0)
    st.progress(
        min(1.0, used / upper) if upper else 1.0,
        text=f"{said} · " + t("this tier reaches {bound}", bound=quantity(round(upper * MICRO))),
    )


def _states(each: Contents) -> list[str]:
    """Trial, pause, own price, term and notice, when there is something to say."""
    now, version, said = each.now, each.version, []
    if version and version["subscription_id"]:
        until = t("through {day}", day=version["expires_on"] - DAY) if version["expires_on"] else t("without an end")
        said.append(f":violet[:material/handshake:] {t('Own price, agreed')} {until}: {parts.plain(version['reason'])}")
    if now["pause_from"]:
        until = (
            t("through {day}", day=now["pause_until"] - DAY) if now["pause_until"] != OPEN else t("until it is resumed")
        )
        said.append(f":orange[:material/pause_circle:] {t('Paused since {day}', day=now['pause_from'])}, {until}")
    terms = []
    if now["minimum_term_until"] and now["minimum_term_until"] > now["on"]:
        terms.append(t("agreed through {day}", day=now["minimum_term_until"] - DAY))
    notice = max(now["notice_days"] or 0, now["agreed_notice_days"] or 0)
    if notice:
        terms.append(t("{days} days of notice", days=notice))
    if now["period_end"] and now["ends_on"] == OPEN:
        terms.append(t("renews on {day}", day=now["period_end"]))
    return [*said, f":gray[{' · '.join(terms)}]"] if terms else said
