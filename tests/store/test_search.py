"""Search finds customers by everything they are called, and by the numbers of their documents; text is literal."""

from datetime import date

import polars as pl
import pytest

from core.actions.customers import create_customers
from core.domain.access import SYSTEM
from core.store.engine import reading
from core.store.search import find, sequences
from core.store.tables import Document
from tests.world import NOW, World, fixed

ROWS = [
    ("K100", "Åse Øverås", "ase@post.no", ""), ("K200", "50% Rabatt_AS", "r@post.no", "923609016"),
    ("K300", "Ola O'Hara", "", ""),
]  # fmt: skip


@pytest.fixture
def world(engine):
    found = World(engine)
    names = ["external_id", "name", "emails", "organisation_number"]
    rows = pl.DataFrame(ROWS, schema=names, orient="row").with_columns(kind=pl.lit("business"))
    found.ids = create_customers(engine, SYSTEM, "c", NOW, requests=rows)["customer_ids"]
    return found


def hits(world, text):
    with reading(world.engine) as session:
        found = find(session, text).to_list()
    return [ROWS[world.ids.index(key)][0] for key in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("øver", ["K100"]), ("ÅSE", ["K100"]), ("verå", ["K100"]), ("ase@post", ["K100"]), ("k20", ["K200"]),
        ("923609", ["K200"]), ("50%", ["K200"]), ("t_a", ["K200"]), ("o'h", ["K300"]), ("o ola", ["K300"]), ("verå øver", ["K100"]), ("øver, verå", ["K100"]), ("øver ola", []), ("overas", ["K100"]), ("åse overas", ["K100"]),
        ("ø", ["K100"]), ("r", ["K200"]), ("o'", ["K300"]), ("%", []), ("_", []), ("\0", []), ("", []),
        ('"--;', []), ("\\", []), ("x" * 10_000, []),
    ],
)  # fmt: skip
def test_text_is_taken_literally_and_one_or_two_characters_begin_a_word(world, text, expected):
    assert hits(world, text) == expected


def test_a_document_is_found_by_the_beginning_of_its_number_and_by_its_digits(world):
    version = world.plan(fixed("100"))
    world.start(world.ids[1], version, date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    (document,) = world.rows(Document)
    assert document.number == "F2026-000001"
    for text in ("F2026-000001", "f2026-0000", "1", "000001"):
        assert "K200" in hits(world, text), text
    assert hits(world, "F2026-000002") == hits(world, "F2027-000001") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f2026-0001", [(100, 199)]), ("f2026-000123", [(123, 123)]), ("123", [(123, 123)]), ("f2026-", []),
        ("f2025-1", []), ("f2026-12", [(120_000, 129_999), (1_200_000, 1_299_999)]), ("9999999", []),
    ],
)  # fmt: skip
def test_numbers_that_begin_with_the_text(text, expected):
    assert sequences(text, "F", 2026, 2_000_000) == expected
