"""Pieces that pages share: heads, cards, empty states, pills, downloads. No rules, no numbers of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from core.ui import session
from core.ui import text as text_of
from core.ui.format import instant, number
from core.ui.text import label, t

plain = text_of.plain  # customer text in labels and markdown
PAGES = Path(__file__).parents[2] / "pages"
ROW = 31  # pixels of a table's row at the theme's font size
PILLS = {
    "active": "green", "no_subscription": "gray", "published": "green", "issued": "green", "paid": "green", "trial": "blue", "future": "blue",
    "draft": "gray", "retired": "gray", "ended": "gray", "paused": "orange", "ending": "orange", "held": "orange",
    "needs_review": "red", "overdue": "red", "open": "blue", "in_favour": "violet", "credited": "gray", "offset": "green", "credit_note": "violet", "invoice": "blue",
}  # fmt: skip


def header(title: str, caption: str = "", *, help: str | None = None) -> None:
    """A page's title with a line below it, and when the data were read."""
    context = session.current()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.title(title, help=help, anchor=False)
    right.caption(t("Data as of {instant}", instant=instant(context.now)), text_alignment="right")
    if caption:
        st.caption(caption)


def pill(status: str, text: str = "") -> None:
    """A status as a badge; its word is always there, colour is never the only mark."""
    st.badge(text or label(status), color=PILLS.get(status, "gray"))  # type: ignore[arg-type]


def cards(values: Sequence[dict[str, Any]]) -> None:
    """Key figures side by side, of equal height: the arguments of `st.metric`."""
    with st.grid(len(values), min_column_width=180):
        for value in values:
            st.metric(border=True, height="stretch", **value)


def empty(
    icon: str, title: str, text: str, *, button: str = "", page: str = "", query: dict[str, str] | None = None
) -> None:
    """Nothing to show: what, why, and one way out."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f":gray[:material/{icon}:] **{title}**", text_alignment="center")
        st.caption(text, text_alignment="center")
        if button and page:
            link(page, button, query=query)
        st.space("small")


def link(
    page: str, text: str, *, query: dict[str, str] | None = None, icon: str | None = None, help: str | None = None
) -> None:
    """A link to a page by its file name, with the view it opens."""
    st.page_link(page_file(page), label=text, icon=icon, query_params=query, help=help)


def go(page: str, query: dict[str, str] | None = None) -> None:
    """Open a page."""
    st.switch_page(page_file(page), query_params=query)


def page_file(page: str) -> str:
    """Where a page's file is."""
    return str(PAGES / f"{page}.py")


def download(text: str, make: Callable[[], bytes], file_name: str, *, key: str, mime: str = "text/csv") -> None:
    """A file that is made when it is asked for, in the language of the page."""
    spoken = text_of.language()

    def made() -> bytes:
        with text_of.spoken(spoken):
            return make()

    st.download_button(
        text, data=made, file_name=file_name, mime=mime, key=key, on_click="ignore", icon=":material/download:"
    )


def tall(rows: int, most: int) -> Any:
    """How high a table is: as its rows, or with more than `most` so many and a half, which tells that it goes on."""
    return "content" if rows <= most else round((most + 1.5) * ROW)


def in_words(rows: pl.DataFrame, *names: str) -> pl.DataFrame:
    """A file's columns of stored words ("credit_note") as the page's language says them."""
    said = {each: label(each) for name in names for each in rows[name].unique().drop_nulls() if each}
    return rows.with_columns(pl.col(name).replace(said) for name in names)


def money_columns(*names: str) -> dict[str, Any]:
    """Columns whose cells are written amounts: aligned right."""
    return {name: st.column_config.TextColumn(alignment="right") for name in names}


def pill_columns(title: str, words: dict[str, str]) -> dict[str, Any]:
    """A column of lists with a word at most, shown as a pill; `words`: what each status is called."""
    colours = [PILLS.get(status, "gray") for status in words]
    return {title: st.column_config.MultiselectColumn(options=list(words.values()), color=colours)}


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they say, whole however long they are."""
    st.table(
        [{"name": plain(name), "says": plain(said)} for name, said in rows], border="horizontal", hide_index=True, hide_header=True
    )  # fmt: skip


def day_columns(listed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Columns of days, written as the reader's language writes them and still sorted as days."""
    names = {name for row in listed[:50] for name, value in row.items() if isinstance(value, date)}
    return {name: st.column_config.DateColumn(format="localized") for name in names}


def customer_rows(
    listed: Sequence[dict[str, Any]], ids: Sequence[str], *, key: str, money: Sequence[str], height: int | None = None
) -> None:
    """A table whose rows belong to customers, by their ids in the same order: choosing a row opens its customer."""
    picked = st.dataframe(
        listed, height=height or "auto", hide_index=True, on_select="rerun", selection_mode="single-row", key=key,
        column_config=money_columns(*money) | day_columns(listed), placeholder="",
    )  # fmt: skip
    if picked.selection.rows:
        go("customers", {"customer": ids[picked.selection.rows[0]]})


def number_box(
    title: str, least: float, most: float | None, usual: float, step: float = 1, *, key: str, **more: Any
) -> float:
    """A number box that says in a sentence what it does not take (`show_refused`), and keeps the number from before."""
    found = st.number_input(
        title, value=usual, step=step, key=key, on_change=_hold, args=(title, key, least, most, usual), **more
    )  # fmt: skip
    st.session_state[f"{key}:before"] = found
    return found


def _hold(title: str, key: str, least: float, most: float | None, usual: float) -> None:
    typed, before = st.session_state[key], st.session_state.get(f"{key}:before", usual)
    if typed is None or not within(title, typed, least, most, before):
        st.session_state[key] = before


def within(title: str, typed: float, least: float, most: float | None, before: float) -> bool:
    """Does a number lie between its limits? If not, that is said, and that the one from before stays."""
    if least <= typed and (most is None or typed <= most):
        return True
    limits = t("at least {least}", least=number(least)) if most is None else t("{least} to {most}", least=number(least), most=number(most))  # fmt: skip
    st.session_state["refused"] = t(
        "{name}: {typed} is not possible, it takes {limits}. {before} stays.", name=title, typed=number(typed).replace("-", "−"), limits=limits, before=number(before)
    )  # fmt: skip
    return False


def show_refused() -> None:
    """What a number box did not take."""
    said = st.session_state.pop("refused", None)
    if said:
        st.error(said, icon=":material/error:")
