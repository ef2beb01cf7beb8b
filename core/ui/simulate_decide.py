"""From a scenario to a decision: kept, compared, printed, put before a second person, rolled out, and held against what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.actions import scenarios as actions
from core.calc.simulation.value import Range
from core.documents.letters import written
from core.documents.memo import memo, said
from core.documents.scenario_words import differences
from core.documents.words import Words
from core.domain.access import Permission
from core.domain.errors import ForbliError
from core.domain.money import exponent_of
from core.domain.price_edits import same
from core.domain.price_form import read
from core.domain.scenarios import Scenario, Step, to_json
from core.exchange.export import Table, as_csv
from core.reports import scenarios
from core.reports.expected import together
from core.store import billing, rollouts
from core.store.engine import reading
from core.ui import charts, parts, session, simulate_answer, simulate_reads
from core.ui.format import day, instant, money, month, number, share, whole_money
from core.ui.plan_list import permit
from core.ui.simulate_reads import KEY
from core.ui.simulate_sentence import restore, start_anew
from core.ui.text import label, language, refusal, sentence, t

MOST_COMPARED = 5
MOST_DIFFERING = 50
FROZEN = (Step.APPROVED.value, Step.ROLLED_OUT.value, Step.STOPPED.value)


def may_only_try(context: session.Context) -> None:
    """What whoever may not keep a scenario can do here, before anything is typed."""
    if context.may(Permission.SIMULATE_PRICES):
        return
    role = label(context.actor.role.value)
    if context.may(Permission.APPROVE_SCENARIOS):
        st.caption(t("As {role} you can try prices and see what they bring, and approve or decline what others ask for; only those who may simulate prices keep a scenario.", role=role))  # fmt: skip
    else:
        st.caption(t("As {role} you can try prices and see what they bring; only those who may simulate prices keep a scenario or ask for approval.", role=role))  # fmt: skip


def keep(row: dict[str, Any] | None, scenario: Scenario, context: session.Context) -> None:
    """Name it, keep it, set it beside the others. Under its own name the changed one takes its place, under another it is a new
    one; what was put before a second person stays."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            t("Name of the scenario"),
            key=f"{KEY}:name",
            placeholder=t("New prices"),
            width=260,
            persist_state="session",
        )
        may = permit(context, Permission.SIMULATE_PRICES)
        if st.button(t("Save scenario"), type="primary", icon=":material/save:", key="scenario:save", **may):
            done = session.act(
                actions.save_scenario,
                key="scenario:save",
                scenario=to_json(scenario),
                replaces_id=row["id"] if row and not row["step"] and row["name"] == scenario.name else None,
            )
            if done:
                session.say(t("The scenario is kept. Nothing is published."))
                parts.go("simulate", {"scenario": str(done["scenario_id"])})
        beside = st.session_state.setdefault("compared", [])
        if st.button(
            t("Set beside"),
            icon=":material/library_add:",
            key="scenario:beside",
            disabled=len(beside) >= MOST_COMPARED or scenario in beside,
            help=t("Up to five scenarios in one table."),
        ):
            beside.append(scenario)
            st.rerun()


def compare(scenario: Scenario | None, context: session.Context) -> None:
    """The scenarios set beside each other, the one on the page first (None: it changes nothing)."""
    beside: list[Scenario] = st.session_state.get("compared", [])
    if not beside:
        return
    compared = list(dict.fromkeys([*([scenario] if scenario else []), *beside]))
    with st.container(border=True):
        st.header(t("Compare"), anchor=False)
        known, refused = [], []
        for each in compared:
            try:
                known.append((each, session.frames(simulate_reads.outcome, each, context.today)))
            except ForbliError as error:
                refused.append({t("Scenario"): each.name, t("What differs"): sentence(error)})
        rows = [_compared(*each, *told) for each, told in zip(known, _differing(known), strict=True)]
        st.dataframe(
            [*rows, *_together(compared, context), *refused], hide_index=True,
            column_config=parts.money_columns(*(name for name in (rows or [{}])[0] if name not in (t("Scenario"), t("What differs"))))
            | {t("What differs"): st.column_config.TextColumn(width="medium")},
        )  # fmt: skip
        if st.button(t("Clear the comparison"), key="scenario:clear", type="tertiary"):
            st.session_state["compared"] = []
            st.rerun()


def _differing(known: list[tuple[Scenario, dict[str, Any]]]) -> list[tuple[str, str]]:
    """A name and what differs for each of the scenarios; where several have one name, the first thing that differs is the name."""
    begun = [(each, read(found["prices"]["before"]).terms, found["prices"]["plan"]) for each, found in known]
    names = [each.name for each, _ in known]
    return [
        (pieces[0] if names.count(name) > 1 and pieces else name, "; ".join(pieces))
        for name, pieces in zip(names, differences(begun, Words.of(language())), strict=True)
    ]


def _compared(scenario: Scenario, found: dict[str, Any], name: str, differs: str) -> dict[str, str]:
    """A scenario's row among others."""
    exact, hoped, currency = found["exact"], found["expected"], scenario.currency
    return {
        t("Scenario"): name, t("What differs"): differs, t("A month"): whole_money(exact["delta_minor"], currency, sign=True),
        t("Change"): share(exact["delta_share"], sign=True), **_hoped(Range(**hoped["gain"]), currency),
        t("Bill shocks"): number(exact["red"]), "NRR": share(hoped["nrr_after"]),
    }  # fmt: skip


def _together(compared: list[Scenario], context: session.Context) -> list[dict[str, str]]:
    """The sum of scenarios of different plans in one currency: nobody is in two of them."""
    about = {(each.plan, each.currency, each.interval) for each in compared}
    if len(compared) < 2 or len(about) < len(compared) or len({each.currency for each in compared}) > 1:
        return []
    try:
        found = [session.frames(simulate_reads.outcome, each, context.today)["exact"] for each in compared]
    except ForbliError:
        return []
    currency = compared[0].currency
    before, delta = (sum(each[name] for each in found) for name in ("before_minor", "delta_minor"))
    gain = together(compared, [session.frames(simulate_reads.hoped, each, context.today) for each in compared])
    return [{
        t("Scenario"): t("Together"), t("What differs"): "", t("A month"): whole_money(delta, currency, sign=True),
        t("Change"): share(delta / before if before else None, sign=True), t("Bill shocks"): number(sum(each["red"] for each in found)),
        **_hoped(gain, currency), "NRR": "–",
    }]  # fmt: skip


def _hoped(gain: Range | None, currency: str) -> dict[str, str]:
    """The columns of what is expected, empty where there is no common range."""
    names = t("Expected"), t("8 of 10 cases"), t("Chance of a loss")
    if gain is None:
        return dict.fromkeys(names, "–")
    low, middle, high = (whole_money(round(each), currency, sign=True) for each in (gain.low, gain.middle, gain.high))
    loss = None if gain.above_zero is None else 1 - gain.above_zero
    return dict(zip(names, (middle, f"{low} – {high}", share(loss, 0)), strict=True))


def kept_ones(context: session.Context) -> dict[str, Any] | None:
    """The kept scenarios in a popover; the one that the address names."""
    known = session.frames(scenarios.all_scenarios)
    with st.popover(t("Scenarios ({count})", count=len(known)), icon=":material/folder_open:"):
        if not known:
            st.caption(t("No scenario has been kept yet."))
        for row in known[:30]:
            step = f" · {label(row['step'])}" if row["step"] else ""
            if st.button(
                f"{parts.plain(row['name'])}{step} · :gray[{parts.plain(row['author'])}]",
                key=f"scenario:open:{row['id']}",
                width="stretch",
            ):
                parts.go("simulate", {"scenario": str(row["id"])})
    asked = st.query_params.get("scenario", "")
    chosen = next((row for row in known if str(row["id"]) == asked), None)
    if chosen is None:
        st.session_state.pop(f"{KEY}:own", None)
        if asked:
            st.warning(
                t("There is no scenario {id}; what is shown is not kept.", id=parts.plain(asked)),
                icon=":material/search_off:",
            )
    elif st.session_state.get(f"{KEY}:own") != chosen["id"]:
        restore(chosen["scenario"])
        st.session_state[f"{KEY}:own"] = chosen["id"]
        st.rerun()
    return chosen


def decide(row: dict[str, Any] | None, scenario: Scenario, found: dict[str, Any], context: session.Context) -> None:
    """The memo, and the way to a decision by two."""
    st.header(t("Decide"), anchor=False)
    held = session.frames(simulate_reads.held_against_invoices, context.today)
    gap = scenarios.gap(held)
    whole = {**found, "data_hash": session.frames(scenarios.data_hash), "gap_ppm": gap}
    if gap is None:
        st.caption(t("Nothing was billed yet that re-rated history could be held against."))
    else:
        told = t("Re-rated history differs from the invoices by {gap}.", gap=share(gap / 1e6, 3))
        unexplained = f":red[{told}] {t('Nothing can be approved before that is explained.')}"
        st.caption(told if gap <= actions.LARGEST_GAP_PPM else unexplained)
        _behind_the_gap(held)
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.download(
            t("Memo as PDF"),
            _memo(row, scenario, whole, context),
            f"memo-{context.today}.pdf", key="memo", mime="application/pdf",
        )  # fmt: skip
        if row is None:
            st.caption(t("Save the scenario to ask for approval."))
            return
        step = row["step"]
        if step:
            parts.pill("issued" if step in (Step.APPROVED.value, Step.ROLLED_OUT.value) else "draft", label(step))
            st.caption(f"{parts.plain(row['by'])} {parts.plain(row['note'])}")
        if step in (Step.APPROVED.value, Step.ROLLED_OUT.value):
            return  # its roll-out stands below, whatever is tried above
        if not _is_kept(scenario, row, found):
            st.caption(t("What is shown differs from what is kept: save it first."))
            return
        _steps(row, scenario, whole, context)


def _behind_the_gap(held: pl.DataFrame) -> None:
    """Whose last period was billed otherwise than it is rated anew, the largest difference first; choosing one opens the customer."""
    other = held.filter(pl.col("net_minor") != pl.col("billed_minor"))
    if other.is_empty():
        return
    rated, billed = t("Rated anew"), t("Invoiced")
    with st.expander(t("{count} periods differ", count=number(other.height))):
        rows = [
            {t("Customer"): row["name"], t("Period from"): day(row["begin"]), rated: money(row["net_minor"], row["currency"]),
             billed: money(row["billed_minor"], row["currency"])}
            for row in other.head(MOST_DIFFERING).iter_rows(named=True)
        ]  # fmt: skip
        parts.customer_rows(rows, other["external_id"].to_list(), key="scenario:gap", money=(rated, billed))


def _is_kept(scenario: Scenario, row: dict[str, Any], found: dict[str, Any]) -> bool:
    """Is what is shown what is kept?"""
    return same(scenario, row["scenario"], read(found["prices"]["before"]).terms)


def _memo(
    row: dict[str, Any] | None, scenario: Scenario, whole: dict[str, Any], context: session.Context
) -> Callable[[], bytes]:
    """What makes the memo of what is shown, off the page's thread; with its decisions and the way back when that is what is kept."""
    kept = row if row is not None and _is_kept(scenario, row, whole) else None
    decisions = session.frames(scenarios.decisions, kept["id"]) if kept else []
    base = str(st.context.url or "").split("?")[0]
    link = f"{base}?scenario={kept['id']}" if kept and base else ""
    company = _company(context)
    return lambda: (
        memo(whole, context.language, company=company, link=link, notes=scenario.notes, decisions=decisions).content
    )


def _company(context: session.Context) -> str:
    with session.read() as db:
        return billing.company_name(db, context.today)


def _steps(row: dict[str, Any], scenario: Scenario, whole: dict[str, Any], context: session.Context) -> None:
    """Ask, approve, decline: whoever asked cannot approve."""
    step = row["step"]
    asks = step in ("", Step.DECLINED.value, Step.STOPPED.value) and context.may(Permission.SIMULATE_PRICES)
    far = (whole["gap_ppm"] or 0) > actions.LARGEST_GAP_PPM
    if asks and st.button(
        t("Ask for approval"), icon=":material/how_to_reg:", key="scenario:ask", disabled=far,
        help=t("Nothing can be approved before that is explained.") if far else None,
    ):  # fmt: skip
        done = session.act(
            actions.request_approval, key=f"scenario:ask:{row['id']}", scenario_id=row["id"], result=whole, as_of=context.today,
            data_hash=whole["data_hash"], engine_version=scenarios.ENGINE, gap_ppm=whole["gap_ppm"],
        )  # fmt: skip
        if done:
            session.say(t("Asked. A second person decides."))
            st.rerun()
    if step == Step.REQUESTED.value and context.may(Permission.APPROVE_SCENARIOS):
        own = row["by"] == context.actor.name
        words = t("Another person must approve what you asked for") if own else None
        if st.button(
            t("Approve"), type="primary", icon=":material/verified:", key="scenario:approve", disabled=own, help=words
        ):
            known = session.frames(simulate_reads.exact, scenario, context.today)
            done = session.act(
                actions.approve,
                key=f"scenario:approve:{row['id']}",
                scenario_id=row["id"],
                terms=known.candidate.terms,
                moves=known.moves,
            )
            if done:
                session.say(
                    t(
                        "Approved: a draft of the prices and a schedule of {count} changes stand ready.",
                        count=number(done["planned"]),
                    )
                )
                st.rerun()
        if st.button(t("Decline …"), key="scenario:decline"):
            st.dialog(t("Decline"))(_decline_form)(row)


def _decline_form(row: dict[str, Any]) -> None:
    """Say no, and why."""
    with st.form("decline", border=False):
        note = st.text_input(t("Why"))
        if not st.form_submit_button(t("Decline"), type="primary"):
            return
    if session.act(actions.decline, key=f"scenario:decline:{row['id']}", scenario_id=row["id"], note=note) is not None:
        st.rerun()


def decided(row: dict[str, Any], context: session.Context) -> bool:
    """An approved scenario as it was approved, also one that was stopped: its sentence and numbers frozen, whatever is sold by now.
    False for any other, and where it is to be seen with today's base."""
    frozen = session.frames(scenarios.prediction, row["id"]) if row["step"] in FROZEN else None
    if frozen is None or "prices" not in frozen["result"]:
        return False
    if st.query_params.get("base") == "today":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("This is the scenario with the customers and prices of today. Other numbers were approved."))
            if st.button(t("As it was approved"), icon=":material/verified:", key="scenario:frozen"):
                parts.go("simulate", {"scenario": str(row["id"])})
        return False
    found, scenario = frozen["result"], row["scenario"]
    st.header(parts.plain(row["name"]), anchor=False)
    st.markdown(f"**{parts.plain(said(found, Words.of(language())))}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.pill("draft" if row["step"] == Step.STOPPED.value else "issued", label(row["step"]))
        st.caption(t("The numbers are those that were approved, on data of {day}.", day=day(frozen["as_of"])))
        parts.download(t("Memo as PDF"), _memo(row, scenario, found, context), f"memo-{frozen['as_of']}.pdf", key="memo", mime="application/pdf")  # fmt: skip
        if st.button(t("With today's base"), icon=":material/update:", key="scenario:today", help=t("The same change for the customers and prices of today. If it was stopped, approval can be asked for again there.")):  # fmt: skip
            start_anew()
            parts.go("simulate", {"scenario": str(row["id"]), "base": "today"})
        if st.button(t("Try other prices"), icon=":material/tune:", key="scenario:again"):
            start_anew()
            parts.go("simulate", {})
    steps = session.frames(scenarios.decisions, row["id"])
    st.caption(" · ".join(parts.plain(f"{label(step['decision'])}: {step['author']} {step['note']}") for step in steps))
    simulate_answer.strip(found, scenario.currency)
    return True


def roll_out(row: dict[str, Any], context: session.Context) -> None:
    """The schedule of an approved scenario as it was approved: letters, roll-out with progress, stop."""
    if row["step"] not in FROZEN:
        return
    rows: pl.DataFrame = session.frames(scenarios.schedule, row["id"], context.today)
    with st.container(border=True):
        st.header(t("Roll-out"), anchor=False)
        if row["step"] == Step.STOPPED.value:
            _stopped(rows.filter("moved"), row["scenario"].currency)
            return
        draft = session.frames(scenarios.draft, row["id"])
        if rows.is_empty():
            if draft is None:
                st.caption(t("Only new customers get these prices: nobody has to be moved."))
            else:
                st.caption(t("Only new customers get these prices: publish their draft, and nobody has to be moved."))
                _to_draft(draft)
                if context.may(Permission.PUBLISH_PRICES):
                    _stop(row)
            return
        done = int(rows["moved"].sum())
        first, last = (day(getattr(rows["notice_on"], end)()) for end in ("min", "max"))
        letters_on = t("letters go out on {day}", day=first) if first == last else t("letters go out from {first} to {last}", first=first, last=last)  # fmt: skip
        st.markdown(t("**{done} of {all}** changes are planned; {letters}.", done=number(done), all=number(rows.height), letters=letters_on))  # fmt: skip
        hindrance = session.frames(rollouts.hindrance, row["id"], context.today)
        if hindrance is not None:
            st.warning(refusal(hindrance), icon=":material/event_busy:")
        _schedule(rows, row["scenario"].currency)
        with st.container(horizontal=True, vertical_alignment="center"):
            title, name = (
                (t("Letters as CSV"), "letters")
                if draft is None
                else (t("Draft of the letters as CSV"), "letters-draft")
            )
            parts.download(
                title,
                lambda: _letters(row, context, draft=draft is not None),
                f"{name}-{context.today}.csv",
                key="letters",
            )
            if not context.may(Permission.PUBLISH_PRICES):
                if done < rows.height:
                    st.caption(t("Next: whoever may publish prices publishes these and plans the changes."))
                return
            if draft is not None:
                _to_draft(draft)
            if done < rows.height and st.button(
                t("Plan the changes"),
                type="primary",
                icon=":material/play_arrow:",
                key="rollout:go",
                disabled=draft is not None or hindrance is not None,
                help=t("A dated price change for each subscription; nothing is billed before its day."),
            ):
                _plan(row, rows.height, context)
            _stop(row)


def _stop(row: dict[str, Any]) -> None:
    """Stop a roll-out: the question why is asked first."""
    if st.button(t("Stop …"), icon=":material/stop_circle:", key="rollout:stop"):
        st.dialog(t("Stop the roll-out"))(_stop_form)(row)


def _stop_form(row: dict[str, Any]) -> None:
    """What stopping does, and why it is done."""
    st.caption(t("Changes that are not in force yet are taken back; those that are stay."))
    with st.form("stop", border=False):
        note = st.text_input(t("Why"))
        if not st.form_submit_button(t("Stop the roll-out"), type="primary"):
            return
    stopped = session.act(actions.stop, key=f"rollout:stop:{row['id']}", scenario_id=row["id"], note=note)
    if stopped:
        session.say(t("{count} changes are taken back.", count=number(stopped["taken_back"])))
        st.rerun()


def _schedule(rows: pl.DataFrame, currency: str) -> None:
    """Who gets the new prices when, what a month costs before and after, and when the letter goes out."""
    before, after, difference, change = t("Today"), t("Then"), t("Difference"), t("Change")
    st.caption(t("“Today” and “Then”: an average month before VAT, with the discounts that go on and what was used in the past year. Letters state the price of a period as the plan does, before discounts and without what is used."))  # fmt: skip
    st.dataframe(
        [{t("Customer"): each["name"], t("Subscription"): each["external_id"], before: money(each["before_minor"], currency), after: money(each["after_minor"], currency),
          difference: money(each["delta_minor"], currency, sign=True), change: share(each["delta_share"], sign=True), t("Letter"): each["notice_on"], t("New price from"): each["effective_on"], t("Wave"): str(each["wave"]) if each["wave"] else t("needs a look"),
          t("Planned"): "✓" if each["moved"] else ""} for each in rows.head(500).iter_rows(named=True)],
        hide_index=True, height=260,
        column_config=parts.money_columns(before, after, difference, change) | {name: st.column_config.DateColumn(format="localized") for name in (t("Letter"), t("New price from"))},
    )  # fmt: skip


def _stopped(rows: pl.DataFrame, currency: str) -> None:
    """What is left of a roll-out that was stopped."""
    st.info(
        t("The roll-out was stopped: {count} changes that were in force by then stay, the others are taken back and their letters are not to be sent. New customers get the prices that are published on the page Plans.",
          count=number(rows.height)),
        icon=":material/stop_circle:",
    )  # fmt: skip
    if rows.height:
        _schedule(rows, currency)


def _to_draft(plan: str) -> None:
    """The way to the page where prices are published."""
    parts.link("plans", t("Publish its prices first"), query={"plan": plan}, icon=":material/sell:")


def _plan(row: dict[str, Any], count: int, context: session.Context) -> None:
    """Batch after batch with progress; started again it goes on."""
    bar = st.progress(0.0, text=t("Planning …"))
    refused, at = [], 0
    while True:
        done = session.act(actions.roll_out, key=f"rollout:{row['id']}:{context.revision}:{at}", scenario_id=row["id"])
        if done is None:
            return
        refused += done["refused"]
        at += 1
        bar.progress(1 - done["left"] / max(count, 1), text=t("Planning …"))
        if not done["left"]:
            break
    session.say(t("The changes are planned; {count} need a look.", count=number(len(refused))))
    st.rerun()


def _letters(row: dict[str, Any], context: session.Context, *, draft: bool) -> bytes:
    """One line a customer, in the customer's language: the letter's day, the old and the new price, from when. A draft says in the
    file that it is one."""
    with reading(context.engine) as db:
        told = written(db, row["id"], context.today)
    days = {name: pl.Series(map(day, told[name]), dtype=pl.String) for name in ("notice_on", "effective_on")}
    titles = {
        "customer": t("Id"),
        "name": t("Customer"),
        "external_id": t("Subscription"),
        "notice_on": t("Letter"),
        "effective_on": t("New price from"),
        "letter": t("Text"),
    }
    about = {t("Scenario"): row["name"]}
    if draft:
        about[t("Draft")] = t("the prices are not published yet, send nothing of this")
    return as_csv(Table("letters", told.with_columns(**days).select(list(titles)), titles, about))


def afterwards(row: dict[str, Any], context: session.Context) -> None:
    """Predicted against actual of what was approved, from the first month in which prices change."""
    frozen = session.frames(scenarios.prediction, row["id"])
    if frozen is None or row["step"] not in FROZEN:
        return
    with st.container(border=True):
        st.header(t("Afterwards"), anchor=False)
        told: pl.DataFrame = session.frames(scenarios.afterwards, row["id"], context.today)
        st.caption(
            t("The prediction was frozen on {instant}; it is never replaced.", instant=instant(frozen["recorded_at"]))
        )
        if told.is_empty():
            st.caption(t("Predicted is held against actual once the first month in which prices change is over."))
            return
        inside = told.filter((pl.col("actual") >= pl.col("low")) & (pl.col("actual") <= pl.col("high"))).height
        st.markdown(t("**{inside} of {all}** months lie inside the band.", inside=inside, all=told.height))
        below = scenarios.below_band(told)
        if below >= row["scenario"].stop_months:
            st.warning(
                t("Stop rule: revenue lies below the predicted band for {count} months in a row. The next wave should wait; stop the roll-out above.",
                  count=below), icon=":material/front_hand:",
            )  # fmt: skip
        scale = 10 ** exponent_of(row["scenario"].currency)
        names = {start: month(start) for start in told["month"]}
        frame = told.with_columns(
            name=pl.col("month").replace_strict(names, return_dtype=pl.String),
            **{name: pl.col(name) / scale for name in ("low", "middle", "high", "actual")},
        )
        x = alt.X("name:N", sort=list(names.values()), title=None)
        look: dict[str, Any] = {"opacity": 0.15, "color": charts.COLOURS["assumption"]}
        plain = alt.Chart(frame)  # an area of one month is nothing
        shape = plain.mark_area(**look) if frame.height > 1 else plain.mark_bar(size=24, **look)
        band = shape.encode(
            x=x, y=alt.Y("low:Q", scale=alt.Scale(zero=False), title=row["scenario"].currency), y2="high:Q"
        )
        line = alt.Chart(frame).mark_line(point=True, color=charts.COLOURS["data"]).encode(x=x, y="actual:Q")
        st.altair_chart(
            charts.styled(band + line, height=220), width="stretch", key="afterwards", alt=t("Predicted against actual")
        )
