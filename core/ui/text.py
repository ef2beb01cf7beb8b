"""The page's language: `t` is the one translation function of every text on screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import streamlit as st

from core import language as words
from core.domain.errors import ForbliError
from core.language.glossary import meaning

KEY = "language"
_SPOKEN: ContextVar[str] = ContextVar("spoken", default="")
_SPACES = re.compile(r"[^\S\u00a0\u202f]+")  # not those that keep "1 299 kr" together
_MARKS = re.compile(
    r"(^[+\-]|[\\`*_{}\[\]()<>#.!|~:$])"
)  # a line that begins with a dash is a list; elsewhere it is a dash


@contextmanager
def spoken(chosen: str) -> Iterator[None]:
    """Speak a language without asking the session: it does not change within a run, and a file is made on a thread that knows none."""
    before = _SPOKEN.set(chosen)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def language() -> str:
    """The language chosen in the sidebar, else the browser's."""
    chosen = _SPOKEN.get() or st.session_state.get(KEY)
    return chosen if chosen in words.LANGUAGES else browser_language()


def browser_language() -> str:
    """Bokmål for Norwegian browsers, English for all others."""
    locale = str(st.context.locale or "")
    return "nb" if locale.lower()[:2] in ("nb", "no", "nn") else "en"


def t(text: str, /, **values: Any) -> str:
    """The sentence in the page's language, its places filled."""
    return words.translate(text, language(), **values)


def label(value: str) -> str:
    """What a stored word ("per_unit") is called."""
    return words.label(value, language())


def sentence(error: ForbliError) -> str:
    """What a refusal says."""
    return words.sentence(error, language())


def definition(word: str) -> str:
    """What a word of the glossary means: help texts quote it."""
    return meaning(word, language())


def plain(text: str) -> str:
    """Text of a customer or a file inside a label or markdown: shown as it is written, never interpreted."""
    return _MARKS.sub(r"\\\1", _SPACES.sub(" ", str(text)).strip())


def refusal(error: ForbliError) -> str:
    """What a refusal says, for markdown: names and typed text in it are shown as they are written."""
    return plain(sentence(error))
