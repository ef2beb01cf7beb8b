"""Once at start: load the heavy libraries, then freeze what is there.

Streamlit collects garbage after every run; without the freeze each click pays 90–200 ms for walking all modules
(experience.md section 2). `is_frozen` tells a test when that is lost.
"""

from __future__ import annotations

import gc
import importlib

import streamlit as st

HEAVY = (
    "altair", "pandas", "polars", "pyarrow", "sqlmodel", "babel.messages.pofile",
    "core.actions.invoices", "core.actions.plans", "core.actions.subscriptions", "core.reports.invoices",
    "core.reports.billing_review", "core.reports.integrity",
)  # fmt: skip
FROZEN_AT_LEAST = 100_000  # objects; a bare interpreter has far fewer


@st.cache_resource(show_spinner=False)
def warm_up() -> bool:
    """Import, build one chart, collect, freeze; once a process."""
    for name in HEAVY:
        importlib.import_module(name)
    import altair as alt
    import polars as pl

    alt.Chart(pl.DataFrame({"x": [1], "y": [1]})).mark_line().encode(x="x", y="y").to_dict()
    gc.collect()
    gc.freeze()
    return True


def is_frozen() -> bool:
    """Did the freeze happen, and is it still in force?"""
    return gc.get_freeze_count() >= FROZEN_AT_LEAST
