"""What was clicked in a chart to see the customers behind it: it stands in the URL like a filter, so that a link opens the same list."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.ui import charts
from core.ui.text import t
from core.ui.view import begin, keep

PICK = "pick"  # the column of a chart's data that says by what text a mark stands in the URL


@dataclass(frozen=True)
class Drill:
    """The mark that is open, by its text under `name` in the URL; "" when none is."""

    name: str

    @property
    def key(self) -> str:
        """Where the session keeps it."""
        return f"drill:{self.name}"

    def begin(self, known: Callable[[str], bool]) -> str:
        """The mark that is open; at first, the one that the URL names. One that is not `known` (any more) is closed."""
        begin(self.key, self.name, str, "")
        if not known(st.session_state[self.key]):
            st.session_state[self.key] = ""
        chosen: str = st.session_state[self.key]
        keep(self.name, chosen)
        return chosen

    def point(self, marks: pl.Series) -> alt.Parameter:
        """The selection of a chart with these marks: it begins at the one that is open."""
        chosen = st.session_state[self.key]
        return alt.selection_point(
            name=PICK, fields=[PICK], value=[{PICK: chosen}] if chosen in marks else alt.Undefined
        )

    def shown(self, chart: Any, *, key: str, height: int, said: str) -> None:
        """Show a chart with `point` among its parameters: a click opens a mark, a click beside all marks closes it."""
        # A chart forgets what was clicked only as another one.
        own = f"{key}:{st.session_state.get(f'{self.key}:closed', 0)}"
        st.altair_chart(
            charts.styled(chart, height=height), width="stretch", key=own, on_select=partial(self._choose, own),
            selection_mode=PICK, alt=said,
        )  # fmt: skip

    def _choose(self, chart_key: str) -> None:
        picked = st.session_state[chart_key].selection.get(PICK) or [{PICK: ""}]
        st.session_state[self.key] = picked[0][PICK]

    def close_button(self) -> None:
        """The way back to the chart alone."""
        st.button(t("Close"), key=f"{self.key}:close", icon=":material/close:", on_click=self._close, type="tertiary")

    def _close(self) -> None:
        st.session_state[self.key] = ""
        st.session_state[f"{self.key}:closed"] = st.session_state.get(f"{self.key}:closed", 0) + 1


def month_of(text: str, today: date) -> date | None:
    """The month that "2026-03" means; None for nonsense and for what has not come yet."""
    try:
        start = date.fromisoformat(f"{text}-01") if re.fullmatch(r"\d{4}-\d{2}", text) else None
    except ValueError:
        return None
    return start if start and start <= today else None
