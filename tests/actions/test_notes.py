"""Notes pinned to a customer: what the next person should know, replaced and taken down, never overwritten."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from core.actions.notes import pin_note
from core.domain.access import Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.reports.asides import notes
from core.store.engine import reading
from core.store.tables import CustomerNote
from tests.world import NOW, World

SARA = Actor("Sara", Role.SUPPORT)


@pytest.fixture
def world(engine: Engine) -> World:
    found = World(engine)
    found.customer()
    return found


def pin(world: World, command: str, text: str, **more: int) -> None:
    pin_note(world.engine, SARA, command, NOW, **{"customer_id": 1, "text": text, **more})


def up(world: World) -> list[str]:
    with reading(world.engine) as session:
        return [row["text"] for row in notes(session, 1)]


def test_a_note_is_up_until_it_is_replaced_or_taken_down(world: World) -> None:
    pin(world, "a", "Ring før kl. 9")
    pin(world, "b", "Betaler sent")
    assert up(world) == ["Betaler sent", "Ring før kl. 9"]
    pin(world, "c", "Ring etter kl. 9", replaces_id=1)
    pin(world, "d", "", replaces_id=2)
    assert up(world) == ["Ring etter kl. 9"]
    assert len(world.rows(CustomerNote)) == 4


def test_two_people_cannot_replace_the_same_note(world: World) -> None:
    pin(world, "a", "Ring før kl. 9")
    pin(world, "b", "Ring aldri", replaces_id=1)
    with pytest.raises(Conflict, match="changed this note meanwhile"):
        pin(world, "c", "Ring alltid", replaces_id=1)


@pytest.mark.parametrize("text", ["", "   ", "x" * 501, "a\0b"])
def test_a_note_says_something_that_fits(world: World, text: str) -> None:
    with pytest.raises(InvalidInput):
        pin(world, "a", text)
    assert up(world) == []


def test_a_note_needs_its_customer(world: World) -> None:
    with pytest.raises(NotFound):
        pin(world, "a", "Hei", customer_id=99)
