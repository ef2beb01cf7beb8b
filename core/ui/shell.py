"""The frame around every page: who acts, which language, the navigation. Run by `st.App` in app.py, never directly."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse

from core.domain.access import Actor
from core.domain.errors import ForbliError
from core.language import LANGUAGES
from core.ui import demo, finder, parts, session
from core.ui.start import is_frozen, warm_up
from core.ui.text import KEY, browser_language, label, refusal, spoken, t

HEALTH = "/healthz"
# Drawn here: a named icon would be fetched from somebody else's server by every browser.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M7 8a4 4 0 1 0 0 8c3.6 0 6.4-8 10-8a4 4 0 1 1 0 8'
    'c-3.6 0-6.4-8-10-8z" fill="none" stroke="#3b5bdb" stroke-width="2.4"/></svg>'
)
REMEMBER = """
export default function ({ data }) {
  for (const [name, value] of Object.entries(data ?? {}))
    document.cookie = `forbli_${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=strict`
}
"""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FIRST_PAGE_SECONDS = 4
DRAWN_IN = "drawn_in"  # the language of the run before


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Refuse to serve beyond this machine while there is no sign-in; load and freeze the libraries."""
    address = st.get_option("server.address")
    if address not in LOOPBACK:
        raise SystemExit(
            f"Forbli has no sign-in yet and serves on this machine only: server.address is {address!r}, not 127.0.0.1"
        )
    warm_up()
    threading.Thread(target=read_ahead, daemon=True).start()
    yield {}


def read_ahead() -> None:
    """What pages wait for longest on many customers, the first page's before the others', while nobody is there yet."""
    from core.domain.invoices import Settlement
    from core.reports import customers, payments
    from core.reports.kpis import Filters
    from core.ui import overview_page, segment

    today = session.day_of(session.clock())
    try:
        overview_page.prepare(today)
        time.sleep(FIRST_PAGE_SECONDS)  # who came at once is drawing the first page, on the same processors
        session.carried(customers.directory, today)
        session.frames(segment.people, Filters(), today)
        session.frames(payments.left_ids, Settlement.OVERDUE.value, today)
    except (ForbliError, SQLAlchemyError):
        return  # whoever opens the page is told


def failed(error: Exception) -> bool:
    """What a page shows when it fails: a refusal in its own words, anything else as a reference that the server's log has too."""
    if isinstance(error, ForbliError):
        st.error(refusal(error), icon=":material/error:")
        return True
    reference = uuid.uuid4().hex[:8]
    logging.getLogger("forbli").error("reference %s: %s", reference, error, exc_info=error)
    st.error(
        t("This page failed, and what it was about to do was not done. Try again; if it fails again, tell whoever runs Forbli the reference **{reference}**: the server's log has it.",
          reference=reference), icon=":material/error:",
    )  # fmt: skip
    return True


def health(_request: Request) -> JSONResponse:
    """Is the database there, and is the memory frozen? For schedulers and tests."""
    try:
        with session.read() as db:
            db.execute(text("SELECT 1"))
    except (ForbliError, SQLAlchemyError):
        return JSONResponse({"database": "missing", "frozen": is_frozen()}, status_code=503)
    return JSONResponse({"database": "ok", "frozen": is_frozen()})


def first_page(request: Request) -> RedirectResponse:
    """The first page answers "/": a link that names it finds it too, with its view."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


def main() -> None:
    """One run: page settings, sidebar, the chosen page."""
    st.set_page_config(page_title="Forbli", page_icon=ICON, layout="wide")
    try:
        session.engine()
    except ForbliError as error:
        st.error(refusal(error), icon=":material/database_off:")
        st.stop()
    begin_language()
    # What stays for the run is asked for once: a page needs it thousands of times.
    with spoken(st.session_state[KEY]), session.one_run():
        page = st.navigation(pages(), position="sidebar")
        sidebar()
        session.show_said()
        demo.first_start()
        page.run()


def begin_language() -> None:
    """The language of a link (`?language=nb`), else that of the last visit, else the browser's; afterwards the sidebar's."""
    if KEY not in st.session_state:
        asked = st.query_params.get(KEY, "") or session.remembered(KEY)
        st.session_state[KEY] = asked if asked in LANGUAGES else browser_language()
    elif st.query_params.get(KEY, st.session_state[KEY]) != st.session_state[KEY]:
        del st.query_params[KEY]  # a link's language has been left for another
    if st.session_state.setdefault(DRAWN_IN, st.session_state[KEY]) != st.session_state[KEY]:
        st.session_state[DRAWN_IN] = st.session_state[KEY]
        _choose_again()


def _choose_again() -> None:
    """Put what stands in the widgets into them once more: the browser knows a choice by its words, and these are other ones now."""
    for key, value in st.session_state.items():
        if value is not None and not isinstance(
            value, bool | Mapping
        ):  # buttons, menus, tables and charts cannot be set
            st.session_state[key] = value


def pages() -> list[Any]:
    """The pages that work, as a flat list: sections fail the accessibility check of lists."""
    listed = [
        ("overview", t("Overview"), ":material/monitoring:"),
        ("retention", t("Retention"), ":material/timeline:"),
        ("lifetime", t("Lifetime"), ":material/hourglass_top:"),
        ("simulate", t("Simulate"), ":material/tune:"),
        ("customers", t("Customers"), ":material/group:"),
        ("plans", t("Plans"), ":material/sell:"),
        ("invoices", t("Invoices"), ":material/receipt_long:"),
        ("settings", t("Settings"), ":material/settings:"),
    ]
    return [
        st.Page(parts.page_file(name), title=title, icon=icon, url_path=name, default=place == 0)
        for place, (name, title, icon) in enumerate(listed)
    ]


def sidebar() -> None:
    """The way to anything, who acts, and the language."""
    with st.sidebar:
        finder.button()
        people = session.people()
        if people:
            _choose_person(people)
        st.segmented_control(
            t("Language"), list(LANGUAGES), format_func=LANGUAGES.__getitem__, key=KEY, required=True,
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        st.caption(t("Local mode: no sign-in, on this machine only"))
        remember({KEY: st.session_state[KEY], session.PERSON: st.session_state.get(session.PERSON, "")})


def remember(choices: dict[str, Any]) -> None:
    """Keep choices in the browser, so that a reload or a link opens as the same person in the same language."""
    st.components.v2.component("forbli_remember", js=REMEMBER)(key="remember", height=1, data=choices)


def _choose_person(people: list[Actor]) -> None:
    """Local mode: act as one of several people, so that a second approval is possible."""
    names = {person.person_id: f"{person.name} · {label(person.role.value)}" for person in people}
    if st.session_state.get(session.PERSON) not in names:
        st.session_state[session.PERSON] = session.actor().person_id
    st.selectbox(
        t("Acting as"), list(names), format_func=names.__getitem__, key=session.PERSON, persist_state="session",
        help=t("Until sign-in is set up, anyone on this machine may act as any of these people."),
    )  # fmt: skip


if __name__ == "__main__":
    main()
