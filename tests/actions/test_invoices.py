"""The billing run as an action: who may, what it refuses, what it says, and that a dry run is the same without writing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine

from core.actions.invoices import hold, run_billing
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotPermitted
from core.store.audit import AuditHead, holds_head
from core.store.engine import reading
from core.store.tables import BillingRun, BooksClosed, Parked
from tests.world import NOW, STAMP, World, assert_books_hold, charge, fixed, tier

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(engine: Engine) -> World:
    """Three customers who are due."""
    made = World(engine)
    plan = made.plan(fixed("100"), charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    for _ in range(3):
        made.start(made.customer(), plan, JANUARY)
    return made


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRODUCT, Role.SUPPORT, None])
def test_only_finance_and_administrators_issue(world: World, role: Role | None) -> None:
    actor = Actor("Vera", role) if role else None
    with pytest.raises(NotPermitted):
        run_billing(world.engine, actor, now=NOON, through=JANUARY)
    assert world.documents() == []
    assert run_billing(world.engine, Actor("Finn", Role.FINANCE), now=NOON, through=JANUARY).documents == 3


def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(world: World) -> None:
    dry = world.bill(JANUARY, dry_run=True)
    assert (world.documents(), world.rows(BillingRun)) == ([], [])

    real = world.bill(JANUARY)
    for name in ("documents", "credit_notes", "lines", "net_minor", "total_minor", "review"):
        assert getattr(dry, name) == getattr(real, name)
    assert real.total_minor == {"NOK": 3 * 12_500}


def test_a_run_reports_the_end_of_the_audit_chain(world: World) -> None:
    result = world.bill(JANUARY)
    world.bill(FEBRUARY)

    with reading(world.engine) as session:
        assert holds_head(session, AuditHead(result.audit_entries, result.audit_hash))
        assert not holds_head(session, AuditHead(result.audit_entries + 1, result.audit_hash))


def test_progress_rises_to_the_whole_and_nothing_due_is_no_run(world: World) -> None:
    told: list[tuple[float, str]] = []
    world.bill(JANUARY, chunk_customers=2, progress=lambda share, words: told.append((share, words)))
    assert told == [(2 / 3, "2 / 3"), (1.0, "3 / 3")]

    assert world.bill(date(2026, 1, 2)).run_id is None
    assert len(world.rows(BillingRun)) == 1


def test_nothing_is_dated_into_closed_books(world: World) -> None:
    world.add(BooksClosed, through=JANUARY, reason="Årsoppgjør", **STAMP)
    with pytest.raises(
        Conflict, match="The books are closed through 2026-01-01; a document cannot be dated 2026-01-01"
    ):
        world.bill(JANUARY)
    assert world.documents() == []

    later = run_billing(world.engine, SYSTEM, now=NOON, through=JANUARY, issue_date=date(2026, 1, 2))
    assert later.documents == 3


def test_a_held_customer_waits_and_after_the_release_everything_is_billed_at_once(world: World) -> None:
    world.hold(1, held=True)
    assert world.bill(JANUARY).documents == 2
    assert world.bill(FEBRUARY).documents == 2
    world.hold(1, held=False)
    world.bill(FEBRUARY)

    last = world.documents()[-1]
    assert (last.customer_id, last.net_minor) == (1, 20_000)
    assert_books_hold(world)


def test_a_hold_needs_a_reason(world: World) -> None:
    with pytest.raises(InvalidInput, match="Say why"):
        hold(world.engine, SYSTEM, "h", NOW, customer_id=1, held=True, reason="  ")


def test_a_customer_that_cannot_be_billed_is_parked_with_the_reason_and_the_others_are_billed(world: World) -> None:
    swede = world.customer(country="SE")
    world.start(swede, world.plan(fixed("100")), JANUARY)
    result = world.bill(JANUARY)

    assert (result.documents, result.review) == (3, {"unknown_vat_treatment": 1})
    (parked,) = world.rows(Parked)
    assert (parked.customer_id, parked.message) == (swede, "No VAT rule fits this customer; add one in Settings")
    assert_books_hold(world)


def test_yen_and_dinar_are_billed_in_their_own_minor_units(engine: Engine) -> None:
    from core.store.tables import CurrencyRate

    world = World(engine)
    for currency, price, rate in (("JPY", "1500", "0.07"), ("KWD", "1.005", "33")):
        world.add(CurrencyRate, currency=currency, on_date=JANUARY, rate=rate, **STAMP)
        world.start(world.customer(), world.plan(fixed(price), currency=currency), JANUARY, currency=currency)
    result = world.bill(JANUARY)

    assert result.net_minor == {"JPY": 1_500, "KWD": 1_005}
    assert result.total_minor == {"JPY": 1_875, "KWD": 1_256}
    assert [document.tax_in_company_currency_minor for document in world.documents()] == [2_625, 828]
