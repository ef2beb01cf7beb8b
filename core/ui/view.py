"""A list's choices in the URL: a link reproduces what is shown, and going back restores it.

Not Streamlit's `bind`: a parameter that is bound to a widget cannot be set by a link, and a choice would stand in the URL by
its translated word instead of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.ui.text import t


@dataclass(frozen=True)
class View:
    """The choices of the list `name`; it keeps them in the session under "name:…"."""

    name: str

    def begin(self, name: str, parse: Callable[[str], Any], usual: Any) -> str:
        """The key of a widget whose value begins with what the URL says; `parse` answers `usual` for nonsense."""
        key = f"{self.name}:{name}"
        begin(key, name, parse, usual)
        return key

    def chosen(
        self, name: str, title: str, words: Mapping[str, str], *, usual: str | None = None, width: int
    ) -> str | None:
        """A choice whose name stands in the URL, not its words, which differ by language."""
        key = self.begin(name, lambda wanted: wanted if wanted in words else usual, usual)
        # What has a usual choice cannot be emptied.
        begins = None if usual is None else list(words).index(usual)
        choice: str | None = st.selectbox(
            title, list(words), key=key, format_func=words.__getitem__, placeholder=t("All"), width=width, index=begins
        )
        keep(name, choice if choice and choice != usual else "")
        return choice or usual

    def place(self, pages: int, filters: Any) -> int:
        """The page that is shown; other filters begin at the first."""
        key = self.begin("page", lambda text: int(text) if text.isdecimal() else 1, 1)
        last = st.session_state.setdefault(f"{self.name}:filters", filters)
        place: int = 1 if last != filters else max(1, min(st.session_state[key], pages))
        st.session_state[key], st.session_state[f"{self.name}:filters"] = place, filters
        keep("page", str(place) if place > 1 else "")
        return place


def begin(key: str, name: str, parse: Callable[[str], Any], usual: Any) -> None:
    """What the widget `key` holds at first: what the URL says. A link opened later counts too; our own writing does not."""
    given = st.query_params.get(name)
    if key not in st.session_state:
        st.session_state[key] = usual if given is None else parse(given)
    elif given is not None and given != st.session_state.get(f"kept:{name}", given):
        st.session_state[key] = parse(given)


def keep(name: str, value: str) -> None:
    """Write a choice into the URL, the usual one by leaving it out."""
    st.session_state[f"kept:{name}"] = value
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
