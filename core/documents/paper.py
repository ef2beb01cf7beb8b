"""Make a PDF: a typst template beside this file, filled with data that are never markup.

The same content gives the same bytes. PDF/A-3a and PDF/UA-1: tagged, with language and title, fonts embedded (documents.md).
The bundled font is Inter (OFL), subset to Latin, Greek and Cyrillic; what it cannot write becomes a question mark, because
an archive document must not lose a character silently.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPLACEMENT = "?"
# What the subset was made of (first, last).
LETTERS = [
    (0x20, 0x7E), (0xA0, 0x148), (0x14A, 0x17F), (0x18F, 0x18F), (0x192, 0x192), (0x1A0, 0x1A1), (0x1AF, 0x1B0), (0x218, 0x21B),
    (0x386, 0x38A), (0x38E, 0x3A1), (0x3A3, 0x3CE), (0x400, 0x45F), (0x490, 0x491), (0x1EA0, 0x1EF9), (0x2010, 0x2015), (0x2018, 0x201E), (0x2020, 0x2022),
    (0x2026, 0x2026), (0x2030, 0x2030), (0x2032, 0x2033), (0x2039, 0x203A), (0x20A0, 0x20BF), (0x2116, 0x2116), (0x2122, 0x2122),
    (0x2190, 0x2193), (0x2212, 0x2212), (0x2248, 0x2248), (0x2260, 0x2260), (0x2264, 0x2265),
]  # fmt: skip


@cache
def _letters() -> frozenset[str]:
    return frozenset(chr(code) for first, last in LETTERS for code in range(first, last + 1)) | {"\n"}


def writable(value: Any) -> Any:
    """The content with every text in letters that the font has; keys stay."""
    if isinstance(value, str):
        known = _letters()
        return "".join(
            letter if letter in known else " " if letter in "\t\u2009\u202f" else REPLACEMENT for letter in value
        )
    if isinstance(value, dict):
        return {key: writable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [writable(each) for each in value]
    return value


def pdf(template: str, content: dict[str, Any], title: str, language: str) -> bytes:
    """The filled template as PDF bytes. `language` is a code of the document's language ("nb", "en")."""
    import typst

    whole = writable({**content, "title": title, "language": language})
    made: bytes = typst.compile(
        HERE / f"{template}.typ",
        root=HERE,
        font_paths=[HERE / "fonts"],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"content": json.dumps(whole, ensure_ascii=False)},
        pdf_standards=["a-3a", "ua-1"],
        timestamp=0,
    )
    return made
