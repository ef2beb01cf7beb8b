"""What codes, names and notes of the catalogue may say.

A name goes to invoices, e-invoices and spreadsheets: it is plain text there, so it may neither look like a formula nor
like markup.
"""

from __future__ import annotations

import re

from core.domain.errors import InvalidInput

LONGEST_CODE = 64
LONGEST_NAME = 200
LONGEST_NOTE = 2_000
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_CODE = re.compile(r"\w(?:[\w .\-]*\w)?")
_FORMULA = ("=", "+", "-", "@", "\uff1d")


def text_fault(text: str) -> str:
    """What makes a text unfit to be stored; nothing when it is fine."""
    if _UNREADABLE.search(text):
        return "The text holds characters that cannot be read, such as NUL; type it anew"
    if len(text) > LONGEST_NOTE:
        return "The text is longer than 2000 characters"
    return ""


def readable(text: str) -> str:
    """The text without blanks around it; refuses what cannot be stored."""
    fault = text_fault(text)
    if fault:
        raise InvalidInput(fault, code="unreadable_text")
    return text.strip()


def good_code(code: str) -> str:
    """A code that people can type and links can carry; refuses anything else."""
    cleaned = readable(code)
    if not cleaned:
        raise InvalidInput("A code is needed", code="no_code")
    if len(cleaned) > LONGEST_CODE or not _CODE.fullmatch(cleaned):
        raise InvalidInput(
            "“{text}” is no code: use up to 64 letters, digits, points, hyphens and underscores",
            code="bad_code", text=cleaned[:LONGEST_CODE],
        )  # fmt: skip
    return cleaned


def good_name(name: str) -> str:
    """A name as it will stand on invoices; refuses an empty one, a formula and markup."""
    cleaned = readable(name)
    if not cleaned:
        raise InvalidInput("A name is needed", code="no_name")
    if len(cleaned) > LONGEST_NAME:
        raise InvalidInput("A name has at most 200 characters", code="long_name")
    fault = name_fault(cleaned)
    if fault:
        raise InvalidInput(fault, code="bad_name", text=cleaned)
    return cleaned


def name_fault(name: str) -> str:
    """A sentence about {text} when it looks like a formula or like markup."""
    if name.startswith(_FORMULA):
        return "“{text}” would be read as a formula in a spreadsheet: begin the name with a letter or a digit"
    if "<" in name or ">" in name:
        return "“{text}” looks like markup: write the name without < and >"
    return ""
