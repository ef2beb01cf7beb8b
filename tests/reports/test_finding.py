"""Everything is found by a few letters, exact ids first, on both databases."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from sqlalchemy import Engine

from core.actions.customers import create_customers
from core.reports.finding import Hit, find
from core.store.engine import reading
from tests.story import Story
from tests.world import fixed


@pytest.fixture
def story(engine: Engine) -> Story:
    told = Story(engine)
    people = pl.DataFrame(
        {"external_id": ["K77", "K78"], "name": ["Åse Ødegård", "Kari Bø"], "kind": ["consumer", "consumer"],
         "emails": ["ase@post.no", "kari@post.no"], "city": ["Mo i Rana", "Bodø"]}
    )  # fmt: skip
    ase, _ = told.send(create_customers, requests=people)["customer_ids"]
    told.begin(told.plan(fixed("100"), code="pro"), date(2026, 1, 1), customer_id=ase)
    told.bill_on(date(2026, 1, 1))
    return told


def hits(story: Story, text: str) -> list[Hit]:
    with reading(story.engine) as session:
        return find(session, text, date(2026, 1, 2))


@pytest.mark.parametrize(
    ("text", "kind", "title"),
    [
        ("ødeg", "customer", "Åse Ødegård"),
        ("KARI@", "customer", "Kari Bø"),
        ("k78", "customer", "Kari Bø"),
        ("S-0000", "subscription", "S-000001"),
        ("s-000001", "subscription", "S-000001"),
        ("F2026-000001", "document", "F2026-000001"),
        ("pro", "plan", "plan"),
    ],
)
def test_a_few_letters_find_it_first(story: Story, text: str, kind: str, title: str) -> None:
    first = hits(story, text)[0]
    assert (first.kind, first.title.lower()) == (kind, title.lower())


def test_a_subscription_opens_on_its_customers_page(story: Story) -> None:
    first = hits(story, "S-000001")[0]
    assert (first.page, dict(first.query)) == ("customers", {"customer": "K77", "subscription": "S-000001"})
    assert first.detail == "Åse Ødegård"


@pytest.mark.parametrize("text", ["", "  ", "%", "_", "zzz", "\0", "x" * 500, "' or 1=1 --"])
def test_what_is_called_nothing_finds_nothing(story: Story, text: str) -> None:
    assert hits(story, text) == []


def test_who_is_called_exactly_that_comes_before_who_merely_contains_it(story: Story) -> None:
    names = ["Liv Johansen", "Hansesen Bygg", "Berit Hansen"]
    people = pl.DataFrame({"external_id": ["K1", "K2", "K3"], "name": names, "kind": ["consumer"] * 3})
    story.send(create_customers, requests=people)
    assert [hit.title for hit in hits(story, "hansen")] == ["Berit Hansen", "Liv Johansen"]
    assert [hit.title for hit in hits(story, "hanse")] == ["Hansesen Bygg", "Berit Hansen", "Liv Johansen"]
