"""What a page works with: the database, the person acting, the day, cached reads, and commands that run once.

The clock is read here and nowhere else under `core/` (house.md section 2). A command's id is drawn when its form appears
and kept until it has succeeded, so that a double click or a rerun of the page has one effect.
"""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from core.domain.access import Actor, Permission, Role
from core.domain.errors import ForbliError
from core.store.engine import database_url, open_engine, reading
from core.store.migrate import migrate
from core.store.tables import Person, Revision, core_table
from core.ui.text import language, refusal, t

PERSON = "person"
TIME_ZONE = ZoneInfo("Europe/Oslo")
LOCAL = Actor("Local administrator", Role.ADMIN)
T = TypeVar("T")
_SEEN: ContextVar[list[int] | None] = ContextVar("seen", default=None)  # the revision of this run, once it is known


@dataclass(frozen=True)
class Context:
    """One run of one page."""

    engine: Engine
    actor: Actor
    now: datetime
    today: date
    revision: int
    language: str

    def may(self, permission: Permission) -> bool:
        """May the person acting do this?"""
        return self.actor.may(permission)


@st.cache_resource(show_spinner=False)
def _engine(url: str) -> Engine:
    engine = open_engine(url)
    migrate(engine)
    return engine


def engine() -> Engine:
    """The database, opened and brought to the newest schema once for all sessions."""
    return _engine(database_url())


def open_page(permission: Permission | None = None) -> Context:
    """The first line of every page: who acts and what is known; stops here without the permission."""
    context = current()
    if permission is not None and not context.may(permission):
        st.error(t("This page needs the permission “{permission}”, which {name} does not have",
                   permission=permission.value, name=context.actor.name), icon=":material/lock:")  # fmt: skip
        st.stop()
    return context


def current() -> Context:
    """The context without a guard."""
    now = clock()
    return Context(engine(), actor(), now, day_of(now), revision(), language())


def clock() -> datetime:
    """Now; `FORBLI_NOW` fixes it for a demonstration or a test."""
    fixed = os.environ.get("FORBLI_NOW")
    return datetime.fromisoformat(fixed).astimezone(UTC) if fixed else datetime.now(UTC)


def day_of(now: datetime) -> date:
    """The business day of an instant."""
    return now.astimezone(TIME_ZONE).date()


def actor() -> Actor:
    """The person acting, with the role that the database gives now; a local administrator while there are no people."""
    known = people()
    if not known:
        return LOCAL
    wanted = st.session_state.get(PERSON) or remembered(PERSON)
    chosen = next((person for person in known if str(person.person_id) == str(wanted)), None)
    return chosen or next((person for person in known if person.role is Role.ADMIN), known[0])


def remembered(name: str) -> str:
    """What the browser kept of an earlier visit (`shell.remember`)."""
    return str(st.context.cookies.get(f"forbli_{name}", ""))


def people() -> list[Actor]:
    """Active people by name."""
    table = core_table(Person).c
    with reading(engine()) as session:
        rows = session.execute(select(table.id, table.name, table.role).where(table.active).order_by(table.name)).all()
    return [Actor(row.name, Role(row.role), row.id) for row in rows]


def revision() -> int:
    """The data revision: it rises with every command, and frames are cached by it."""
    seen = _SEEN.get()
    if seen:
        return seen[0]
    with reading(engine()) as session:
        found = session.execute(select(core_table(Revision).c.value)).scalar() or 0
    if seen is not None:
        seen.append(found)
    return found


@contextmanager
def one_run() -> Iterator[None]:
    """Ask for the revision once, and again after each command: a page has dozens of frames. Other threads always ask."""
    before = _SEEN.set([])
    try:
        yield
    finally:
        _SEEN.reset(before)


@contextmanager
def read() -> Iterator[Session]:
    """One consistent view of the data, for reads that are not worth caching."""
    with reading(engine()) as session:
        yield session


def frames(function: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
    """`function(session, *arguments, **named)`, shared by all sessions until the data change; never change its answer."""
    key = f"{inspect.getmodule(function).__name__}.{function.__qualname__}"  # type: ignore[union-attr]
    found: T = _cached(database_url(), revision(), key, repr((arguments, named)), function, arguments, named)
    return found


def derived(function: Callable[..., T], source: Any, /, *arguments: Any) -> T:
    """`function(source, *arguments)` shared like `frames`, where `source` is a shared answer itself; no database is read."""
    key = f"{inspect.getmodule(function).__name__}.{function.__qualname__}"  # type: ignore[union-attr]
    _held, found = _derived(id(source), key, repr(arguments), function, source, arguments)
    answer: T = found
    return answer


def carried(function: Callable[..., T], /, *arguments: Any) -> T:
    """Like `frames`, for an answer that costs much: after the data have changed, `former` is the answer from before."""
    key = f"{inspect.getmodule(function).__name__}.{function.__qualname__}"  # type: ignore[union-attr]
    box = _former(database_url(), key)
    found: T = _carried(database_url(), revision(), key, repr(arguments), function, arguments, box)
    box["answer"] = found
    return found


@st.cache_resource(show_spinner=False)
def _former(url: str, key: str) -> dict[str, Any]:
    return {}


@st.cache_resource(show_spinner=False, max_entries=4)
def _carried(
    url: str, revision: int, key: str, content: str, _function: Callable[..., T], _arguments: Any, _box: dict[str, Any]
) -> T:
    with reading(engine()) as session:
        return _function(session, *_arguments, former=_box.get("answer"))


@st.cache_resource(show_spinner=False, max_entries=200)
def _derived(
    source_id: int, key: str, content: str, _function: Callable[..., T], _source: Any, _arguments: Any
) -> tuple[Any, T]:
    # Held as long as its answer: another object would otherwise be given its id, and its answers.
    return _source, _function(_source, *_arguments)


@st.cache_resource(show_spinner=False, max_entries=400)
def _cached(
    url: str, revision: int, key: str, content: str, _function: Callable[..., T], _arguments: Any, _named: Any
) -> T:
    with reading(engine()) as session:
        return _function(session, *_arguments, **_named)


def command_id(key: str) -> str:
    """The id of the form `key` until it has succeeded."""
    return str(st.session_state.setdefault(f"command:{key}", f"{key}:{uuid.uuid4()}"))


def act(action: Callable[..., Any], /, key: str, **content: Any) -> Any | None:
    """Run an action once on behalf of the person acting. A refusal is shown and answers None; nothing was changed then."""
    context = current()
    try:
        answer = action(context.engine, context.actor, command_id(key), context.now, **content)
    except ForbliError as error:
        st.error(refusal(error), icon=":material/error:")
        return None
    finally:
        if seen := _SEEN.get():
            seen.clear()
    st.session_state.pop(f"command:{key}", None)
    return answer


def say(text: str, icon: str = ":material/check_circle:") -> None:
    """A sentence that is shown after the next rerun."""
    st.session_state.setdefault("said", []).append((text, icon))


def show_said() -> None:
    """Show what was said before this run."""
    for text, icon in st.session_state.pop("said", []):
        st.toast(text, icon=icon, duration="long")


def forget(*rooms: str) -> None:
    """Drop what the session holds under these names and below them ("draft:7", "draft:7:note"): forms and their widgets."""
    for name in [str(name) for name in st.session_state]:
        if any(name == room or name.startswith(f"{room}:") for room in rooms):
            del st.session_state[name]
