"""Every role on every page: what it may do stands ready, what it may not is off or absent (issue of each page says the words).

The table is the promise on screen; that the actions refuse as well is in tests/actions/test_permissions.py.
"""

from __future__ import annotations

from datetime import date

import pytest

from core.store.tables import Person
from tests.apps import open_page
from tests.world import World, charge, fixed, tier

NOW = "2026-06-15T10:00:00+00:00"
CHANGERS = {"support", "admin"}
# page, what the address asks for, the button's words, who may press it
BUTTONS = [
    ("customers", {"customer": "K2"}, "Change plan", CHANGERS),
    ("customers", {"customer": "K2"}, "Quantity", CHANGERS),
    ("customers", {"customer": "K2"}, "Cancel …", CHANGERS),
    ("customers", {"customer": "K2"}, "New subscription", CHANGERS),
    ("plans", {}, "New plan", {"product", "admin"}),
    ("invoices", {"view": "run"}, "Issue 2 documents", {"finance", "admin"}),
    ("settings", {"section": "people"}, "Add", {"admin"}),
    ("settings", {"section": "company"}, "Save from 15 Jun 2026", {"finance", "admin"}),
]


@pytest.mark.parametrize("role", ["viewer", "product", "support", "finance", "admin"])
def test_each_role_may_press_what_is_its_own(sqlite_engine, monkeypatch, role):
    world = World(sqlite_engine)
    plan = world.plan(fixed("100"), charge("seat", "seat", "per_unit", tier(unit="10")), valid_from=date(2025, 1, 1))
    for _ in range(2):
        world.start(world.customer(), plan, date(2026, 6, 1), 3)
    person = world.add(Person, name="Kim", email="kim@forbli.no", role=role)
    seen = {}
    for page, query, words, may in BUTTONS:
        key = (page, *query.items())
        if key not in seen:
            seen[key] = open_page(monkeypatch, sqlite_engine, page, person=person, now=NOW, **query)
            assert not seen[key].exception
        # Off until something was typed is another reason than the role; the help says which of the two it is.
        allowed = [
            button for button in seen[key].button
            if button.label == words and not (button.disabled and "Your role may not do this" in (button.help or ""))
        ]  # fmt: skip
        assert bool(allowed) == (role in may), (page, words)
