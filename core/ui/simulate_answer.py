"""What a scenario brings: the exact numbers first, what is expected with its range second, who is hit, and why."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.recurring import monthly
from core.documents.answer_words import break_even, brought_up, chance, decisive, reached, spread
from core.documents.scenario_words import beyond_text, edge_text
from core.documents.words import Words
from core.domain.money import exponent_of
from core.domain.scenarios import Scenario
from core.reports import scenarios
from core.reports.expected import Expected
from core.reports.simulation import Exact
from core.ui import charts, parts, simulate_reads
from core.ui.format import country, day, money, month, number, share, whole_money
from core.ui.simulate_reads import KEY
from core.ui.text import label, language, t

MOST_ROWS = 300


def marks() -> None:
    """What is told apart everywhere."""
    _told_apart(
        t(
            ":blue-badge[Data] from your own facts, to the minor unit · :orange-badge[Assumption] with its range · all amounts without VAT"
        )
    )


def _told_apart(text: str) -> None:
    """A small sentence with its mark; a caption would fade the mark until it is hard to read."""
    st.markdown(f":small[:gray[{text}]]")


def answered(scenario: Scenario, today: date) -> tuple[Exact, Expected, dict[str, Any]]:
    """The answer strip: the exact card stands while the expectation is still being worked out."""
    places: list[Any] = []

    def first(numbers: dict[str, Any]) -> None:
        marks()
        places.extend(_places())
        with places[0]:
            _exact_card({"exact": numbers}, scenario.currency)

    exact, hoped, found = simulate_reads.answer(scenario, today, first)
    for place, card in zip(places[1:], CARDS[1:], strict=True):
        with place:
            card(found, scenario.currency)
    return exact, hoped, found


def strip(found: dict[str, Any], currency: str) -> None:
    """Exact, expected with its range, break-even, the first year, of numbers that are known."""
    marks()
    for place, card in zip(_places(), CARDS, strict=True):
        with place:
            card(found, currency)


def _places() -> list[Any]:
    with st.grid(4, min_column_width=230):
        return [st.container(border=True, height="stretch") for _ in range(4)]


def _exact_card(found: dict[str, Any], currency: str) -> None:
    exact = found["exact"]
    st.metric(
        t("A month, nobody reacting"), money(exact["delta_minor"], currency, sign=True), share(exact["delta_share"], sign=True),
        delta_color="off", delta_arrow="off",
        help=t("All bills of the last year rated anew with today's terms, less the same with today's prices."),
    )  # fmt: skip
    _told_apart(f":blue-badge[{t('Data')}] {reached(exact, Words.of(language()))}")
    if exact["why_not"]:
        left = ", ".join(f"{label(why)} {number(count)}" for why, count in sorted(exact["why_not"].items()))
        st.caption(t("not: {left}", left=left))
    older = brought_up(exact, currency, Words.of(language()))
    if older:
        st.caption(parts.plain(older))
    highest, lowest = (parts.plain(whole_money(exact[f"{end}_minor"], currency)) for end in ("highest", "lowest"))
    st.caption(
        t("if everybody stays {highest}, if everybody takes the cheapest plan {lowest}", highest=highest, lowest=lowest)
    )


def _expected_card(found: dict[str, Any], currency: str) -> None:
    hoped, gain = found["expected"], found["expected"]["gain"]
    st.metric(
        t("Expected in {count} months", count=found["scenario"]["horizon_months"]), _whole(gain["middle"], currency)
    )
    low, high = (parts.plain(_whole(gain[end], currency)) for end in ("low", "high"))
    _told_apart(t(":orange-badge[Assumption] between {low} and {high} in 8 of 10 cases", low=low, high=high))
    steady = parts.plain(_whole(hoped["steady"]["middle"], currency))
    st.caption(f"{chance(hoped, Words.of(language()))}; {t('a month at the end {steady}', steady=steady)}")
    if found["exact"].get("beyond"):
        st.caption(parts.plain(beyond_text(found["exact"]["beyond"], Words.of(language()))))


def _break_even_card(found: dict[str, Any], _currency: str) -> None:
    pays = break_even(found, Words.of(language()))
    st.metric(
        pays.title, pays.value, help=t("The share of those who get the new prices that may leave once and for all.")
    )
    if pays.more:
        st.caption(parts.plain(pays.more))
    if pays.sensitivity:
        _told_apart(f":orange-badge[{t('Assumption')}] {pays.sensitivity}")


def _first_year_card(found: dict[str, Any], currency: str) -> None:
    exact, hoped = found["exact"], found["expected"]
    earned = money(exact["recognised_first_year_minor"], currency, sign=True)
    st.metric(t("Earned in the first year"), earned, help=t("Spread evenly over each period, nobody reacting."))
    invoiced = parts.plain(money(exact["invoiced_first_year_minor"], currency, sign=True))
    _told_apart(t(":blue-badge[Data] on the invoices of that year {amount}", amount=invoiced))
    after, before = share(hoped["nrr_after"]), share(hoped["nrr_before"])
    st.caption(t("expected NRR {after} instead of {before}", after=after, before=before))


CARDS = (_exact_card, _expected_card, _break_even_card, _first_year_card)


def _whole(amount: float, currency: str) -> str:
    return whole_money(round(amount), currency, sign=True)


def who_is_hit(known: Exact, found: dict[str, Any], currency: str) -> None:
    """Bills by how much they change, and the list of the largest rises with what can be done about each."""
    st.header(t("Who is hit"), anchor=False)
    moved = known.moved
    if moved.is_empty():
        st.caption(t("Nobody who subscribes already: existing customers keep their prices."))
        return
    told = scenarios.share_of(moved)
    left, right = st.columns([2, 3])
    with left:
        _histogram(told)
        told_spread = spread(found, Words.of(language()))
        if told_spread:
            st.caption(told_spread)
        if found["exact"]["top_ten_share"]:
            st.caption(t("ten customers pay {share} of the rise", share=share(found["exact"]["top_ten_share"], 0)))
    with right:
        _shock_list(told, currency)
    _edges(found["exact"]["edges"], currency)
    _segments(found["exact"]["segments"], currency)


def _edges(found: list[dict[str, Any]], currency: str) -> None:
    """Bounds at which the new prices fall: whoever is just below pays more than whoever is just above."""
    for edge in found:
        st.warning(parts.plain(edge_text(edge, currency, Words.of(language()))), icon=":material/trending_down:")


def _segments(rows: list[dict[str, Any]], currency: str) -> None:
    """The effect by kind and country of the customers; one segment alone tells nothing."""
    told = [row for row in rows if sum(each["dimension"] == row["dimension"] for each in rows) > 1]
    if not told:
        return
    before, after, change = t("Today"), t("Then"), t("Change")
    with st.expander(t("By kind and country"), icon=":material/donut_small:"):
        listed = [
            {t("Segment"): label(row["segment"]) if row["dimension"] == "kind" else country(row["segment"]), t("Subscriptions"): number(row["subscriptions"]),
             t("Rising"): number(row["rising"]), t("Falling"): number(row["falling"]), before: money(row["before_minor"], currency),
             after: money(row["after_minor"], currency), change: share(row["delta_share"], sign=True)}
            for row in told
        ]  # fmt: skip
        st.dataframe(listed, hide_index=True, column_config=parts.money_columns(
            t("Subscriptions"), t("Rising"), t("Falling"), before, after, change), key="hit:segments")  # fmt: skip


def _histogram(told: pl.DataFrame) -> None:
    """Customers by relative change, those with an add-on that is included now in a colour of their own."""
    known = told.filter(pl.col("share").is_not_null())
    spread = float(known["share"].max() or 0) - float(known["share"].min() or 0)  # type: ignore[arg-type]
    step = 0.02 if spread > 0.2 else 0.01 if spread > 0.08 else 0.005
    shown = known.select(
        share=(pl.col("share") / step).round(0) * step, addon=pl.when(pl.col("addon") > 0).then(pl.lit(t("has a bundled add-on"))).otherwise(pl.lit(t("others")))
    ).group_by("share", "addon").agg(customers=pl.len())  # fmt: skip
    st.vega_lite_chart(
        charts.filled(_bars_of_change, step, shown=shown), width="stretch", key="hit", alt=t("Subscriptions by change of the bill")
    )  # fmt: skip


def _bars_of_change(step: float) -> Any:
    exact = "+.1~%"  # as many decimals as the steps have
    bars = alt.Chart(alt.NamedData("shown")).mark_bar(cornerRadius=1, size=10).encode(
        x=alt.X("share:Q", title=t("Change of the bill"), axis=alt.Axis(format=exact, tickMinStep=step)), y=alt.Y("sum(customers):Q", title=None),
        color=alt.Color("addon:N", scale=alt.Scale(domain=[t("others"), t("has a bundled add-on")], range=[charts.COLOURS["contraction"], charts.COLOURS["price"]])),
        tooltip=[alt.Tooltip("share:Q", format=exact, title=t("Change")), alt.Tooltip("addon:N", title=" "), alt.Tooltip("sum(customers):Q", title=t("Subscriptions"))],
    )  # fmt: skip
    return charts.styled(bars, height=230)


def _shock_list(told: pl.DataFrame, currency: str) -> None:
    """The largest rises; the ticked ones can be exempted, limited or opened."""
    find = st.text_input(
        t("Find a customer"),
        key=f"{KEY}:find",
        type="search",
        live="200ms",
        label_visibility="collapsed",
        placeholder=t("Find a customer"),
    )
    rows = told.sort("share", descending=True, nulls_last=True)
    if find:
        rows = rows.filter(
            pl.col("name").str.to_lowercase().str.contains(find.lower(), literal=True)
            | pl.col("external_id").str.contains(find, literal=True)
        )
    before, after, change = t("Today"), t("Then"), t("Change")
    second = {t("Note"): ""} if rows["again"].any() else {}
    listed = [
        {t("Customer"): row["name"], t("Id"): row["external_id"], before: money(monthly(row["before"]), currency), after: money(monthly(row["after"]), currency),
         change: share(row["share"], sign=True), t("From"): day(row["starts_on"]),
         **(dict.fromkeys(second, t("second rise in a year") if row["again"] else ""))}
        for row in rows.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    # Other rows are another table: a tick belongs to a customer, not to a place in the list.
    order = hash(tuple(rows["external_id"].head(MOST_ROWS)))
    picked = st.dataframe(
        listed,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"hit:list:{order}",
        height=250,
        column_config=parts.money_columns(before, after, change),
    )
    ids = [rows["external_id"][at] for at in picked.selection.rows if at < rows.height]
    with st.container(horizontal=True):
        if st.button(t("Exempt"), disabled=not ids, icon=":material/do_not_disturb_on:", key="hit:exempt"):
            _spare("exempt", ids)
        if st.button(t("Limit to 10 %"), disabled=not ids, icon=":material/vertical_align_top:", key="hit:cap"):
            _spare("capped", ids)
        if st.button(t("Open the customer"), disabled=len(ids) != 1, icon=":material/open_in_new:", key="hit:open"):
            parts.go("customers", {"customer": ids[0]})
        spared = len(st.session_state.get(f"{KEY}:exempt", ())) + len(st.session_state.get(f"{KEY}:capped", ()))
        if spared and st.button(
            t("Take {count} spared customers back in", count=spared),
            icon=":material/undo:",
            key="hit:back",
            type="tertiary",
        ):
            st.session_state[f"{KEY}:exempt"], st.session_state[f"{KEY}:capped"] = [], []
            st.rerun()


def _spare(how: str, ids: list[str]) -> None:
    key = f"{KEY}:{how}"
    st.session_state[key] = sorted({*st.session_state.get(key, ()), *ids})
    st.rerun()


def why(found: dict[str, Any], hoped: Expected, scenario: Scenario, currency: str) -> None:
    """From the exact uplift to what is expected, and which assumption decides."""
    st.header(t("Why"), anchor=False)
    scale = 10 ** exponent_of(currency)
    words = {
        "exact": t("Exact, nobody reacting"),
        "usage": t("Other usage"),
        "churn": t("More leave"),
        "switching": t("More change plan"),
        "acquisition": t("Others come"),
        "spread": t("Spread of the assumptions"),
    }
    # The parts are at the medians of the assumptions; the card is the median of all draws, which are not even on both sides.
    parts_of = {**hoped.parts, "spread": hoped.gain.middle - sum(hoped.parts.values())}
    height, rows = 0.0, []
    for name, said in words.items():
        part = parts_of[name] / scale
        if name == "usage" and not part:
            continue
        rows.append(
            (
                said,
                part,
                height,
                height + part,
                charts.COLOURS["data" if name == "exact" else "assumption"],
                t("Data") if name == "exact" else t("Assumption"),
            )
        )
        height += part
    rows.append((t("Expected"), height, 0.0, height, charts.COLOURS["today"], t("Assumption")))
    frame = pl.DataFrame(rows, schema=["what", "amount", "start", "end", "colour", "mark"], orient="row")
    left, right = st.columns(2)
    with left:
        st.vega_lite_chart(
            charts.filled(_steps_to_expected, currency, charts.ink(), steps=frame), width="stretch", key="why",
            alt=t("From the exact uplift to what is expected"),
        )  # fmt: skip
        st.caption(
            t(
                "Discounted, over {count} months. Solid: data. Dashed: assumption, at its median.",
                count=scenario.horizon_months,
            )
        )
        if found["exact"]["addons_given_up_minor"]:
            st.caption(
                t(
                    "In the exact number: {amount} a month of add-ons given up.",
                    amount=parts.plain(money(found["exact"]["addons_given_up_minor"], currency)),
                )
            )
    with right:
        _tornado(found["expected"], currency)


def _steps_to_expected(currency: str, ink: str) -> Any:
    known = alt.datum.mark == t("Data")
    chart = alt.Chart(alt.NamedData("steps")).mark_bar(cornerRadius=2, height=18).encode(
        y=alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=160)), x=alt.X("start:Q", title=currency, axis=charts.short_axis()), x2="end:Q",
        color=alt.Color("colour:N", scale=None), strokeDash=alt.condition(known, alt.value([1, 0]), alt.value([4, 3])),
        stroke=alt.value(ink), strokeWidth=alt.condition(known, alt.value(0), alt.value(1)),
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("amount:Q", title=currency, format=",.0f"), alt.Tooltip("mark:N", title=" ")],
    )  # fmt: skip
    return charts.styled(chart, height=240)


def _tornado(hoped: dict[str, Any], currency: str) -> None:
    """Each assumption at its 10 % and 90 % point, the one that decides most first."""
    scale, low_word, high_word = 10 ** exponent_of(currency), t("low"), t("high")
    told = decisive(hoped, Words.of(language()))
    rows = [(name, low / scale, high / scale) for name, low, high in told if abs(low - high) >= 1]
    if not rows:
        return
    frame = pl.DataFrame(rows, schema=["what", "low", "high"], orient="row").with_columns(
        left=pl.min_horizontal("low", "high"), right=pl.max_horizontal("low", "high"), rises=pl.col("low") <= pl.col("high")
    ).with_columns(
        left_word=pl.when("rises").then(pl.lit(low_word)).otherwise(pl.lit(high_word)),
        right_word=pl.when("rises").then(pl.lit(high_word)).otherwise(pl.lit(low_word)),
    )  # fmt: skip
    st.vega_lite_chart(
        charts.filled(_bars_of_assumptions, currency, charts.ink(), ends=frame), width="stretch", key="tornado", alt=t("Which assumption decides")
    )  # fmt: skip
    st.caption(
        t("What is expected if one assumption is low or high, at its 10 % or 90 % point, and the others stay. The longest bar decides.")
    )  # fmt: skip


def _bars_of_assumptions(currency: str, ink: str) -> Any:
    y = alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=210))
    base = alt.Chart(alt.NamedData("ends"))
    bars = base.mark_bar(cornerRadius=2, height=14, color=charts.COLOURS["assumption"], opacity=0.8).encode(
        y=y, x=alt.X("left:Q", title=currency, axis=charts.short_axis(), scale=alt.Scale(padding=30)), x2="right:Q",
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("low:Q", title=t("low"), format=",.0f"), alt.Tooltip("high:Q", title=t("high"), format=",.0f")],
    )  # fmt: skip
    left = base.mark_text(align="right", dx=-4, color=ink).encode(y=y, x="left:Q", text="left_word:N")
    right = base.mark_text(align="left", dx=4, color=ink).encode(y=y, x="right:Q", text="right_word:N")
    return charts.styled(bars + left + right, height=240)


def months_chart(hoped: Expected, currency: str) -> None:
    """Revenue of today's base month by month, without and with the change, with its range."""
    scale = 10 ** exponent_of(currency)
    names = {start: month(start) for start in hoped.months["month"]}
    frame = hoped.months.with_columns(
        name=pl.col("month").replace_strict(names, return_dtype=pl.String),
        **{name: pl.col(name) / scale for name in ("before", "after", "low", "high")},
    )
    words = {"before": t("Without"), "after": t("With the change")}
    long = frame.unpivot(["before", "after"], index="name", variable_name="what", value_name="amount").with_columns(
        pl.col("what").replace_strict(words)
    )
    st.vega_lite_chart(
        charts.filled(_band_and_lines, currency, tuple(names.values()), tuple(words.values()), _room(frame), band=frame, lines=long),
        width="stretch", key="months", alt=t("Revenue of today's customers by month"),
    )  # fmt: skip
    st.caption(t("Today's customers only. Band: 8 of 10 cases."))


def _room(frame: pl.DataFrame) -> tuple[int, int] | None:
    """From where to where the amounts go on the axis, where they hardly differ: a hundredth of them, or two whole units at least."""
    low, high = (math.floor(frame["low"].min() or 0), math.ceil(frame["high"].max() or 0))  # type: ignore[arg-type]
    missing = max(abs(high) // 100, 2) - (high - low)
    return (low - (missing + 1) // 2, high + (missing + 1) // 2) if missing > 0 else None


def _band_and_lines(
    currency: str, months: tuple[str, ...], words: tuple[str, ...], room: tuple[int, int] | None
) -> Any:
    x = alt.X("name:N", sort=list(months), title=None, axis=alt.Axis(labelAngle=-45, labelOverlap="greedy"))
    y = alt.Y(
        "low:Q",
        title=currency,
        axis=charts.short_axis(),
        scale=alt.Scale(domain=list(room)) if room else alt.Scale(zero=False),
    )
    band = alt.Chart(alt.NamedData("band")).mark_area(opacity=0.15, color=charts.COLOURS["assumption"])
    lines = alt.Chart(alt.NamedData("lines")).mark_line(strokeWidth=2, point=len(months) == 1).encode(
        x=x, y="amount:Q", color=alt.Color("what:N", legend=charts.line_legend(), scale=alt.Scale(domain=list(words), range=[charts.COLOURS["today"], charts.COLOURS["assumption"]])),
        strokeDash=alt.StrokeDash("what:N", scale=alt.Scale(domain=list(words), range=[[1, 0], [5, 4]])),
        tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("what:N", title=" "), alt.Tooltip("amount:Q", title=currency, format=",.0f")],
    )  # fmt: skip
    return charts.styled(band.encode(x=x, y=y, y2="high:Q") + lines, height=240)
