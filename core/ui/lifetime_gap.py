"""Two segments against each other on the lifetime page: what their values differ by, part by part, and who leaves sooner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.drivers import FEWEST_EVENTS, Ratio
from core.domain.money import exponent_of
from core.reports import comparisons
from core.reports.comparisons import Gap
from core.reports.lifetimes import People, Value
from core.ui import charts, parts, session
from core.ui.format import money, number, whole_money
from core.ui.retention_page import dimension_words, segment_word
from core.ui.text import definition, label, t


def show(found: People, by: str, values: Sequence[Value], currency: str) -> None:
    """Two segments to choose, the parts of the gap between them, and the ratios of leaving beside it."""
    head = st.container()
    known = comparisons.comparable(values)
    if len(known) < 2:
        head.header(t("What separates two segments"), anchor=False)
        st.caption(t("Fewer than two segments have {count} customers who have left.", count=number(FEWEST_EVENTS)))
        return
    names = {value.name: segment_word(by, value.name) for value in values}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one, two = (
            st.selectbox(title, list(names), index=list(names).index(at), format_func=names.__getitem__, key=f"gap:{key}:{by}", width=220)
            for title, at, key in ((t("From"), known[-1], "one"), (t("To"), known[0], "two"))
        )  # fmt: skip
    parted = session.derived(comparisons.gap, found, by, (one, two), values[0].margin)
    if parted is None:
        head.header(t("What separates two segments"), anchor=False)
    else:
        head.header(
            t("What separates two segments in their first {count} months", count=parted.months),
            anchor=False,
            help=definition("clv gap"),
        )
    left, right = st.columns(2)
    with left:
        gap(parted, by, currency)
    with right:
        told = session.derived(comparisons.hazard_ratios, found, by, one)
        ratios(told, by, one)
        apart = [name for name in known if name not in {one, *(ratio.name for ratio in told)}] if told else []
        if apart:
            st.caption(
                t("Not compared, as too few share a {strata} with {reference}: {segments}.", strata=_stratum(by), reference=parts.plain(names[one]),
                  segments=parts.plain(", ".join(names[name] for name in apart)))
            )  # fmt: skip


def gap(found: Gap | None, dimension: str, currency: str) -> None:
    """What separates two segments, part by part; the parts sum to the gap."""
    if found is None:
        st.caption(
            t(
                "One of the two has fewer than {count} customers who have left: nothing can be said.",
                count=number(FEWEST_EVENTS),
            )
        )
        return
    st.altair_chart(
        charts.styled(_bars(found, dimension, currency), height=34 * (len(found.parts) + 2) + 40),
        width="stretch",
        key="gap",
        alt=t("What separates two segments"),
    )
    st.caption(
        t("As far as both were seen, in {count} months: {first} and {second}. What is expected after that counts in the values over the whole life only.",
          count=found.months, first=parts.plain(whole_money(found.clv[0], currency)), second=parts.plain(whole_money(found.clv[1], currency)))
    )  # fmt: skip
    st.caption(
        t("Of the gap of {gap} each part is its mean effect over all orders (Shapley): they sum to it exactly. Leaving by cause is a what-if under independence: for one cause the other segment's chance of leaving, while the other causes stay as they are. Associated with, not caused by.",
          gap=parts.plain(money(found.gap, currency, sign=True)))
    )  # fmt: skip


def _bars(found: Gap, dimension: str, currency: str) -> Any:
    """From one segment's value to the other's, a bar for each part."""
    words = {
        "base": t("Starting price"), "cross_sell": t("Cross-sell: add-ons"), "upsell": t("Upsell: plans, prices, seats"),
        "onboarding": t("Staying through the first three months"),
    }  # fmt: skip
    scale = 10 ** exponent_of(currency)
    names = [segment_word(dimension, name) for name in found.names]
    totals = [(name, 0, worth, charts.COLOURS["today"]) for name, worth in zip(names, found.clv, strict=True)]
    rows, height = totals[:1], found.clv[0]
    for name, part in found.parts.items():
        said = words.get(name) or t("Leaving later: {cause}", cause=label(name))
        rows.append((said, height, height + part, charts.COLOURS["up" if part >= 0 else "churn"]))
        height += part
    frame = pl.DataFrame([*rows, totals[1]], schema=["what", "start", "end", "colour"], orient="row").with_columns(
        pl.col("start", "end") / scale
    )
    amounts = [found.clv[0], *found.parts.values(), found.clv[1]]
    signs = [False, *(True for _ in found.parts), False]
    shown = frame.with_columns(
        amount=pl.Series([whole_money(each, currency, sign=sign) for each, sign in zip(amounts, signs, strict=True)]),
        right=pl.max_horizontal("start", "end"),
    )
    base = alt.Chart(shown).encode(
        y=alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=240)),
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("amount:N", title=t("CLV"))],
    )
    room = alt.Scale(domainMax=1.25 * shown.select(pl.col("right").max()).item())  # for the last amount
    x = alt.X("start:Q", title=currency, axis=charts.short_axis(tickCount=6), scale=room)
    bars = base.mark_bar(cornerRadius=2).encode(x=x, x2="end:Q", color=alt.Color("colour:N", scale=None))
    # Parts differ by orders of magnitude: each says what it is.
    written = base.mark_text(align="left", dx=4, fontSize=10, color=charts.ink()).encode(x="right:Q", text="amount:N")
    return bars + written


def ratios(found: Sequence[Ratio], dimension: str, reference: str) -> None:
    """How much likelier each segment leaves than the reference, within the same plan, and whether that holds at every tenure."""
    if not found:
        st.caption(
            t(
                "Too few have left to compare with {reference}.",
                reference=parts.plain(segment_word(dimension, reference)),
            )
        )
        return
    rows = [
        {t("Segment"): segment_word(dimension, ratio.name), t("Leaves"): t("{ratio} times as likely", ratio=number(ratio.ratio, places=2)),
         t("95 % interval"): f"{number(ratio.low, places=2)} – {number(ratio.high, places=2)}", t("Customers"): number(ratio.n), t("Have left"): number(ratio.events)}
        for ratio in found
    ]  # fmt: skip
    st.dataframe(
        rows, hide_index=True, column_config=parts.money_columns(t("95 % interval"), t("Customers"), t("Have left"))
    )
    st.caption(
        t("Month for month, against {reference}, compared within the same {strata} (Cox regression). Associated with, not caused by.",
          reference=parts.plain(segment_word(dimension, reference)), strata=_stratum(dimension))
    )  # fmt: skip
    _whether_they_hold(found, dimension)


def _stratum(dimension: str) -> str:
    """Within what a dimension is compared, in words."""
    return dimension_words()[comparisons.stratum_of(dimension)].lower()


def _whether_they_hold(found: Sequence[Ratio], dimension: str) -> None:
    """Where one ratio cannot tell the effect, as it changes with tenure, the curves do."""
    for ratio in (each for each in found if each.changes):
        p = ratio.constant_p or 0.0
        st.markdown(
            t("**{segment}**: the effect changes with tenure (p {p}): read the curves instead.",
              segment=parts.plain(segment_word(dimension, ratio.name)), p=f"= {number(p, places=3)}" if p >= 0.001 else f"< {number(0.001, places=3)}"),
            help=t("Schoenfeld residuals against tenure: one ratio would be the same in every month."),
        )  # fmt: skip
    if any(ratio.changes for ratio in found):
        parts.link("retention", t("See the curves"), query={"by": dimension}, icon=":material/timeline:")
    elif any(ratio.constant_p is not None for ratio in found):
        st.caption(t("Nothing says that these ratios change with tenure (Schoenfeld residuals)."))
