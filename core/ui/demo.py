"""The first start: an empty embedded database is filled with the demo company behind a progress bar.

A database that somebody named in `FORBLI_DATABASE_URL` is never filled unasked: there the page offers it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import date

import streamlit as st
from sqlalchemy import Engine, select

from core.store.engine import reading
from core.store.tables import CompanyProfile, Customer, Revision, core_table
from core.ui import parts, session
from core.ui.text import t

FILLING = "filling"


@dataclass
class Progress:
    """How far the filling thread is; `error` when it failed."""

    share: float = 0.0
    sentence: str = ""
    done: bool = False
    error: str = ""


def is_empty(engine: Engine) -> bool:
    """Is there neither a company nor a customer, or was a filling cut off?"""
    with reading(engine) as db:
        state = db.execute(select(core_table(Revision).c.demo_state)).scalar() or ""
        if state == FILLING:
            return True
        known = [db.execute(select(core_table(model).c.id).limit(1)).first() for model in (CompanyProfile, Customer)]
    return not any(known)


@st.cache_resource(show_spinner=False)
def filling(_engine: Engine, _as_of: date) -> Progress:
    """The one thread of this process that fills the database."""
    progress = Progress()

    def report(share: float, sentence: str) -> None:
        progress.share, progress.sentence = share, sentence

    # Here, not in the thread: Streamlit takes this folder off the import path when the page's run is over.
    from seed.company import fill

    def work() -> None:
        try:
            fill(_engine, as_of=_as_of, progress=report)
        except Exception as error:
            progress.error = str(error)
            raise
        finally:
            progress.done = True

    threading.Thread(target=work, name="demo", daemon=True).start()
    return progress


def wanted() -> bool:
    """Is the demo company to be made unasked?"""
    return os.environ.get("FORBLI_DEMO", "off" if os.environ.get("FORBLI_DATABASE_URL") else "on") == "on"


def first_start() -> None:
    """Nothing when there are data; else the progress of the filling, or the choice, instead of the page."""
    context = session.current()
    if st.session_state.get("own_company") or not is_empty(context.engine):
        return
    if wanted() or st.session_state.get("demo_wanted"):
        _show_progress(filling(context.engine, context.today))
    else:
        _offer()
    st.stop()


@st.fragment(run_every=0.5)
def _show_progress(progress: Progress) -> None:
    """A bar that moves; the page opens when it is full."""
    if progress.done and not progress.error:
        st.rerun(scope="app")
    with st.container(border=True):
        st.title(t("Setting up the demo company"), anchor=False)
        st.caption(
            t("A Norwegian company with three years of subscriptions and invoices, made by the product's own rules.")
        )
        if progress.error:
            st.error(t("The demo company could not be made: {reason}", reason=progress.error))
            return
        st.progress(min(1.0, progress.share), text=parts.plain(progress.sentence) or t("Starting"))


def _offer() -> None:
    """An empty database of one's own: two ways on."""
    with st.container(border=True):
        st.title(t("This database is empty"), anchor=False)
        st.caption(t("Enter your own company, or look around in a demo company first."))
        with st.container(horizontal=True):
            if st.button(t("Enter my company"), type="primary", icon=":material/apartment:"):
                st.session_state["own_company"] = True
                parts.go("settings")
            if st.button(t("Fill with the demo company"), icon=":material/auto_awesome:"):
                st.session_state["demo_wanted"] = True
                st.rerun()
