"""Reads of invoices: the list, the explanation, what is to come, and the review before a run."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from core.domain.errors import NotFound
from core.reports.billing_review import review
from core.reports.invoice_list import Filters, every_row, page, runs, sums
from core.reports.invoices import explained, upcoming
from core.store.engine import reading
from tests.world import World, charge, fixed, tier


def metered_world(engine: Engine) -> tuple[World, int, int]:
    """A customer with a fee of 100 and 2 per kWh."""
    world = World(engine)
    plan = world.plan(fixed("100"), charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    customer = world.customer()
    return world, customer, world.start(customer, plan, date(2026, 1, 1))


def test_the_bridge_explains_the_difference_to_the_last_invoice_to_the_minor_unit(engine: Engine) -> None:
    world, _, subscription = metered_world(engine)
    world.bill(date(2026, 1, 1))
    world.use(subscription, "kwh", date(2026, 1, 9), 10.5)
    world.bill(date(2026, 2, 1))

    with reading(engine) as session:
        view = explained(session, "F2026-000002")

    assert view.previous is not None
    parts = {(row["part"], row["code"]): row["amount_minor"] for row in view.bridge.iter_rows(named=True)}
    assert parts == {("charge", "kwh"): 2_100, ("vat", ""): 525}
    assert sum(parts.values()) == view.head["total_minor"] - view.previous["total_minor"]
    assert view.buyer["name"] == "Ås Ødegård"


def test_an_unknown_number_is_refused_in_words(engine: Engine) -> None:
    World(engine)
    with reading(engine) as session, pytest.raises(NotFound, match="There is no invoice F1"):
        explained(session, "F1")


def test_the_list_is_filtered_sorted_and_summed(engine: Engine) -> None:
    world, _, subscription = metered_world(engine)
    world.bill(date(2026, 1, 1))
    world.change(subscription, "cancel", date(2026, 1, 2), credit="credit")
    world.bill(date(2026, 1, 2))

    filters = Filters(customer="K2")
    with reading(engine) as session:
        assert sums(session, filters).rows() == [("NOK", 2, 10_000 - 9_677, 2_500 - 2_419, 12_500 - 12_096)]
        rows = page(session, filters, "largest", number=1, size=50, count=2)
        assert rows["kind"].to_list() == ["invoice", "credit_note"]
        pieces = list(every_row(session, filters, "smallest", size=1))
        assert [piece["number"].to_list() for piece in pieces] == [["K2026-000001"], ["F2026-000001"]]
        assert runs(session).select("documents", "left_out").rows() == [(1, 0), (1, 0)]
        for nothing in (Filters(text="100%_"), Filters(currency="SEK"), Filters(customer="K3"), Filters(run_id=9)):
            assert sums(session, nothing).is_empty()
        for both in ("ødegård", "Ås", "K2"):
            assert sums(session, Filters(text=both))["count"].to_list() == [2]
        for one in ("f2026-000001", "K2026-0", "2600000018"):
            assert sums(session, Filters(text=one))["count"].to_list() == [1]
        assert sums(session, Filters(issued_from=date(2026, 1, 2), kind="credit_note"))["count"].to_list() == [1]


def test_pages_are_the_same_from_either_end(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("100"))
    for _ in range(7):
        world.start(world.customer(), plan, date(2026, 1, 1))
    world.bill(date(2026, 1, 1))

    with reading(engine) as session:
        pages = [
            page(session, Filters(), "newest", number=number, size=3, count=7)["document_id"].to_list()
            for number in (1, 2, 3)
        ]
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


def test_the_upcoming_invoice_is_what_the_run_then_issues(engine: Engine) -> None:
    world, customer, subscription = metered_world(engine)
    world.bill(date(2026, 1, 1))
    world.use(subscription, "kwh", date(2026, 1, 9), 10)

    with reading(engine) as session:
        ahead = upcoming(session, customer, date(2026, 1, 20))
    assert ahead is not None
    day, made = ahead
    world.bill(day)

    assert day == date(2026, 2, 1)
    assert made.documents["total_minor"].to_list() == [world.documents()[1].total_minor]


def test_the_review_shows_what_the_run_would_issue_and_whose_usage_is_missing(engine: Engine) -> None:
    world, customer, _ = metered_world(engine)
    with reading(engine) as session:
        seen = review(session, date(2026, 2, 1), date(2026, 2, 1))
    issued = world.bill(date(2026, 2, 1))

    assert seen.totals()["total_minor"].to_list() == [issued.total_minor["NOK"]]
    assert seen.usage.select("customer_id", "sign").rows() == [(customer, "missing")]
    assert seen.plans["net_minor"].sum() == issued.net_minor["NOK"]
