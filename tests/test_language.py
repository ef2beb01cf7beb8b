"""Both languages are complete: every sentence a person can see has its bokmål, with the same places, and none is idle."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from babel.messages.pofile import read_po

from core.language import formats, label, translate
from core.language.glossary import words
from tests.words import ROOT, bare_texts, said, spoken, stored_words, written

CATALOGUES = sorted((ROOT / "core" / "language" / "nb").glob("*.po"))


def entries() -> list[tuple[str | None, str, str]]:
    """Context, English and bokmål of every entry of every catalogue."""
    listed = []
    for file in CATALOGUES:
        with file.open("rb") as content:
            listed += [(each.context, str(each.id), str(each.string)) for each in read_po(content) if each.id]
    return listed


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_search_finds_sentences_of_every_floor() -> None:
    assert "Invoices" in spoken()
    everywhere = {place.file.split("/")[1] for place in said().values()}
    assert {"domain", "calc", "store", "exchange", "actions", "reports"} <= everywhere


def test_every_sentence_has_its_bokmaal() -> None:
    known = {english for context, english, bokmaal in entries() if context is None and bokmaal}
    missing = {text: place for text, place in {**said(), **spoken()}.items() if text not in known}
    assert missing == {}


def test_every_stored_word_has_its_bokmaal() -> None:
    known = {english for context, english, bokmaal in entries() if context == "value" and bokmaal}
    assert {word: kind for word, kind in stored_words().items() if word not in known} == {}
    assert label("half_year", "nb") == "halvår"


def test_no_entry_is_idle() -> None:
    used = written()
    assert [english for context, english, _ in entries() if context is None and english not in used] == []


def test_a_sentence_about_one_is_that_of_many() -> None:
    """Its words in both languages, for a sentence that there is."""
    used = written()
    alone = [english for context, english, _ in entries() if context == "one"]
    assert [english for english in alone if english not in used] == []
    assert [translate("{count} documents", each, count=n) for each in ("en", "nb") for n in (1, "1", "**1**", 2)] == [
        "1 document", "1 document", "**1** document", "2 documents", "1 dokument", "1 dokument", "**1** dokument", "2 dokumenter",
    ]  # fmt: skip


def test_places_agree() -> None:
    several = [(english, bokmaal) for context, english, bokmaal in entries() if context != "one"]
    assert [english for english, bokmaal in several if places(english) != places(bokmaal)] == []
    alone = [(english, bokmaal) for context, english, bokmaal in entries() if context == "one"]
    assert [english for english, bokmaal in alone if not places(bokmaal) <= places(english)] == []


def test_no_sentence_stands_twice() -> None:
    counted = Counter((context, english) for context, english, _ in entries())
    assert [entry for entry, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("language", ["en", "nb"])
def test_a_sentence_is_filled_in_either_language(language: str) -> None:
    assert "7" in translate("There is no invoice {number}", language, number=7)


def test_every_word_of_the_glossary_has_both_languages() -> None:
    assert [word.en for word in words().values() if not all(word)] == []


def test_no_element_of_a_page_gets_a_bare_text() -> None:
    assert bare_texts() == []


@pytest.mark.parametrize(
    ("amount_minor", "en", "nb"),
    [
        (999_999_900, "9,999,999 kr", "9 999 999 kr"),
        (48_225_762_300, "482.3M kr", "482,3 mill. kr"),
        (-4_822_576_230_000, "−48.2B kr", "−48,2 mrd. kr"),
    ],
)
def test_a_large_amount_is_short_on_a_small_card(amount_minor: int, en: str, nb: str) -> None:
    written = [formats.short_money(amount_minor, "NOK", language).replace("\u00a0", " ") for language in ("en", "nb")]
    assert written == [en, nb]
