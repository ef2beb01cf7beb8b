"""The catalogues, read once: (context, English) → translation."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from core.domain.errors import ForbliError
from core.language.formats import day, instant, number

FOLDER = Path(__file__).parent
LANGUAGES = {"en": "English", "nb": "Norsk"}
VALUE = "value"  # context of words that stand in the database
ONE = "one"  # context of sentences whose {count} is one


def translate(text: str, language: str, /, **values: Any) -> str:
    """The sentence in a language with its places filled; dates and decimal numbers are written as the locale does."""
    template = _messages(language).get((None, text), text)
    if not values:
        return template
    if str(values.get("count", "")).strip("*") == "1":
        template = _messages(language).get((ONE, text), template)
    return template.format(**{name: _written(value, language) for name, value in values.items()})


def label(value: str, language: str) -> str:
    """What a stored word is called: "per_unit" → "per unit", "per enhet"."""
    return _messages(language).get((VALUE, str(value))) or str(value).replace("_", " ")


def sentence(error: ForbliError, language: str) -> str:
    """What a refusal says, with its hint."""
    said = translate(error.message, language, **error.values)
    return f"{said}. {translate(error.hint, language)}" if error.hint else said


def _written(value: Any, language: str) -> Any:
    """A value inside a sentence."""
    if isinstance(value, datetime):
        return instant(value, language)
    if isinstance(value, date):
        return day(value, language)
    if isinstance(value, Decimal):
        return number(value, language)
    if isinstance(value, Enum):
        return label(str(value.value), language)
    if isinstance(value, str):
        return _messages(language).get((VALUE, value), value)
    return value


@cache
def _messages(language: str) -> dict[tuple[str | None, str], str]:
    """All entries of a language; an entry without a translation is left out."""
    found: dict[tuple[str | None, str], str] = {}
    for file in sorted((FOLDER / language).glob("*.po")):
        with file.open("rb") as content:
            for message in read_po(content):
                if message.id and message.string:
                    found[message.context, str(message.id)] = str(message.string)
    return found
