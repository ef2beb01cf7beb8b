"""The check of the books finds each thing that can be wrong with them, by its rule, and nothing in sound ones."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, text

from core.reports.integrity import check
from core.store.engine import reading
from tests.world import World, charge, fixed, tier

JANUARY = date(2026, 1, 1)

# What somebody with the right to drop triggers might do → the rules that notice.
TAMPERED = {
    "UPDATE document_line SET net_minor = net_minor + 1 WHERE id = 1": {"totals"},
    "UPDATE document SET net_minor = net_minor + 1, total_minor = total_minor + 1 WHERE id = 1": {"totals", "vat_total", "ledger_document"},
    "UPDATE document_tax SET tax_minor = tax_minor + 2 WHERE id = 1": {"vat_total", "vat_rate"},
    "DELETE FROM line_discount": {"discounts"},
    "UPDATE ledger_posting SET amount_minor = amount_minor + 1 WHERE id = 1": {"ledger_entry", "ledger_document"},
    "UPDATE number_series SET last = last + 1": {"number_gap"},
    "UPDATE audit_entry SET actor = 'nobody' WHERE id = 2": {"audit_chain"},
    "UPDATE document_line SET counts_as_billed = false WHERE id = 3": {"period"},
    "INSERT INTO subscription_change (id, subscription_id, kind, effective_on, recorded_at, author, command_id, price_version_id,"
    " item, credit, cause, reason) SELECT 900, subscription_id, 'cancel', effective_on, recorded_at, author, command_id,"
    " NULL, '', 'credit', '', '' FROM subscription_change WHERE id = 1": set(),
}  # fmt: skip


@pytest.fixture
def world(engine: Engine) -> World:
    """Two months of a customer with a fee, usage and a coupon."""
    made = World(engine)
    plan = made.plan(fixed("100"), charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    subscription = made.start(made.customer(), plan, JANUARY)
    made.change(
        subscription, "coupon", JANUARY, coupon_id=made.coupon(kind="percent", rate_ppm=100_000, duration="forever")
    )
    made.bill(JANUARY)
    made.use(subscription, "kwh", date(2026, 1, 9), 10)
    made.bill(date(2026, 2, 1))
    return made


def unguarded(engine: Engine, statement: str) -> None:
    """Run a statement as the table owner could: without triggers and foreign keys."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(statement))
        connection.commit()


@pytest.mark.parametrize("statement", TAMPERED)
def test_each_touch_of_the_books_is_found_by_the_rule_that_it_breaks(world: World, statement: str) -> None:
    with reading(world.engine) as session:
        assert check(session) == []
    unguarded(world.engine, statement)

    with reading(world.engine) as session:
        assert {finding.code for finding in check(session)} == TAMPERED[statement]


def test_a_period_billed_twice_is_named_with_its_subscription(world: World) -> None:
    columns = (
        "subscription_id, price_version_id, charge_id, kind, service_start, service_end, period_start, period_end, "
    )
    columns += "timing, revision, counts_as_billed, quantity_micro, period_amount_minor, period_discount_minor, "
    columns += "amount_minor, discount_minor, net_minor, tax_treatment, tax_rate_ppm, document_id, position"
    unguarded(world.engine, "DROP INDEX uq_document_line_billed_once")
    unguarded(
        world.engine, f"INSERT INTO document_line (id, {columns}) SELECT 900, {columns} FROM document_line WHERE id = 1"
    )

    with reading(world.engine) as session:
        found = {finding.code: finding.sentence() for finding in check(session)}
    assert found["duplicate"] == "Subscription 1 was billed the same charge twice for 2026-01-01 to 2026-02-01"
