"""Charts in the house's style: one look, one colour for each kind of thing, in both themes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.ui.text import language

# One fixed colour per kind of thing, readable on both backgrounds.
COLOURS = {
    "new": "#3B5BDB", "expansion": "#12A37A", "contraction": "#F08C00", "churn": "#E03131", "today": "#8A94A6",
    "price": "#3B5BDB", "sample": "#F08C00", "charge": "#3B5BDB", "correction": "#F08C00", "discount": "#12A37A",
    "vat": "#8A94A6", "total": "#111827", "up": "#3B5BDB", "down": "#12A37A", "reactivation": "#7048E8",
    "moved_in": "#74B816", "moved_out": "#C2A366", "fx": "#ADB5BD", "data": "#3B5BDB", "estimate": "#12A37A",
    "assumption": "#F08C00",
}  # fmt: skip
HEIGHT = 260
LEGEND = "width < 400 ? max(1, floor(width / 95)) : 12"  # names side by side, as an expression of the chart
NARROW = "width < 420"  # a telephone, as an expression of the chart


def styled(chart: Any, *, height: int = HEIGHT) -> Any:
    """Pale grid, no frame, labels that do not crowd."""
    return (
        # Without a padding of its own Streamlit leaves a strip of nothing below every chart.
        chart.properties(height=height, padding={"left": 0, "right": 4, "top": 4, "bottom": 4})
        .configure(locale=alt.Locale(number=_numbers()))
        .configure_view(strokeWidth=0)
        .configure_axis(gridOpacity=0.35, domain=False, ticks=False, labelPadding=6, titleFontWeight="normal", titlePadding=10)
        .configure_legend(orient="top", title=None, symbolType="square", padding=0, columns=alt.ExprRef(LEGEND))
    )  # fmt: skip


def filled(build: Callable[..., Any], /, *words: Any, **frames: pl.DataFrame) -> dict[str, Any]:
    """A chart of these frames for `st.vega_lite_chart`, where a page draws the same one again and again with other numbers.

    `build(*words)` makes it from `alt.NamedData` of their names, once a language: making and checking the hundreds of parts of a chart
    takes tens of milliseconds, and where only the numbers differ the browser keeps what it has drawn.
    """
    return {**json.loads(_outline(build, language(), words)), "datasets": frames}


@lru_cache(maxsize=64)
def _outline(build: Callable[..., Any], _language: str, words: tuple[Any, ...]) -> str:
    """The chart without its numbers, and without the size that Altair's own theme gives it."""
    with alt.theme.enable("none"):
        return str(build(*words).to_json())


def short_axis(**more: Any) -> alt.Axis:
    """Large amounts on an axis: "800k", "1.4M" – in Norwegian "800 k", "1,4 mill." – and nought as 0."""
    thousand, million = (" k", " mill.") if language() == "nb" else ("k", "M")
    said = f"datum.value == 0 ? '0' : replace(replace(datum.label, 'k', '{thousand}'), 'M', '{million}')"
    return alt.Axis(format="~s", labelExpr=said, **more)


def line_legend() -> alt.Legend:
    """The legend of lines some of which are dashed: a square would hide that."""
    return alt.Legend(symbolType="stroke", symbolSize=300)


def ink() -> str:
    """The colour of words inside a chart, on either ground."""
    return "#E9ECF2" if st.context.theme.type == "dark" else "#1B2A4A"


def _numbers() -> alt.NumberLocale:
    """Numbers of axes and tooltips as the page writes them."""
    bokmaal = language() == "nb"
    return alt.NumberLocale(
        decimal="," if bokmaal else ".", thousands="\u00a0" if bokmaal else ",", grouping=[3], currency=["", ""],
        minus="−", percent="\u00a0%",
    )  # fmt: skip


def line(
    frame: pl.DataFrame, x: str, y: str, *, x_title: str, y_title: str, colour: str = "price", step: bool = False
) -> Any:
    """One line with an area below it."""
    base = alt.Chart(frame).encode(
        x=alt.X(x, title=x_title),
        y=alt.Y(y, title=y_title),
        tooltip=[alt.Tooltip(x, title=x_title), alt.Tooltip(y, title=y_title)],
    )
    how: Any = "step-after" if step else "linear"
    return base.mark_area(opacity=0.12, color=COLOURS[colour], interpolate=how) + base.mark_line(
        color=COLOURS[colour], strokeWidth=2, interpolate=how
    )


def bars(
    frame: pl.DataFrame,
    x: str,
    y: str,
    *,
    x_title: str,
    y_title: str,
    series: str | None = None,
    colours: dict[str, str] | None = None,
) -> Any:
    """Bars with rounded tops, stacked by `series`."""
    encoding: dict[str, Any] = {
        "x": alt.X(x, title=x_title, axis=alt.Axis(labelAngle=0)),
        "y": alt.Y(y, title=y_title),
        "tooltip": [alt.Tooltip(x, title=x_title), alt.Tooltip(y, title=y_title)],
    }
    if series:
        scale = alt.Scale(domain=list(colours), range=list(colours.values())) if colours else alt.Undefined
        encoding["color"] = alt.Color(series, scale=scale)
    else:
        encoding["color"] = alt.value(COLOURS["price"])
    return alt.Chart(frame).mark_bar(cornerRadiusTopLeft=3, cornerRadiusTopRight=3).encode(**encoding)


def waterfall(frame: pl.DataFrame, *, label: str, amount: str, y_title: str) -> Any:
    """Parts that lead from one amount to another. In: rows in order with `label`, `amount`, `kind` (total or part)."""
    ends = frame.with_columns(
        end=pl.when(pl.col("kind") == "total").then(pl.col(amount)).otherwise(pl.col(amount).cum_sum())
    ).with_columns(start=pl.when(pl.col("kind") == "total").then(0).otherwise(pl.col("end") - pl.col(amount)))
    way = (
        pl.when(pl.col("kind") == "total")
        .then(pl.lit("today"))
        .when(pl.col(amount) < 0)
        .then(pl.lit("down"))
        .otherwise(pl.lit("up"))
    )
    shown = ends.with_columns(colour=way.replace_strict(COLOURS, return_dtype=pl.String))
    return (
        alt.Chart(shown)
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X(label, sort=None, title=None, axis=alt.Axis(labelAngle=-30, labelLimit=110, labelOverlap=False)),
            y=alt.Y("start", title=y_title), y2="end", color=alt.Color("colour", scale=None),
            tooltip=[alt.Tooltip(label, title=" "), alt.Tooltip(amount, title=y_title, format=",.2f")],
        )
    )  # fmt: skip
