"""The sentence that a scenario is: what changes for whom and when, pre-filled from the live prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import streamlit as st

from core.calc.simulation.response import Reaction
from core.documents.scenario_words import existing, sentence
from core.documents.words import Words
from core.domain.errors import InvalidInput
from core.domain.plans import ChargeKind
from core.domain.scenarios import Existing, Scenario, kept_edits
from core.domain.subscriptions import CustomerKind
from core.reports.simulation import first_day
from core.ui import parts, session, simulate_prices
from core.ui.format import day, number, share
from core.ui.plan_words import day_format
from core.ui.simulate_reads import KEY, Series
from core.ui.text import label, language, t

# What is assumed until somebody says otherwise; being told as a factor of the churn, not as its logarithm.
USUAL = {
    name: float(getattr(Reaction(), name))
    for name in ("kappa", "rho", "half_life", "acquisition", "usage_elasticity", "spill_over")
}
USUAL["notice"] = round(math.exp(float(Reaction().notice)), 4)
USUAL_NOTICE = 30  # days


def build(known: list[Series], context: session.Context) -> Scenario:
    """The widgets; what they say."""
    state = st.session_state
    with st.container(border=True):
        chosen = _series(known)
        plain = Scenario(state.get(f"{KEY}:name") or t("New prices"), chosen.plan, chosen.currency, chosen.interval)
        edits = simulate_prices.choose(chosen, context)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            timed = _when(plain, chosen, context)
            bundled = _bundled(chosen)
        scenario = _more(timed, known)
    whole = replace(
        scenario, edits=edits, bundled=bundled, exempt=tuple(state.get(f"{KEY}:exempt", ())),
        capped=tuple(state.get(f"{KEY}:capped", ())),
    )  # fmt: skip
    return replace(whole, edits=kept_edits(whole))


def _when(scenario: Scenario, chosen: Series, context: session.Context) -> Scenario:
    """From when on whom, and how long before they are told."""
    lasting: dict[str, Any] = {"persist_state": "session"}
    from_on = st.date_input(t("For new customers from"), context.today, key=f"{KEY}:from", format=day_format(), width=170, **lasting)  # fmt: skip
    words = existing(Words.of(language()))
    when = st.selectbox(
        t("For existing customers"), list(words), format_func=words.__getitem__, key=f"{KEY}:existing", width=210, **lasting
    )  # fmt: skip
    on = None
    if when == Existing.DATE.value:
        kinds = tuple(st.session_state.get(f"{KEY}:kinds") or chosen.kinds)
        first = session.frames(
            first_day, kinds, int(st.session_state.get(f"{KEY}:notice", USUAL_NOTICE)), context.today
        )
        on = st.date_input(t("On the day"), first, key=f"{KEY}:on", format=day_format(), width=150, **lasting)  # fmt: skip
    notice = parts.number_box(
        t("Told before, days"), 0, 365, USUAL_NOTICE, 5, key=f"{KEY}:notice", width=130, disabled=when == Existing.NEVER.value, **lasting
    )  # fmt: skip
    return replace(scenario, from_on=_day(from_on), existing=Existing(when), existing_on=_day(on), notice_days=int(notice))  # fmt: skip


def _bundled(chosen: Series) -> tuple[str, ...]:
    """Add-ons that cost nothing any more."""
    names = {each.code: each.name or each.code for each in chosen.terms.charges if each.kind is ChargeKind.ADDON}
    if not names:
        return ()
    picked = st.multiselect(
        t("Include add-ons for nothing"), list(names), format_func=names.__getitem__, key=f"{KEY}:bundled", width=240,
        placeholder=t("none"), persist_state="session",
    )  # fmt: skip
    return tuple(picked)


def _day(value: Any) -> date | None:
    return value if isinstance(value, date) else None


def _series(known: list[Series]) -> Series:
    """Whose prices change."""
    names = {
        f"{each.plan}|{each.currency}|{each.interval}": t("{plan} · {currency} · {interval} · {count} subscriptions", plan=each.name, currency=each.currency,
                                                         interval=label(each.interval), count=number(each.subscriptions))
        for each in known
    }  # fmt: skip
    if st.session_state.get(f"{KEY}:series") not in names:
        st.session_state.pop(f"{KEY}:series", None)
    picked = st.selectbox(
        t("Change the prices of"),
        list(names),
        format_func=names.__getitem__,
        key=f"{KEY}:series",
        persist_state="session",
        on_change=lambda: st.session_state.pop(f"{KEY}:name", None),
    )
    return known[list(names).index(picked)]


def _more(scenario: Scenario, known: list[Series]) -> Scenario:
    """Limits, scope, waves and the horizon, folded away."""
    with (
        st.expander(t("Limits, scope and waves"), icon=":material/tune:"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        cap = _limit("cap", t("Rise at most"), [0.05, 0.10, 0.15, 0.20, 0.30], help=t("Against the earlier prices, for the same period and the same use. A line of its own on the invoice, until the prices change again; discounts come off after it."))  # fmt: skip
        floor = _limit("floor", t("Fall at most"), [0.0, 0.05, 0.10, 0.20])
        kinds = st.multiselect(
            t("Kinds"),
            [each.value for each in CustomerKind],
            format_func=label,
            key=f"{KEY}:kinds",
            persist_state="session",
            width=190,
            placeholder=t("All"),
        )
        agreed = st.checkbox(t("Agreed prices too"), key=f"{KEY}:agreed", persist_state="session")
        others = {each.plan: each.name for each in known if each.plan != scenario.plan}
        instead = st.multiselect(
            t("May change to instead"), list(others), format_func=others.__getitem__, key=f"{KEY}:instead", persist_state="session", width=230, placeholder=t("All plans of their kind"),
            help=t("What customers could do with instead. A telephone alone is no substitute for the internet."),
        )  # fmt: skip
        waves = parts.number_box(t("Waves"), 1, 12, 1, key=f"{KEY}:waves", persist_state="session", width=100)
        apart = parts.number_box(
            t("Months apart"), 1, 12, 1, key=f"{KEY}:apart", persist_state="session", width=130, disabled=waves == 1
        )
        held = st.selectbox(
            t("Keep apart to compare"), [0.0, 0.05, 0.10], format_func=lambda part: share(part, 0) if part else t("none"),
            key=f"{KEY}:held", persist_state="session", width=170, help=t("So many customers, drawn once, keep their prices: what the change did can then be measured."),
        )  # fmt: skip
        stop = parts.number_box(
            t("Stop rule, months"), 1, 12, 2, key=f"{KEY}:stop", persist_state="session", width=140,
            help=t("So many months in a row below the predicted band, and the next wave should wait."),
        )  # fmt: skip
        horizon = parts.number_box(
            t("Horizon, months"), 1, 120, 24, key=f"{KEY}:horizon", persist_state="session", width=140
        )
        cost = parts.number_box(
            t("Own cost of a customer a month"),
            0.0,
            None,
            0.0,
            1.0,
            key=f"{KEY}:cost",
            persist_state="session",
            width=210,
        )
    return replace(
        scenario, cap_ppm=None if cap is None else round(cap * 1e6), floor_ppm=None if floor is None else round(floor * 1e6), kinds=tuple(kinds),
        agreed_too=bool(agreed), alternatives=tuple(instead) or None, hold_out_ppm=round(held * 1e6), stop_months=int(stop), waves=int(waves), wave_months=int(apart), horizon_months=int(horizon), unit_cost=simulate_prices.plain(Decimal(str(cost or 0))),
    )  # fmt: skip


def _limit(name: str, title: str, shares: list[float], **more: Any) -> float | None:
    """By what share a price may change, or no limit."""
    chosen: float | None = st.selectbox(
        title, shares, None, lambda part: share(part, 0), key=f"{KEY}:{name}", persist_state="session", width=130,
        placeholder=t("no limit"), **more,
    )  # fmt: skip
    return chosen


def in_words(
    scenario: Scenario, known: list[Series], today: date, exact: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """The scenario as one sentence."""
    about = (scenario.plan, scenario.currency, scenario.interval)
    here = next((each for each in known if (each.plan, each.currency, each.interval) == about), None)
    try:
        words = Words.of(language())
        if here is None:
            return scenario.name
        return sentence(scenario, here.terms, here.name, words, today, exact=exact)
    except InvalidInput:  # what is wrong with its prices is said where they are rated
        return scenario.name


def order_of_days(scenario: Scenario, begins: Sequence[str], today: date) -> None:
    """What is odd about the day for new customers."""
    if scenario.from_on is None:
        return
    first = min(map(date.fromisoformat, begins), default=None)
    if scenario.from_on < today:
        st.caption(t("The day for new customers has passed: they get these prices from the day on which they are published."))  # fmt: skip
    elif first is not None and scenario.from_on > first:
        st.warning(
            t("New customers would get these prices on {begin}, after existing ones on {day}: that cannot be approved. Choose an earlier day for new customers.",
              begin=day(scenario.from_on), day=day(first)), icon=":material/event_busy:",
        )  # fmt: skip


def changes_nothing(scenario: Scenario) -> bool:
    """Are the prices those that are sold today?"""
    return not (scenario.edits or scenario.bundled)


def start_anew() -> None:
    """Forget what stands in the widgets."""
    session.forget(KEY)


def restore(scenario: Scenario) -> None:
    """Put a kept scenario into the widgets."""
    start_anew()
    st.session_state[f"{KEY}:name"] = scenario.name
    st.session_state[f"{KEY}:series"] = f"{scenario.plan}|{scenario.currency}|{scenario.interval}"
    for key, held in simulate_prices.restore(scenario).items():
        st.session_state[key] = held
    plain = {
        "existing": scenario.existing.value, "notice": scenario.notice_days, "bundled": list(scenario.bundled), "kinds": list(scenario.kinds),
        "agreed": scenario.agreed_too, "instead": list(scenario.alternatives or ()), "waves": scenario.waves, "held": scenario.hold_out_ppm / 1e6, "stop": scenario.stop_months, "apart": scenario.wave_months, "horizon": scenario.horizon_months,
        "exempt": list(scenario.exempt), "capped": list(scenario.capped), "cost": float(Decimal(scenario.unit_cost or "0")),
        "cap": None if scenario.cap_ppm is None else scenario.cap_ppm / 1e6, "floor": None if scenario.floor_ppm is None else scenario.floor_ppm / 1e6,
    }  # fmt: skip
    for name, kept in plain.items():
        st.session_state[f"{KEY}:{name}"] = kept
    if scenario.from_on:
        st.session_state[f"{KEY}:from"] = scenario.from_on
    if scenario.existing_on:
        st.session_state[f"{KEY}:on"] = scenario.existing_on
    assumed = dict(scenario.assumptions)
    st.session_state[f"{KEY}:assumed"] = scenario.assumptions
    for name, usual in USUAL.items():
        value = assumed.get(name, usual)
        st.session_state[f"{KEY}:assume:{name}"] = (
            round(math.exp(value), 4) if name == "notice" and name in assumed else value
        )
    st.session_state[f"{KEY}:notes"] = scenario.notes
