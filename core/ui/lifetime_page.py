"""The pieces of the lifetime page: what a customer is worth, how sure that is, what goes with it, and how it is calculated."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl
import streamlit as st

from core.calc import lifetime
from core.calc.lifetime import Model
from core.domain.errors import ForbliError
from core.domain.money import exponent_of
from core.reports.lifetimes import SMALL, Value
from core.ui import charts, parts
from core.ui.format import money, number, share, whole_money
from core.ui.retention_page import segment_word
from core.ui.text import definition, refusal, t

PROJECTED = 24  # months beyond what was seen


def headline(whole: Value, currency: str, by: str, values: list[Value]) -> None:
    """One value with its range, and three reasons in words."""
    if whole.clv_new is None or whole.choice is None or whole.months is None:
        parts.empty(
            "hourglass_disabled", t("Too little to tell a lifetime"),
            t("It takes three months and {count} customers who have left; {seen} have. What was seen stands below.", count=number(30), seen=number(whole.churners)),
        )  # fmt: skip
        return
    left, right = st.columns([2, 3])
    with left.container(border=True, height="stretch"):
        st.metric(t("A new customer is worth"), whole_money(whole.clv_new, currency), help=definition("clv"))
        if whole.low is not None and whole.high is not None:
            st.caption(
                t(
                    "between {low} and {high} (95 % interval)",
                    low=parts.plain(whole_money(whole.low, currency)),
                    high=parts.plain(whole_money(whole.high, currency)),
                )
            )
        st.metric(
            t("All active customers together"),
            whole_money(whole.residual or 0, currency),
            help=definition("customer-base value"),
        )
        margin = t("Margin {margin}", margin=share(whole.margin, 0))
        st.caption(margin + (t(": none was entered, so revenue counts in full") if whole.margin >= 1 else ""))
    with right.container(border=True, height="stretch"):
        st.markdown(f"**{t('Why')}**")
        start = whole.clv_new / whole.months / whole.margin if whole.margin else 0
        year, two = (float(value) for value in whole.choice.chosen.survival([12, 24]))
        st.markdown(
            t("1. A new customer begins at **{amount}** a month.", amount=parts.plain(money(round(start), currency)))
        )
        st.markdown(
            t("2. Of a hundred, **{year}** are still there after a year and **{two}** after two: with money discounted at 10 % a year, that is **{months} months**.",
              year=number(100 * year, places=0), two=number(100 * two, places=0), months=number(whole.months, places=1))
        )  # fmt: skip
        known = [value for value in values if value.clv_new is not None]
        if len(known) > 1:
            best, worst = known[0], known[-1]
            st.markdown(
                t("3. It depends: **{best}** are worth {most}, **{worst}** {least}.", best=parts.plain(segment_word(by, best.name)), worst=parts.plain(segment_word(by, worst.name)),
                  most=parts.plain(whole_money(best.clv_new or 0, currency)), least=parts.plain(whole_money(worst.clv_new or 0, currency)))
            )  # fmt: skip
        st.caption(
            t(
                "Fitted on {count} customers of whom {gone} have left. Estimated from your history.",
                count=number(whole.customers),
                gone=number(whole.churners),
            )
        )


def by_segment(values: list[Value], dimension: str, currency: str) -> None:
    """CLV of a new customer over the whole life by segment, with its interval; small segments are grey, what cannot be told is listed."""
    scale = 10 ** exponent_of(currency)
    rows = [
        {"name": segment_word(dimension, value.name), "clv": value.clv_new / scale, "low": (value.low or value.clv_new) / scale,
         "high": (value.high or value.clv_new) / scale, "n": value.customers, "left": value.churners,
         "colour": charts.COLOURS["today" if value.customers < SMALL else "estimate"]}
        for value in values if value.clv_new is not None
    ]  # fmt: skip
    if not rows:
        st.caption(t("No segment has enough customers who have left."))
    else:
        names = [row["name"] for row in rows]
        base = alt.Chart(pl.DataFrame(rows)).encode(
            y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=150)),
            tooltip=[alt.Tooltip("name:N", title=t("Segment")), alt.Tooltip("clv:Q", title=t("CLV"), format=",.0f"), alt.Tooltip("low:Q", title=t("At least"), format=",.0f"),
                     alt.Tooltip("high:Q", title=t("At most"), format=",.0f"), alt.Tooltip("n:Q", title=t("Customers")), alt.Tooltip("left:Q", title=t("Have left"))],
        )  # fmt: skip
        bars = base.mark_bar(cornerRadius=2, height=16).encode(
            x=alt.X("clv:Q", title=currency, axis=charts.short_axis()), color=alt.Color("colour:N", scale=None)
        )
        whiskers = base.mark_rule(strokeWidth=2, color="#5A6374").encode(x="low:Q", x2="high:Q")
        st.altair_chart(
            charts.styled(bars + whiskers, height=36 * len(rows) + 40),
            width="stretch",
            key="clv",
            alt=t("CLV by segment"),
        )
    few = [segment_word(dimension, value.name) for value in values if value.clv_new is None]
    if few:
        st.caption(t("Too few have left to tell: {segments}.", segments=parts.plain(", ".join(few))))


def projection(whole: Value) -> None:
    """What was seen, what the model says of it, and what it expects beyond."""
    if whole.choice is None:
        return
    fit, counts = whole.choice.chosen, whole.counts
    seen = lifetime.observed(counts)
    reached = counts.at_risk >= 10
    actual = [(0, 1.0), *((k + 1, float(value)) for k, value in enumerate(seen) if reached[k])]
    last = actual[-1][0]
    months = np.arange(0, last + PROJECTED + 1)
    fitted = [
        (int(k), float(s), "fit" if k <= last else "ahead") for k, s in zip(months, fit.survival(months), strict=True)
    ]
    ahead = [(k, s, "ahead") for k, s, _ in fitted if k >= last]
    words = {"fit": t("Fitted model"), "ahead": t("Projection"), "seen": t("Seen")}
    frame = pl.DataFrame(
        [*(row for row in fitted if row[0] <= last), *ahead, *((k, s, "seen") for k, s in actual)],
        schema=["time", "share", "what"],
        orient="row",
    )
    frame = frame.with_columns(name=pl.col("what").replace_strict(words, return_dtype=pl.String))
    chart = alt.Chart(frame).mark_line(strokeWidth=2).encode(
        x=alt.X("time:Q", title=t("Months since the first paid day")),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=False)),
        color=alt.Color("name:N", legend=charts.line_legend(), scale=alt.Scale(domain=[words["seen"], words["fit"], words["ahead"]], range=[charts.COLOURS["today"], charts.COLOURS["estimate"], charts.COLOURS["estimate"]])),
        strokeDash=alt.StrokeDash("name:N", scale=alt.Scale(domain=[words["seen"], words["fit"], words["ahead"]], range=[[1, 0], [1, 0], [5, 4]])),
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("time:Q", title=t("Month")), alt.Tooltip("share:Q", title=t("Still customers"), format=".1%")],
    )  # fmt: skip
    st.altair_chart(
        charts.styled(chart, height=280),
        width="stretch",
        key="projection",
        alt=t("Retention: seen, fitted and projected"),
    )
    st.caption(t("Solid: data and the model fitted to it. Dashed: projection."))


def how(whole: Value, currency: str) -> None:
    """The formula with the actual numbers in it, and the candidates."""
    if whole.choice is None or whole.months is None or whole.clv_new is None:
        st.caption(t("Nothing was fitted."))
        return
    fit = whole.choice.chosen
    d = lifetime.per_unit(0.10, 12)
    start = whole.clv_new / whole.months / (whole.margin or 1)
    st.markdown(t("CLV = starting MRR × margin × discounted months"))
    st.markdown(
        f"{parts.plain(money(round(start), currency))} × {number(whole.margin, places=2)} × {number(whole.months, places=2)} = {parts.plain(money(whole.clv_new, currency))}"
    )
    if fit.model is Model.SBG:
        st.latex(
            rf"\sum_{{t\ge0}} S(t)\,\delta^t = {{}}_2F_1(1,\beta;\alpha+\beta;\delta),\quad \alpha={fit.alpha:.4f},\ \beta={fit.beta:.4f},\ \delta={1 / (1 + d):.6f}"
        )
    else:
        st.latex(
            rf"S(t) \text{{ of {fit.model.value}}},\quad \alpha={fit.alpha:.4f},\ \beta={fit.beta:.4f},\ c={fit.c:.4f},\ \delta={1 / (1 + d):.6f}"
        )
    if whole.choice.homogeneous:
        st.caption(
            t("The data show no difference between customers beyond chance, so one chance of leaving holds for all.")
        )
    st.dataframe(
        [
            {t("Model"): candidate.model.value, "α": _short(candidate.alpha), "β": _short(candidate.beta), "c": _short(candidate.c),
             t("Log-likelihood"): number(candidate.log_likelihood, places=2), "AIC": number(candidate.aic, places=2),
             t("Error on what it had not seen"): _share(whole.choice.holdout.get(candidate.model)), t("Chosen"): "✓" if candidate is fit else ""}
            for candidate in whole.choice.candidates
        ],
        hide_index=True,
    )  # fmt: skip
    if whole.simple is not None:
        st.caption(
            t("For comparison only: ARPA ÷ churn, as many tools print it, gives {amount}. It takes all customers for alike, has no discount and no end.",
              amount=parts.plain(whole_money(whole.simple, currency)))
        )  # fmt: skip


def _short(value: float) -> str:
    return "–" if not np.isfinite(value) else number(value, places=4)


def _share(value: float | None) -> str:
    return share(value if value is not None and np.isfinite(value) else None, 2)


def bench() -> None:
    """A survivor table from elsewhere, fitted and projected."""
    st.markdown(t("Paste how many of a cohort were left after 0, 1, 2 … periods, one number a line."))
    text = st.text_area(t("Survivors"), key="bench:survivors", height=160, placeholder="1000\n869\n743\n653\n593")
    ahead = st.number_input(t("Periods to project"), min_value=1, max_value=120, value=8, key="bench:ahead")
    if not text.strip():
        return
    try:
        counts = lifetime.from_survivors(_numbers(text))
        choice = lifetime.choose(counts) if counts.periods >= 3 and counts.churners else None
    except ForbliError as error:
        st.error(refusal(error))
        return
    except ValueError:
        st.error(t("Each line must be one number."))
        return
    if choice is None:
        st.caption(t("Nothing was fitted."))
        return
    fit = choice.chosen
    st.markdown(
        f"**{fit.model.value}** · α {_short(fit.alpha)} · β {_short(fit.beta)} · c {_short(fit.c)} · {t('Log-likelihood')} {number(fit.log_likelihood, places=2)}"
    )
    first = float(_numbers(text)[0])
    periods = np.arange(0, counts.periods + int(ahead) + 1)
    given = [*_numbers(text), *[None] * int(ahead)]
    st.dataframe(
        [{t("Period"): number(int(k)), t("Seen"): "" if seen is None else number(seen), t("Model"): number(first * float(s), places=1)}
         for k, seen, s in zip(periods, given, fit.survival(periods), strict=True)],
        hide_index=True, column_config=parts.money_columns(t("Seen"), t("Model")),
    )  # fmt: skip


def _numbers(text: str) -> list[float]:
    return [
        float(line.strip().replace(" ", "").replace(",", ".").split(";")[-1])
        for line in text.strip().splitlines()
        if line.strip()
    ]
