"""The assumption drawer: what is assumed of customers, where it comes from, what own history says, and learning from it."""

from __future__ import annotations

import math
from dataclasses import astuple

import streamlit as st

from core.actions import scenarios as actions
from core.calc.simulation.history import FEWEST_EXITS, Estimate
from core.calc.simulation.response import leavers_of_hundred
from core.domain.access import Permission
from core.reports import reaction
from core.reports.expected import Expected
from core.ui import parts, session, simulate_reads
from core.ui.format import instant, number, share
from core.ui.plan_list import permit
from core.ui.simulate_reads import KEY
from core.ui.simulate_sentence import USUAL
from core.ui.text import t


def chosen() -> tuple[tuple[tuple[str, float], ...], str]:
    """What is assumed other than usual, as a scenario keeps it, and the note on it."""
    state = st.session_state
    given = {name: float(state[f"{KEY}:assume:{name}"]) for name in USUAL if f"{KEY}:assume:{name}" in state}
    assumed = {name: value for name, value in given.items() if value != USUAL[name]}
    if "notice" in assumed:
        assumed["notice"] = round(math.log(assumed["notice"]), 6)
    # How sure κ is belongs to where it comes from: to a kept scenario, or to what was learned last.
    learned = session.frames(reaction.learned)
    usual = given.get("kappa", learned.kappa if learned is not None else USUAL["kappa"])
    kept = dict(state.get(f"{KEY}:assumed", ()))
    for kappa, spread in (
        (kept.get("kappa"), kept.get("kappa_spread")),
        astuple(learned) if learned is not None else (None, None),
    ):
        if kappa == usual and spread is not None:
            assumed |= {"kappa": kappa, "kappa_spread": spread}
            break
    return tuple(assumed.items()), state.get(f"{KEY}:notes", "") or ""


def show(hoped: Expected, context: session.Context) -> None:
    """Closed at first: plain words, numbers to change, sources, own history."""
    with st.expander(t("Assumptions and where they come from"), icon=":material/science:"):
        leave = leavers_of_hundred(0.10, max(hoped.base_churn, 1e-4), 12, hoped.reaction)
        st.markdown(
            t("For a rise of 10 % **{extra} of 100** more leave within a year, at a monthly churn of {churn} (from your history, {events} who left).",
              extra=number(leave, places=1), churn=share(hoped.base_churn, 2), events=number(hoped.events))
        )  # fmt: skip
        _numbers()
        st.text_input(
            t("Why these numbers"), key=f"{KEY}:notes", persist_state="session", placeholder=t("Kept in the memo")
        )
        st.caption(
            t("Sources: Antenna on Netflix 2022; Ascarza, Iyengar and Schleicher 2016 on being told; Bar-Gill and Stone on staying with a dear plan. How fast an effect fades is a pure assumption: no public study was found.")
        )  # fmt: skip
        _own_history(context)


def _numbers() -> None:
    """One box an assumption."""
    learned = session.frames(reaction.learned)
    usual = USUAL | ({"kappa": learned.kappa} if learned is not None else {})
    boxes = [
        ("kappa", t("Sensitivity κ"), 0.0, 20.0, 0.1, t("2.5, in 9 of 10 cases between 1.1 and 5.7: gives 1.45 times the churn for +10.7 %, as Netflix saw in 2022.")),
        ("rho", t("Share that lasts"), 0.0, 1.0, 0.05, t("The rest fades away.")),
        ("half_life", t("Months until half has faded"), 0.5, 24.0, 0.5, t("A pure assumption: no public study was found.")),
        ("notice", t("Churn × when told"), 1.0, 2.0, 0.05, t("Being told of a change makes people think: 1.10 times the churn in the first month.")),
        ("acquisition", t("Elasticity of new customers"), -5.0, 0.0, 0.1, t("−1: the revenue from new customers stays, so no gain can come from it.")),
        ("usage_elasticity", t("Elasticity of usage"), -1.0, 0.0, 0.05, t("0: people use as much as before. −0.5: a unit that costs 10 % more is used 5 % less.")),
        ("spill_over", t("Unrest of the others"), 0.0, 0.5, 0.01, t("Log hazard ratio of those whose own price stays while it rises for others; 0.03 where the change is public.")),
    ]  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, title, least, most, step, told in boxes:
            parts.number_box(
                title, least, most, usual[name], step, key=f"{KEY}:assume:{name}", persist_state="session", width=190, help=told,
            )  # fmt: skip


def _own_history(context: session.Context) -> None:
    """What own price changes of the past showed, and one click to assume that from now on."""
    st.markdown(f"**{t('Your own history')}**")
    row = session.frames(reaction.learned_row)
    if row is not None:
        st.caption(
            t("Learned by {name} on {instant}: κ {kappa} is assumed until somebody learns anew.", name=parts.plain(row["author"]),
              instant=instant(row["recorded_at"]), kappa=number(row["kappa"], places=2))
        )  # fmt: skip
    own = session.frames(simulate_reads.own_reaction, context.today)
    if own is None:
        st.caption(
            t("Fewer than {count} customers left in the year after a rise of their price: history says nothing yet, and the assumption stands.",
              count=FEWEST_EXITS)
        )  # fmt: skip
        return
    _told(own)
    joined = reaction.joined(own)
    if joined is None:
        st.caption(t("After rises nobody left more often than the others did: the assumption stands."))
        return
    st.markdown(
        t("Joined with the assumption by how sure each is: **κ {kappa}**, in 9 of 10 cases {low}–{high}.",
          kappa=number(joined.kappa, places=2), low=number(joined.kappa * math.exp(-1.6449 * joined.spread), places=2),
          high=number(joined.kappa * math.exp(1.6449 * joined.spread), places=2))
    )  # fmt: skip
    if st.button(
        t("Learn: assume κ {kappa} from now on", kappa=number(joined.kappa, places=2)), icon=":material/school:", key="scenario:learn",
        help=t("Kept scenarios and frozen predictions stay as they are."), **permit(context, Permission.SIMULATE_PRICES),
    ) and session.act(actions.learn, key="scenario:learn", estimate=reaction.content(own, joined, context.today)):  # fmt: skip
        st.session_state.pop(f"{KEY}:assume:kappa", None)
        session.say(t("New scenarios assume what your history shows."))
        st.rerun()


def _told(own: Estimate) -> None:
    """The estimate in words and by months since the change."""
    st.caption(
        t("{exposed} subscriptions lived through a rise, {compared} did not; {exits} left in the year after one. Compared within plan, months a customer and calendar month; errors by customer.",
          exposed=number(own.exposed), compared=number(own.compared), exits=number(own.exits))
    )  # fmt: skip
    rows = [
        {t("Months since the rise"): f"{first}–{last}", "κ": number(value, places=2),
         t("9 of 10 cases"): f"{number(value - 1.6449 * error, places=2)} – {number(value + 1.6449 * error, places=2)}"}
        for first, last, value, error in own.bins
    ]  # fmt: skip
    rows.append({
        t("Months since the rise"): t("in all"), "κ": number(own.kappa, places=2),
        t("9 of 10 cases"): f"{number(own.low, places=2)} – {number(own.high, places=2)}",
    })  # fmt: skip
    st.dataframe(rows, hide_index=True, height="content", width=420)
    if own.lead is not None and abs(own.lead[0]) > 1.96 * own.lead[1]:
        st.warning(
            t("Those who were to pay more left at another rate already before: something else was going on, so read this with care."),
            icon=":material/warning:",
        )  # fmt: skip
