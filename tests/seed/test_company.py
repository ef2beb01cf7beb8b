"""The demo company: the same every time, whole after a kill, with sound books and every way of charging."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Engine, event, func, select

from core.domain.errors import Conflict
from core.domain.plans import ChargeKind, ChargeModel
from core.reports.integrity import check
from core.store.engine import open_engine, reading
from core.store.tables import (
    METADATA,
    BillingCursor,
    ChargeRow,
    Document,
    DocumentLine,
    Revision,
    SubscriptionChange,
    core_table,
)
from seed.company import fill

AS_OF = date(2026, 11, 20)
SMALL = {"as_of": AS_OF, "customers": 150, "months": 7}


class Killed(Exception):
    """What stands in for a kill."""


@pytest.fixture
def twins(sqlite_template: Path, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases."""
    engines = []
    for name in ("one", "two"):
        shutil.copy(sqlite_template, tmp_path / f"{name}.db")
        engines.append(open_engine(f"sqlite:///{tmp_path / name}.db"))
    yield engines[0], engines[1]
    for engine in engines:
        engine.dispose()


def digest(engine: Engine) -> dict[str, str]:
    """A hash of every table's rows."""
    with reading(engine) as session:
        return {
            table.name: hashlib.sha256(
                repr([tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]).encode()
            ).hexdigest()
            for table in METADATA.sorted_tables
        }


def killed_after(engine: Engine, commits: int) -> None:
    """Let the filling die when it is about to commit for the next time after so many."""
    count = 0

    def die(_connection: object) -> None:
        nonlocal count
        count += 1
        if count > commits:
            raise Killed

    event.listen(engine, "commit", die)
    try:
        with pytest.raises(Killed):
            fill(engine, **SMALL)
    finally:
        event.remove(engine, "commit", die)


def test_a_filling_killed_three_times_ends_like_one_that_ran_through(twins: tuple[Engine, Engine]) -> None:
    straight, broken = twins
    fill(straight, **SMALL)
    for commits in (20, 40, 45):
        killed_after(broken, commits)
        with reading(broken) as session:
            assert session.execute(select(core_table(Revision).c.demo_state)).scalar() == "filling"
    fill(broken, as_of=date(2026, 12, 1))  # finished later, as it was asked for
    assert digest(broken) == digest(straight)


def test_the_company_is_sound_on_both_databases(engine: Engine) -> None:
    fill(engine, **SMALL)
    with reading(engine) as session:
        assert [finding.sentence() for finding in check(session)] == []
        assert session.execute(select(core_table(Revision).c.demo_state)).scalar() == "done"
        document, cursor = core_table(Document).c, core_table(BillingCursor).c
        assert session.execute(select(func.max(document.issue_date))).scalar() == AS_OF
        assert session.execute(select(func.min(cursor.next_due_on)).where(cursor.next_due_on > AS_OF)).scalar()
    with pytest.raises(Conflict, match="not empty"):
        fill(engine, **SMALL)


def test_every_kind_and_model_of_charge_is_billed(sqlite_engine: Engine) -> None:
    fill(sqlite_engine, as_of=AS_OF, customers=400, months=8)
    charge, line = core_table(ChargeRow).c, core_table(DocumentLine).c
    with reading(sqlite_engine) as session:
        billed = session.execute(
            select(charge.kind, charge.model).distinct().join_from(core_table(DocumentLine), core_table(ChargeRow), line.charge_id == charge.id)
        ).all()  # fmt: skip
        kinds = set(session.execute(select(core_table(SubscriptionChange).c.kind).distinct()).scalars())
        assert check(session) == []
    assert {kind for kind, _ in billed} == set(ChargeKind)
    assert {model for _, model in billed} == set(ChargeModel)
    assert kinds >= {"start", "trial", "price", "quantity", "addon", "coupon", "pause", "cancel", "undo"}


def test_earlier_history_is_taken_over_and_never_billed(sqlite_engine: Engine) -> None:
    fill(sqlite_engine, as_of=AS_OF, customers=150, months=8, invoiced=2)
    document, line = core_table(Document).c, core_table(DocumentLine).c
    with reading(sqlite_engine) as session:
        assert check(session) == []
        assert session.execute(select(func.min(document.issue_date))).scalar() == date(2026, 10, 1)
        # What falls due on or before the opening, 30 September, was billed by somebody else.
        advance = select(func.min(line.service_start)).where(line.timing == "in_advance")
        assert session.execute(advance).scalar() >= date(2026, 10, 1)
        started = session.execute(select(func.min(core_table(SubscriptionChange).c.effective_on))).scalar()
    assert started < date(2026, 5, 1)


def test_arrivals_add_up_to_the_customers_asked_for() -> None:
    from seed.archetypes import arrivals

    coming = arrivals(1_000, 36, 0.5)
    assert coming.sum() == 1_000
    assert coming[30:35].sum() > coming[:5].sum()
    assert pl.Series(coming).min() >= 0
