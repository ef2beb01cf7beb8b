"""The words of `core/GLOSSARY.md`, quoted as help on the pages: one meaning each, English and bokmål.

### MRR · månedlig gjentakende inntekt
What the running subscriptions bring in a month …

*nb:* Det de løpende abonnementene gir i måneden …
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[1] / "GLOSSARY.md"
NORWEGIAN = "*nb:* "


class Word(NamedTuple):
    """A word and what it means, in both languages."""

    en: str
    nb: str
    meaning_en: str
    meaning_nb: str


def meaning(word: str, language: str) -> str:
    """What a word means; an unknown word is our own bug."""
    found = words()[word.lower()]
    return found.meaning_nb if language == "nb" else found.meaning_en


@cache
def words() -> dict[str, Word]:
    """All words by their English name in lower case."""
    found = {}
    for entry in FILE.read_text(encoding="utf-8").split("\n### ")[1:]:
        head, _, body = entry.partition("\n")
        en, _, nb = head.partition(" · ")
        paragraphs = [
            " ".join(part.split()) for part in body.split("\n\n") if part.strip() and not part.startswith("#")
        ]
        norwegian = [part.removeprefix(NORWEGIAN) for part in paragraphs if part.startswith(NORWEGIAN)]
        english = [part for part in paragraphs if not part.startswith(NORWEGIAN)]
        found[en.strip().lower()] = Word(en.strip(), nb.strip(), english[0], norwegian[0])
    return found
