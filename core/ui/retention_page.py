"""The pieces of the retention page: cohorts, causes, survival by segment, and whom we may lose."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc import retention
from core.calc.movements import CHURN
from core.calc.survival import MIN_AT_RISK, Test, incidence, median
from core.reports.lifetimes import People
from core.ui import charts, parts
from core.ui.drill import PICK, Drill, month_of
from core.ui.format import country, day, money, month, number, share
from core.ui.text import definition, label, t

MOST_COHORTS, MOST_ROWS, MOST_TENURE, MOST_WRITTEN = 24, 500, 36, 24
COHORT = Drill("cohort")  # the cohort whose customers are shown: "2026-03"
CAUSE_COLOURS = {
    "voluntary": "#3B5BDB",
    "involuntary": "#E03131",
    "staff": "#8A94A6",
    "death": "#5C4B8A",
    "other": "#ADB5BD",
    "paused": "#F08C00",
}


def dimension_words() -> dict[str, str]:
    """What customers can be told apart by."""
    return {
        "plan": t("Plan"), "interval": t("Interval"), "term": t("Minimum term"), "kind": t("Kind"), "payment_option": t("Payment option"), "channel": t("Channel"),
        "country": t("Country"), "onboarding": t("Onboarding"),
    }  # fmt: skip


def segment_word(dimension: str, value: str) -> str:
    """A segment's name as people read it."""
    if dimension == "country":
        return country(value)
    return value if dimension == "plan" else label(value)


def chosen_cohort(today: date) -> date | None:
    """The cohort that is open."""
    return month_of(COHORT.begin(lambda asked: month_of(asked, today) is not None), today)


def heat_map(cells: pl.DataFrame, revenue: bool) -> None:
    """Cohort × age; blank where the cohort has not come so far."""
    kept, of = ("mrr", "start_mrr") if revenue else ("kept", "size")
    shown = cells.with_columns(share=pl.col(kept) / pl.col(of), percent=100 * pl.col(kept) / pl.col(of)).filter(
        pl.col(of) > 0
    )
    recent = shown["cohort"].unique().sort(descending=True).head(MOST_COHORTS)
    shown = shown.filter(pl.col("cohort").is_in(recent.implode()))
    names = {start: month(start) for start in recent}
    shown = shown.with_columns(
        pl.col("cohort").dt.strftime("%Y-%m").alias(PICK),
        name=pl.col("cohort").replace_strict(names, return_dtype=pl.String),
    )
    order = [names[start] for start in recent]
    pick = COHORT.point(shown[PICK])
    ages = int(shown["age"].max() or 0)  # type: ignore[arg-type]
    base = alt.Chart(shown).encode(
        x=alt.X("age:O", title=t("Whole months since the first paid day"), axis=alt.Axis(labelAngle=0, values=list(range(0, ages + 1, 3 if ages > 18 else 1)))),
        y=alt.Y("name:O", sort=order, title=None, axis=alt.Axis(labelOverlap=False)),
        tooltip=[alt.Tooltip("name:N", title=t("Cohort")), alt.Tooltip("age:Q", title=t("Months")), alt.Tooltip("size:Q", title=t("Customers at the beginning")),
                 alt.Tooltip("kept:Q", title=t("Customers then")), alt.Tooltip("share:Q", title=t("Share"), format=".1%")],
    )  # fmt: skip
    # The colours span what occurs: on a fixed scale most companies are one dark field.
    top = max(1.0, float(shown["share"].quantile(0.98) or 1.0))
    low = min(0.95, math.floor(20 * float(shown["share"].quantile(0.02) or 0.0)) / 20)
    squares = base.mark_rect(cornerRadius=2, cursor="pointer").encode(
        color=alt.Color("share:Q", title=None, scale=alt.Scale(domain=[low, top], clamp=True), legend=alt.Legend(format=".0%", orient="bottom", gradientLength=180, direction="horizontal")),
        opacity=alt.condition(pick, alt.value(1.0), alt.value(0.5)),
    ).add_params(pick)  # fmt: skip
    # On a dark ground the scale runs the other way: much is light.
    dark = st.context.theme.type == "dark"
    middle = low + (0.7 if dark else 0.3) * (top - low)
    much, little = ("#0B1020", "#FFFFFF") if dark else ("#FFFFFF", "#1B2A4A")
    written = base.mark_text(fontSize=9, opacity=alt.ExprRef(f"{charts.NARROW} ? 0 : 1")).encode(
        text=alt.Text("percent:Q", format=".0f"),
        color=alt.condition(alt.datum.share > middle, alt.value(much), alt.value(little)),
    )
    COHORT.shown(
        squares + written if ages <= MOST_WRITTEN else squares, key=f"cohorts:{revenue}",
        height=max(180, 19 * len(order)), said=t("Retention by cohort"),
    )  # fmt: skip


def summary(cells: pl.DataFrame) -> None:
    """All cohorts old enough together, at a few ages: from sums, not from means of percentages."""
    told = retention.cohort_summary(cells).filter(pl.col("age").is_in([1, 3, 6, 12, 24, 36]))
    if told.is_empty():
        st.caption(t("No cohort is a month old yet."))
        return
    rows = [
        {t("Month"): number(row["age"]), t("Cohorts"): number(row["cohorts"]), t("Customers"): number(row["size"]),
         t("Still customers"): share(row["customers"]), t("Revenue kept"): share(row["revenue"])}
        for row in told.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(
        rows,
        hide_index=True,
        column_config=parts.money_columns(t("Cohorts"), t("Customers"), t("Still customers"), t("Revenue kept")),
    )


def members(rows: pl.DataFrame, cohort: date, currency: str) -> None:
    """Who began in a month, and what became of them."""
    gone = number(rows.filter(pl.col("left").is_not_null()).height)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(
            t("**{month}**: {count} customers began, {gone} have left since", month=month(cohort), count=number(rows.height), gone=gone),
            width="content",
        )  # fmt: skip
        COHORT.close_button()
    mrr = t("MRR today")
    listed = [
        {t("Customer"): row["name"], t("Id"): row["external_id"], t("Since"): row["since"], t("Left"): row["left"],
         t("Because of"): label(row["cause"]) if row["cause"] else "", mrr: money(row["mrr_minor"], currency)}
        for row in rows.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    parts.customer_rows(listed, rows["external_id"].to_list(), key=f"cohort:{cohort}", money=(mrr,))


def churn_lines(months: pl.DataFrame, last_complete: date | None) -> None:
    """Customer churn with its interval, and revenue churn, month by month; the running month is left out."""
    st.header(t("Churn by month"), anchor=False, help=definition("customer churn"))
    over = months.filter(pl.col("month") <= last_complete) if last_complete else months.clear()
    over = over.filter(pl.col("customer_churn").is_not_null())
    if over.is_empty():
        st.caption(t("No whole month with customers yet."))
        return
    names = {start: month(start) for start in over["month"]}
    order = list(names.values())
    shown = over.with_columns(name=pl.col("month").replace_strict(names, return_dtype=pl.String))
    words = {"customer_churn": t("Customers"), "gross_mrr_churn": t("MRR, lost and lowered")}
    long = shown.unpivot(list(words), index=["name"], variable_name="what", value_name="share").with_columns(
        pl.col("what").replace_strict(words)
    )
    x = alt.X(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelAngle=0 if len(order) <= 14 else -45, labelOverlap="greedy"),
    )
    lines = alt.Chart(long).mark_line(strokeWidth=2, point=len(order) <= 14).encode(
        x=x, y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".1%")),
        color=alt.Color("what:N", scale=alt.Scale(domain=list(words.values()), range=[charts.COLOURS["price"], charts.COLOURS["churn"]])),
        tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("what:N", title=" "), alt.Tooltip("share:Q", title=t("Share"), format=".2%")],
    )  # fmt: skip
    band = (
        alt.Chart(shown.select("name", "churn_low", "churn_high"))
        .mark_area(opacity=0.12, color=charts.COLOURS["price"])
        .encode(x=x, y="churn_low:Q", y2="churn_high:Q")
    )
    st.altair_chart(
        charts.styled(band + lines, height=240), width="stretch", key="churn-lines", alt=t("Churn by month")
    )
    st.caption(t("Band: 95 % interval of customer churn (Wilson)."))


def causes(frame: pl.DataFrame, months: list[date]) -> None:
    """Customers lost by month and cause."""
    st.header(t("Lost customers by cause"), anchor=False, help=definition("churn"))
    if frame.is_empty():
        st.caption(t("Nobody left in these months."))
        return
    names = {start: month(start) for start in months}
    known = [cause for cause in CAUSE_COLOURS if cause in frame["cause"].unique()]
    words = {cause: label(cause) for cause in known}
    shown = frame.filter(pl.col("cause").is_in(known)).with_columns(
        name=pl.col("month").replace_strict(names, return_dtype=pl.String, default=None),
        what=pl.col("cause").replace_strict(words, return_dtype=pl.String),
    )
    chart = alt.Chart(shown).mark_bar(cornerRadius=1).encode(
        x=alt.X("name:N", sort=list(names.values()), title=None, axis=alt.Axis(labelAngle=0 if len(names) <= 14 else -45, labelOverlap="greedy")),
        y=alt.Y("sum(customers):Q", title=None, axis=alt.Axis(tickMinStep=1)),
        color=alt.Color("what:N", scale=alt.Scale(domain=list(words.values()), range=[CAUSE_COLOURS[cause] for cause in known])),
        tooltip=[alt.Tooltip("name:N", title=t("Month")), alt.Tooltip("what:N", title=t("Cause")), alt.Tooltip("sum(customers):Q", title=t("Customers"))],
    )  # fmt: skip
    st.altair_chart(charts.styled(chart, height=240), width="stretch", key="causes", alt=t("Lost customers by cause"))


def reasons(rows: pl.DataFrame, currency: str) -> None:
    """What customers said when they left."""
    mrr = t("MRR lost")
    listed = [
        {t("Stated reason"): row["reason"] or t("none given"), t("Cause"): label(row["cause"]), t("Customers"): number(row["customers"]),
         mrr: money(row["mrr_minor"], currency)}
        for row in rows.head(30).iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(
        listed,
        hide_index=True,
        column_config=parts.money_columns(t("Customers"), mrr),
        height=parts.tall(len(listed), 10),
    )


def curves(frame: pl.DataFrame, dimension: str | None) -> None:
    """Share still customers by months since the first paid day, with 95 % bands, as long as ten are at risk."""
    shown = frame.with_columns(
        name=pl.col("segment").map_elements(
            lambda value: segment_word(dimension, value) if dimension else t("All customers"), return_dtype=pl.String
        )
    )
    base = alt.Chart(shown).encode(
        x=alt.X("time:Q", title=t("Months since the first paid day")),
        color=alt.Color("name:N", legend=alt.Legend(columns=4, symbolOpacity=1)),
        tooltip=[alt.Tooltip("name:N", title=t("Segment")), alt.Tooltip("time:Q", title=t("Month")), alt.Tooltip("survival:Q", title=t("Still customers"), format=".1%"),
                 alt.Tooltip("low:Q", format=".1%", title=t("At least")), alt.Tooltip("high:Q", format=".1%", title=t("At most")), alt.Tooltip("at_risk:Q", title=t("At risk"))],
    )  # fmt: skip
    lowest = float(shown.select(pl.col("low").min().fill_null(0.0)).item())
    # Both layers say the same domain: the one without would bring nought back.
    scale = alt.Scale(domain=[max(0.0, lowest - 0.05), 1.0])
    band = base.mark_area(opacity=0.10, interpolate="step-after").encode(
        y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2, interpolate="step-after").encode(
        y=alt.Y("survival:Q", title=None, scale=scale, axis=alt.Axis(format=".0%"))
    )
    st.altair_chart(
        charts.styled(band + line, height=320), width="stretch", key="curves", alt=t("Share still customers by month")
    )


def hazards(frame: pl.DataFrame, dimension: str | None) -> None:
    """The share of those at risk that leaves in each month of tenure, with 95 % intervals: where the months to care about are."""
    shown = frame.filter(pl.col("time") <= MOST_TENURE).with_columns(
        name=pl.col("segment").map_elements(
            lambda value: segment_word(dimension, value) if dimension else t("All customers"), return_dtype=pl.String
        )
    )
    base = alt.Chart(shown).encode(
        x=alt.X("time:Q", title=t("Months since the first paid day")), color=alt.Color("name:N", legend=alt.Legend(columns=4, symbolOpacity=1)),
        tooltip=[alt.Tooltip("name:N", title=t("Segment")), alt.Tooltip("time:Q", title=t("Month")), alt.Tooltip("hazard:Q", title=t("Leave in it"), format=".2%"),
                 alt.Tooltip("low:Q", format=".2%", title=t("At least")), alt.Tooltip("high:Q", format=".2%", title=t("At most")),
                 alt.Tooltip("events:Q", title=t("Left")), alt.Tooltip("at_risk:Q", title=t("At risk"))],
    )  # fmt: skip
    top = float(shown.select(pl.col("hazard").quantile(0.98).fill_null(0.0)).item()) * 1.6
    y = alt.Y(
        "hazard:Q", title=None, axis=alt.Axis(format=".1%"), scale=alt.Scale(domain=[0, max(top, 0.01)], clamp=True)
    )
    band = base.mark_area(opacity=0.08, clip=True).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y)
    st.altair_chart(
        charts.styled(band + line, height=300),
        width="stretch",
        key="hazards",
        alt=t("Share that leaves in a month of tenure"),
    )


def rates(exposed: dict[str, Any], planned: pl.DataFrame, currency: str) -> None:
    """Churn by exposure with its interval, and who is to leave already."""
    leaving = planned.filter(pl.col("kind") == CHURN)
    lost = -int(leaving["delta_minor"].sum())
    with st.grid(3, min_column_width=180):
        interval = ""
        if exposed["hazard"] is not None:
            interval = " " + t("95 % interval: {low}–{high}; {churned} left in {months} months of customers.", low=share(exposed["low"], 2),
                               high=share(exposed["high"], 2), churned=number(exposed["churned"]), months=number(round(exposed["customer_months"])))  # fmt: skip
        st.metric(
            t("Leave in a month"),
            share(exposed["hazard"], 2),
            border=True,
            help=definition("churn by exposure") + interval,
        )
        st.metric(t("Scheduled to leave"), number(leaving.height), border=True, help=definition("scheduled churn"))
        st.metric(t("MRR that goes with them"), money(lost, currency), border=True, help=definition("scheduled churn"))


def at_risk_table(frame: pl.DataFrame, dimension: str | None) -> None:
    """How many each curve stands on, and when half have left."""
    rows = []
    for (name,), own in frame.group_by("segment", maintain_order=True):
        last = int(own["time"][-1])
        at = {
            f"{months}": own.filter(pl.col("time") <= months)["at_risk"][-1] if last >= months else None
            for months in (0, 6, 12, 24)
        }
        half = median(own)
        rows.append({
            t("Segment"): segment_word(dimension, str(name)) if dimension else t("All customers"),
            **{t("Month {month}", month=key): number(value) if value is not None else "–" for key, value in at.items()},
            t("Half gone after"): t("{count} months", count=half) if half else t("not reached"),
        })  # fmt: skip
    numbers = [t("Month {month}", month=key) for key in ("0", "6", "12", "24")]
    st.dataframe(rows, hide_index=True, column_config=parts.money_columns(*numbers))
    st.caption(t("At risk at each month. A curve ends where fewer than {count} are.", count=MIN_AT_RISK))


def test_in_words(test: Test) -> None:
    """What the log-rank test says."""
    if test.df == 0:
        return
    p = t("less than 0.1 %") if test.p < 0.001 else share(test.p)
    detail = t(
        "Log-rank: chi-square {statistic} on {df} degrees of freedom.",
        statistic=number(test.statistic, places=1),
        df=test.df,
    )
    if test.p < 0.05:
        st.markdown(
            t(
                "The segments **differ**: were they alike, differences as large as these would come about by chance in {p} of cases.",
                p=p,
            ),
            help=detail,
        )
    else:
        st.markdown(
            t(
                "The segments **may be alike**: differences as large as these come about by chance in {p} of cases.",
                p=p,
            ),
            help=detail,
        )


def incidences(found: People) -> None:
    """The share that has left for each cause by month: they add up with those who stay to all."""
    frame = incidence(found.frame)
    table = found.frame.filter(pl.col("cause").is_not_null())
    if frame.is_empty() or table.height < MIN_AT_RISK:
        st.caption(t("Too few have left to tell causes apart."))
        return
    words = {cause: label(cause) for cause in frame["cause"].unique()}
    known = [cause for cause in CAUSE_COLOURS if cause in words]
    shown = frame.filter(pl.col("cause").is_in(known)).with_columns(
        what=pl.col("cause").replace_strict(words, return_dtype=pl.String)
    )
    chart = alt.Chart(shown).mark_area(interpolate="step-after", opacity=0.75).encode(
        x=alt.X("time:Q", title=t("Months since the first paid day")), y=alt.Y("share:Q", stack=True, title=None, axis=alt.Axis(format=".0%")),
        color=alt.Color("what:N", scale=alt.Scale(domain=[words[cause] for cause in known], range=[CAUSE_COLOURS[cause] for cause in known])),
        tooltip=[alt.Tooltip("what:N", title=t("Cause")), alt.Tooltip("time:Q", title=t("Month")), alt.Tooltip("share:Q", title=t("Have left"), format=".1%")],
    )  # fmt: skip
    st.altair_chart(
        charts.styled(chart, height=260), width="stretch", key="incidence", alt=t("Share that has left, by cause")
    )
    st.caption(t("With those who stay the causes add up to all customers (Aalen–Johansen)."))


def risk_list(rows: pl.DataFrame, currency: str) -> None:
    """Active customers with a reason to look after them."""
    words = {"unresolved": t("unresolved contact"), "onboarding": t("onboarding not finished")}

    def why(row: dict[str, Any]) -> str:
        leaving = t("leaves on {day}", day=day(row["leaves_on"]))
        return ", ".join(words.get(reason, leaving) for reason in row["reasons"])

    if rows.is_empty():
        st.caption(t("Nobody gives a reason to worry today."))
        return
    total = int(rows["mrr_minor"].sum())
    st.caption(
        t("{count} customers, {amount} a month", count=number(rows.height), amount=parts.plain(money(total, currency)))
    )
    mrr = t("MRR")
    listed = [
        {t("Customer"): row["name"], t("Id"): row["external_id"], mrr: money(row["mrr_minor"], currency),
         t("Months"): number(row["months"]), t("Why"): why(row)}
        for row in rows.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    numbers = (mrr, t("Months"))
    parts.customer_rows(
        listed, rows["external_id"].to_list(), key="risk", money=numbers, height=parts.tall(len(listed), 20)
    )
