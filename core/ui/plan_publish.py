"""Publishing and retiring: what it does is said first, then confirmed by typing."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from core.actions import plans
from core.domain.access import Permission
from core.domain.price_rules import check_terms
from core.reports import plans as reads
from core.reports import scenarios
from core.reports.plans import Effect
from core.ui import parts, plan_editor, session
from core.ui.format import day, money, number
from core.ui.plan_words import day_format, finding_text
from core.ui.text import t


def publish_dialog(plan: dict[str, Any], version: dict[str, Any]) -> None:
    """Open the dialog."""
    st.dialog(t("Publish prices"), width="medium")(_publish_form)(plan, version)


def _publish_form(plan: dict[str, Any], version: dict[str, Any]) -> None:
    """Effect, the second person, the day, the typed code."""
    version_id, context = version["price_version_id"], session.current()
    key = plan_editor.form_key(version_id)
    if key in st.session_state and plan_editor.is_changed(st.session_state[key]):
        st.warning(t("The draft has changes that are not saved. Save or undo them first."), icon=":material/save:")
        return
    findings = check_terms(session.frames(reads.terms, version_id))
    if findings:
        st.warning(t("The draft cannot be published yet: {sentence}", sentence=parts.plain(finding_text(findings[0]))))
        return
    effect = session.frames(reads.effect, plan["id"], version_id, context.today)
    scenario = session.frames(scenarios.behind, version_id)
    if scenario is None or not scenario["count"]:
        _effect(effect)
    if scenario is not None:
        _scenario(scenario, effect.currency)
    if effect.second_person and version["author"] == context.actor.name:
        _second_person(context)
        return
    valid_from = _valid_from(version_id, scenario, context.today)
    st.caption(t("Published prices are frozen: they can be retired, and followed by a new version, but never edited."))
    typed = st.text_input(t("Type {code} to confirm", code=plan["code"]), key=f"confirm:{version_id}")
    if typed and typed.strip() != plan["code"]:
        st.caption(t("That is not {code}", code=parts.plain(plan["code"])))
    ready = (typed or "").strip() == plan["code"]
    if st.button(t("Publish"), type="primary", disabled=not ready) and session.act(
        plans.publish, key=f"publish:{version_id}", price_version_id=version_id, valid_from=valid_from
    ):
        plan_editor.forget(version_id)
        session.say(t("The prices are published"))
        st.rerun()


def _valid_from(version_id: int, scenario: dict[str, Any] | None, today: date) -> date:
    """The day that new customers get the prices, as the scenario behind them says it; and what is odd about another one."""
    approved_on = (scenario and scenario["from_on"]) or today
    chosen = st.date_input(
        t("Valid from"), max(today, approved_on), key=f"valid_from:{version_id}", format=day_format()
    )
    first = scenario and scenario["first_on"]
    if chosen < today:
        st.warning(t("This day has passed: new subscriptions can be dated back to it, and get these prices."), icon=":material/history:")  # fmt: skip
    if first and chosen > first:
        st.warning(t("Existing customers get these prices from {day} on: with a later day here their roll-out cannot be planned.", day=day(first)), icon=":material/event_busy:")  # fmt: skip
    return chosen


def _effect(effect: Effect) -> None:
    """Whom it concerns: those who have the price before it, and what they are worth."""
    if not effect.subscriptions:
        st.info(
            t("Nobody has earlier prices in this currency and interval. New customers get these."),
            icon=":material/group:",
        )
    else:
        difference = effect.then_minor - effect.now_minor
        st.info(
            t("Affects {count} subscriptions, {worth} a month at list prices.",
              count=number(effect.subscriptions), worth=parts.plain(money(effect.now_minor, effect.currency)))
            + " " + t("They keep their price. Moved to these prices they would be worth {then} a month, {difference}.",
                      then=parts.plain(money(effect.then_minor, effect.currency)),
                      difference=parts.plain(money(difference, effect.currency, sign=True))),
            icon=":material/group:",
        )  # fmt: skip
    if effect.negotiated:
        st.caption(t("{count} more have a price of their own, which stays.", count=number(effect.negotiated)))


def _scenario(found: dict[str, Any], currency: str) -> None:
    """The scenario whose prices these are: publishing them lets its roll-out begin, with the figures that were approved."""
    name = parts.plain(found["name"])
    if found["count"]:
        before, after = found["before_minor"], found["after_minor"]
        said = t("These are the prices of the approved scenario “{name}”. Once they are published, its roll-out can move the {count} subscriptions of its schedule, each on its day; nobody is moved before.",
                 name=name, count=number(found["count"]))  # fmt: skip
        said += " " + t("As approved, they are billed {before} a month today and {after} then, {difference}: before VAT, with discounts, limits and past usage. All others keep their prices.",
                        before=parts.plain(money(before, currency)), after=parts.plain(money(after, currency)),
                        difference=parts.plain(money(after - before, currency, sign=True)))  # fmt: skip
    else:
        said = t("These are the prices of the approved scenario “{name}”. They are for new customers only.", name=name)
    st.info(said, icon=":material/rocket_launch:")
    parts.link("simulate", t("To the scenario"), query={"scenario": str(found["id"])}, icon=":material/science:")


def _second_person(context: session.Context) -> None:
    """Four eyes, explained: who can do it now."""
    others = [
        person.name for person in session.people()
        if person.may(Permission.PUBLISH_PRICES) and person.name != context.actor.name
    ]  # fmt: skip
    st.warning(
        t(
            "This changes the price of a plan that customers have, and you drafted it. A second person must look at it and publish it."
        ),
        icon=":material/group_add:",
    )
    if others:
        st.markdown(t("Who can: {names}", names=", ".join(parts.plain(name) for name in others)))
        st.caption(
            t(
                "In local mode, choose that person under “Acting as” in the sidebar. The draft and its link stay as they are."
            )
        )
    else:
        st.caption(t("Nobody else may publish prices yet. Add a person in Settings."))


def retire_dialog(version: dict[str, Any]) -> None:
    """Open the dialog."""
    st.dialog(t("Retire these prices"))(_retire_form)(version)


def _retire_form(version: dict[str, Any]) -> None:
    """Offered no longer; those who have it keep it."""
    st.write(t("Nobody will be offered these prices any more. {count} subscriptions have them and keep them.", count=number(version["subscriptions"])))  # fmt: skip
    version_id = version["price_version_id"]
    if st.button(t("Retire"), type="primary") and session.act(
        plans.retire, key=f"retire:{version_id}", price_version_id=version_id
    ):
        session.say(t("The prices are retired"))
        st.rerun()
