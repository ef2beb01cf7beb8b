"""Each trigger earns its place: with all of them no attack passes; with any one dropped, the attack it stands against does.

On SQLite with foreign keys off, so that nothing but the triggers stands in the way.
"""

import datetime as dt
import shutil

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from core.store.engine import open_engine, writing
from core.store.guards import APPEND_ONLY
from core.store.save import insert_many
from core.store.tables import (
    METADATA,
    ChargeRow,
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LedgerPosting,
    LedgerSeal,
    LineDiscount,
    TierRow,
)
from tests.store.books import JANUARY, MARCH, document, issue, line, posting, stage

APRIL = dt.date(2026, 4, 1)
CHANGES = {
    "document": "channel = 'x'",
    "customer_version": "country = 'SE'",
    "price_version": "note = 'x'",
    "charge": "name = 'x'",
    "tier": "flat_amount = '1'",
}
STATEMENTS = {
    **{
        f"{table}_refuse_update": f"UPDATE {table} SET {CHANGES[table]}"
        for table in ("document", "customer_version", "price_version", "charge", "tier")
    },
    **{
        f"{table}_refuse_delete": f"DELETE FROM {table}"
        for table in (*APPEND_ONLY, "price_version", "charge", "tier", "document_buyer")
    },
    "document_buyer_refuse_update": "UPDATE document_buyer SET name = 'x'",
}
for table in set(APPEND_ONLY) - set(CHANGES):
    column = METADATA.tables[table].c.keys()[-1]
    STATEMENTS[f"{table}_refuse_update"] = f"UPDATE {table} SET {column} = {column}"
INSERTS = {
    "charge_refuse_insert": [(ChargeRow, {"price_version_id": 1, "code": "x", "kind": "fixed", "model": "flat"})],
    "tier_refuse_insert": [(TierRow, {"charge_id": 1, "position": 5})],
    "document_line_refuse_insert": [(DocumentLine, line(service_start=MARCH, service_end=APRIL, period_end=APRIL))],
    "document_tax_refuse_insert": [(DocumentTax, {"document_id": 1, "treatment": "zero"})],
    "document_buyer_refuse_insert": [(DocumentBuyer, {"document_id": 2, "purge_after": MARCH})],
    "line_discount_refuse_insert": [(LineDiscount, {"line_id": 101, "grant_id": 1, "period_start": JANUARY})],
    "ledger_posting_refuse_insert": [(LedgerPosting, posting(1, "revenue", 0))],
    "ledger_seal_refuse_insert": [(LedgerSeal, {"entry_id": 9})],
    "document_line_refuse_overlap": [
        (Document, document(3)),
        (DocumentLine, line(document_id=3, service_end=dt.date(2026, 1, 15))),
    ],
}


@pytest.fixture(scope="module")
def issued_file(sqlite_template, tmp_path_factory):
    """A file with two issued documents, of which the second has lost its buyer."""
    file = tmp_path_factory.mktemp("issued") / "forbli.db"
    shutil.copy(sqlite_template, file)
    engine = open_engine(f"sqlite:///{file}")
    with writing(engine) as session:
        stage(session)
        issue(session)
        issue(session, 2, service_start=dt.date(2026, 5, 1), service_end=dt.date(2026, 6, 1))
    with engine.begin() as connection:
        kept = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'document_buyer_refuse_delete'"))
        guard = kept.scalar()
        connection.execute(text("DROP TRIGGER document_buyer_refuse_delete"))
        connection.execute(text("DELETE FROM document_buyer WHERE document_id = 2"))
        connection.exec_driver_sql(guard)
    engine.dispose()
    return file


@pytest.fixture
def issued(issued_file, tmp_path):
    file = tmp_path / "forbli.db"
    shutil.copy(issued_file, file)
    engine = open_engine(f"sqlite:///{file}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
    yield engine
    engine.dispose()


def passes(engine, name):
    """Does the attack that the trigger stands against get through?"""
    try:
        with writing(engine) as session:
            if name in STATEMENTS:
                session.execute(text(STATEMENTS[name]))
            for model, row in INSERTS.get(name, []):
                insert_many(session, model, [row])
    except IntegrityError:
        return False
    return True


def test_the_attacks_are_one_for_each_trigger(issued):
    with issued.connect() as connection:
        triggers = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
    assert triggers == set(STATEMENTS) | set(INSERTS)


@pytest.mark.parametrize("name", sorted({*STATEMENTS, *INSERTS}))
def test_the_attack_is_refused_with_the_trigger_and_passes_without_it(issued, name):
    assert not passes(issued, name)
    with issued.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {name}"))
    assert passes(issued, name)
