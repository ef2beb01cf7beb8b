"""Both languages are complete: every sentence a person can see has its bokmål, with the same places."""

from __future__ import annotations

import ast
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from core.domain.invoices import REVIEW_SENTENCES
from core.language import translate
from core.language.glossary import words

ROOT = Path(__file__).parents[1]
REFUSALS = {"InvalidInput", "NotFound", "Conflict", "NotPermitted"}
FINDINGS = {"Finding": 3, "BookFinding": 2}  # at which place the sentence stands
CATALOGUES = sorted((ROOT / "core" / "language" / "nb").glob("*.po"))


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in core and pages with the name of what is called."""
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("pages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an argument may be: a literal, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def sentences() -> set[str]:
    """Every sentence of the screens, the refusals and the findings."""
    found = set(REVIEW_SENTENCES.values())
    for called, node in calls():
        if called == "t" and node.args:
            found.update(literals(node.args[0]))
        elif called in REFUSALS and node.args:
            found.update(literals(node.args[0]))
            found.update(text for word in node.keywords if word.arg == "hint" for text in literals(word.value))
        elif called in FINDINGS and len(node.args) > FINDINGS[called]:
            found.update(literals(node.args[FINDINGS[called]]))
    return found - {""}


def entries() -> list[tuple[str | None, str, str]]:
    """Context, English and bokmål of every entry of every catalogue."""
    listed = []
    for file in CATALOGUES:
        with file.open("rb") as content:
            listed += [(each.context, str(each.id), str(each.string)) for each in read_po(content) if each.id]
    return listed


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_has_its_bokmaal() -> None:
    known = {english for context, english, bokmaal in entries() if context is None and bokmaal}
    assert sorted(sentences() - known) == []


def test_places_agree() -> None:
    assert [english for _, english, bokmaal in entries() if places(english) != places(bokmaal)] == []


def test_no_sentence_stands_twice() -> None:
    counted = Counter((context, english) for context, english, _ in entries())
    assert [entry for entry, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("language", ["en", "nb"])
def test_a_sentence_is_filled_in_either_language(language: str) -> None:
    assert "7" in translate("There is no invoice {number}", language, number=7)


def test_every_word_of_the_glossary_has_both_languages() -> None:
    assert [word.en for word in words().values() if not all(word)] == []


def test_no_element_of_a_page_gets_a_bare_text() -> None:
    bare = []
    for path in [*ROOT.glob("core/ui/*.py"), *ROOT.glob("pages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if _is_element(node) and node.args and any(" " in text for text in literals(node.args[0])):
                bare.append(f"{path.name}:{node.lineno}")
    assert bare == []


def _is_element(node: ast.AST) -> bool:
    """Is this a call such as st.button(…)?"""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "st"
    )
