"""Mappings: what they may say, and the sentence for what they may not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.domain.errors import InvalidInput
from core.exchange.mapping import parse_mapping

MAPPINGS = Path(__file__).parents[2] / "seed" / "mappings"
SMALL = """
[plans.basic]
name = "Basic"
prices = [{ currency = "NOK", interval = "month", amount = "99.50" }]
[customer]
id = "nr"
name = "navn"
[subscription]
plan = "'basic'"
currency = "'NOK'"
interval = "'month'"
start = "DATE(fra)"
"""


def test_a_small_mapping_is_read() -> None:
    mapping = parse_mapping("[file]\nas_of = 2024-01-31\n" + SMALL)

    assert mapping.as_of == date(2024, 1, 31)
    assert mapping.plans["basic"].prices == {("NOK", "month"): Decimal("99.50")}
    assert list(mapping.sections) == ["customer", "subscription"]


@pytest.mark.parametrize("name", ["policies", "telco", "sample"])
def test_the_mappings_that_come_along_are_sound(name: str) -> None:
    assert "subscription" in parse_mapping((MAPPINGS / f"{name}.toml").read_text()).sections


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[customer", "The mapping is not TOML"),
        ("", "The mapping says nothing to read"),
        (SMALL + "[kunde]\nid = 'x'", "“kunde” means nothing in the mapping"),
        (SMALL.replace("start =", "begin ="), "“begin” means nothing in \\[subscription\\]"),
        (SMALL.replace('start = "DATE(fra)"', ""), "\\[subscription\\] of the mapping lacks “start”"),
        (SMALL.replace('start = "DATE(fra)"', "start = 2024-01-01"), "must be an SQL expression in quotes"),
        (SMALL.replace("NOK", "KRO", 1), "The currency KRO is not known"),
        (SMALL.replace('interval = "month"', 'interval = "moon"'), "The interval moon is not known"),
        (SMALL.replace("99.50", "99.505"), "99.505 has more decimals than NOK has"),
        (SMALL.replace("99.50", "-1"), "a price cannot be negative"),
        ('[file]\nseparator = ";;"\n' + SMALL, "The separator must be one character"),
        ('[file]\nencoding = "ebcdic"\n' + SMALL, "The encoding ebcdic is not known"),
        ('[file]\nas_of = "2024"\n' + SMALL, "as_of under \\[file\\] must be a date"),
        ("[usage]\nid = 'a'\nsubscription = 'b'\nmeter = 'c'", "\\[usage\\] of the mapping lacks “date”"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_place(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_mapping(text)
