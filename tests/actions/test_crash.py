"""Killed in the middle, run twice, by eight at once, with a failure at any step: the books hold, and a rerun completes them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import copy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from core.actions import command, invoices
from core.actions.invoices import run_billing
from core.domain.access import SYSTEM
from core.domain.errors import Conflict
from core.store.engine import open_engine, reading
from core.store.tables import BillingCursor, Document, DocumentLine, LedgerEntry, NumberSeries, core_table
from tests.apps import ROOT, url_of
from tests.conftest import database
from tests.world import World, assert_books_hold, charge, fixed, tier

DAY = date(2026, 2, 1)
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
CUSTOMERS, CHUNK = 60, 7


def due(engine: Engine) -> World:
    """Sixty customers who are due for January's usage and February's fee."""
    made = World(engine)
    plan = made.plan(fixed("100"), charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    for place in range(CUSTOMERS):
        subscription = made.start(made.customer(), plan, date(2026, 1, 1))
        made.use(subscription, "kwh", date(2026, 1, 9), place)
    engine.dispose()
    return made


@pytest.fixture(scope="module")
def sqlite_due(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Built once in a file to copy."""
    file = tmp_path_factory.mktemp("due") / "forbli.db"
    shutil.copy(sqlite_template, file)
    return due(open_engine(f"sqlite:///{file}"))


@pytest.fixture(scope="module")
def postgres_due(postgres_server: str, postgres_template: str) -> Iterator[World]:
    """Built once in a database to copy; nobody stays connected to it."""
    with database(postgres_server, postgres_template) as url:
        yield due(open_engine(url))


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A copy of its own of the sixty customers who are due."""
    made = copy(request.getfixturevalue("sqlite_due" if request.param == "sqlite" else "postgres_due"))
    name = str(made.engine.url.database)
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{shutil.copy(name, tmp_path)}"
        else:
            url = stack.enter_context(database(request.getfixturevalue("postgres_server"), name))
        made.engine = open_engine(url)
        yield made
        made.engine.dispose()


def run(engine: Engine, **more: Any) -> invoices.RunResult:
    """The run of the first of February in small chunks."""
    return run_billing(engine, SYSTEM, now=NOON, through=DAY, chunk_customers=CHUNK, **more)


def digest(engine: Engine) -> list[Any]:
    """What was billed, whatever the numbers: subscription, days, amounts; and that numbers run from one on."""
    line, document = core_table(DocumentLine), core_table(Document)
    columns = (line.c.subscription_id, line.c.kind, line.c.service_start, line.c.service_end, line.c.net_minor)
    statement = select(*columns, document.c.total_minor).join_from(line, document, document.c.id == line.c.document_id)
    with reading(engine) as session:
        sequences = session.execute(select(document.c.sequence).order_by(document.c.sequence)).scalars().all()
        assert sequences == list(range(1, len(sequences) + 1))
        return sorted(tuple(row) for row in session.execute(statement))


def counts(engine: Engine) -> list[int]:
    """Rows that a run writes, and the counter of the numbers."""
    with reading(engine) as session:
        tables = (Document, DocumentLine, LedgerEntry, BillingCursor)
        rows = [session.execute(select(func.count()).select_from(core_table(table))).scalar_one() for table in tables]
        last = session.execute(select(func.coalesce(func.sum(core_table(NumberSeries).c.last), 0))).scalar_one()
        return [*rows, int(last)]


EXPECTED = sorted(
    (place + 1, kind, start, end, net, (20_000 + place * 200) * 125 // 100)
    for place in range(CUSTOMERS)
    for kind, start, end, net in (
        ("fixed", date(2026, 1, 1), DAY, 10_000), ("fixed", DAY, date(2026, 3, 1), 10_000),
        *([("usage", date(2026, 1, 1), DAY, place * 200)] if place else []),
    )
)  # fmt: skip

RUNNER = """
import sys, time
from tests.actions.test_crash import run
from core.store.engine import open_engine
engine = open_engine(sys.argv[1])
print("ready", flush=True)
run(engine, progress=lambda share, words: print(words, flush=True))
"""


def start_and_kill(url: str, delay_seconds: float) -> None:
    """Start the run in a process of its own and kill it so long after it has begun."""
    process = subprocess.Popen([sys.executable, "-c", RUNNER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_at_random_moments_the_books_hold_each_time_and_a_rerun_completes_them(world: World) -> None:
    dice = random.Random(20260201)
    whole_chunks = set()
    for _ in range(4):
        start_and_kill(url_of(world.engine), dice.uniform(0.02, 0.25))
        assert_books_hold(world)
        whole_chunks.add(len(world.documents()))
    run(world.engine)

    assert all(count % CHUNK == 0 or count == CUSTOMERS for count in whole_chunks)
    assert digest(world.engine) == EXPECTED
    assert run(world.engine).documents == 0
    assert_books_hold(world)


def test_eight_threads_that_run_the_same_day_bill_each_customer_once(world: World) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda each: run(world.engine, command_id=f"thread {each}"), range(8)))

    assert sum(result.documents for result in results) == CUSTOMERS
    assert digest(world.engine) == EXPECTED
    assert_books_hold(world)


def test_two_engines_on_one_database_do_not_bill_twice(world: World) -> None:
    other = open_engine(url_of(world.engine))
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda each: run(each, command_id=repr(each is other)), (world.engine, other)))
    other.dispose()

    assert sum(result.documents for result in results) == CUSTOMERS
    assert digest(world.engine) == EXPECTED


class Breakdown(Exception):
    """A failure that a test injects."""


STEPS: dict[str, tuple[Any, str]] = {
    "claimed": (invoices, "draft_for"),
    "numbered": (invoices, "documents_to_save"),
    "cursors moved": (invoices, "_move_cursors"),
    "documents saved": (invoices, "_save"),
    "audited": (command, "_record"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_after_any_step_leaves_nothing_and_the_number_is_used_again(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    run_billing(world.engine, SYSTEM, now=NOON, through=DAY, customer_ids=[1, 2, 3], command_id="first")
    before = counts(world.engine)
    with monkeypatch.context() as patch:
        break_after(patch, *STEPS[step], calls=2 if step == "audited" else 1)
        with pytest.raises(Breakdown):
            run(world.engine)
    assert counts(world.engine) == before
    assert_books_hold(world)

    run(world.engine)
    assert digest(world.engine) == EXPECTED
    assert_books_hold(world)


def break_after(patch: pytest.MonkeyPatch, module: Any, name: str, *, calls: int) -> None:
    """Let a step do its work, then fail, at its n-th call."""
    original: Callable[..., Any] = getattr(module, name)
    seen = 0

    def broken(*arguments: Any, **named: Any) -> Any:
        nonlocal seen
        answer = original(*arguments, **named)
        seen += 1
        if seen == calls:
            raise Breakdown
        return answer

    patch.setattr(module, name, broken)


def test_the_same_command_twice_is_one_run_and_with_other_content_a_conflict(world: World) -> None:
    first = run(world.engine, command_id="monthly")
    second = run(world.engine, command_id="monthly")
    with pytest.raises(Conflict):
        invoices.start_run(world.engine, SYSTEM, "monthly/start", NOON, through=date(2026, 3, 1), issue_date=DAY)

    assert (first.documents, second.documents) == (CUSTOMERS, 0)
    assert digest(world.engine) == EXPECTED


def test_a_command_that_is_sent_again_still_bills_what_was_learned_meanwhile(world: World) -> None:
    run(world.engine, command_id="monthly")
    world.use(1, "kwh", date(2026, 1, 20), 5)
    run(world.engine, command_id="monthly")

    assert world.lines()[-1].amount_minor == 1_000
    assert_books_hold(world)


def test_what_changes_between_finding_and_issuing_is_billed_as_it_is_when_issued(world: World) -> None:
    """A cancellation that lands after the run has found who is due is honoured by the chunk that comes after it."""
    last = CUSTOMERS

    def cancel_the_last(_: float, words: str) -> None:
        if words.startswith("7 "):
            world.change(last, "cancel", DAY)

    run(world.engine, progress=cancel_the_last)
    kinds = [line.service_start for line in world.lines() if line.subscription_id == last and line.kind == "fixed"]
    assert kinds == [date(2026, 1, 1)]
    assert_books_hold(world)
