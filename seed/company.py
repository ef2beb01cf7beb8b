"""The demo company: founded, then lived month by month through the product's own actions.

`fill` is deterministic: the same seed gives the same database content. It may be killed at any moment; called again it walks
the same way, and every command that was done already answers what it answered then (command ids are the months' own).
`Revision.demo_state` is "filling" until the last month is billed, then "done".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy import Engine, insert, select, update

from core.domain.errors import Conflict
from core.store.engine import reading, writing
from core.store.tables import Command, CompanyProfile, Customer, Revision, core_table
from seed.life import Life
from seed.story import Order, Story

FILLING, DONE = "filling", "done"
CUSTOMERS, MONTHS, SEED = 2_000, 36, 7
Progress = Callable[[float, str], None]


def fill(
    engine: Engine, *, as_of: date, customers: int = CUSTOMERS, months: int = MONTHS, invoiced: int | None = None,
    seed: int = SEED, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Fill an empty database, or finish a filling that was cut off, as it was asked for then.

    `invoiced`: how many months, the last ones, have invoices (all when None); what was before is taken over from another
    system and counts for metrics only. Raises Conflict for a database that holds something else.
    """
    billed = months if invoiced is None else max(1, min(invoiced, months))
    story = Story(engine, _claim(engine, Order(seed, customers, months, billed, as_of)))
    order = story.order
    tell = progress or (lambda _share, _sentence: None)
    tell(0.0, "Nordvarde AS")
    life = Life(story, story.found())
    for month, first in enumerate(story.firsts):
        if month > 0 and month >= order.months - order.invoiced:
            story.bill(f"{month}/bill", first, at=0)
        life.live(month)
        tell((month + 1) / (order.months + 1), f"{first:%Y-%m}")
    story.bill("last/bill", order.as_of, at=2)
    _set_state(engine, DONE)
    tell(1.0, f"{order.as_of:%Y-%m}")


# --- the state ------------------------------------------------------------------------------------------------------


def _claim(engine: Engine, order: Order) -> Order:
    """Note that the filling began, or answer the order of one that was cut off; refuses what holds anything else."""
    state, command = core_table(Revision).c.demo_state, core_table(Command).c
    with reading(engine) as session:
        known = [
            session.execute(select(core_table(model).c.id).limit(1)).first() for model in (CompanyProfile, Customer)
        ]
        if session.execute(select(state)).scalar() == FILLING:
            begun = session.execute(select(command.id).where(command.id.like("demo:%")).limit(1)).scalar()
            return order if begun is None else Order.read(begun)
    if any(known):
        raise Conflict(
            "This database is not empty; the demo company needs one of its own", code="not_empty",
            hint="Name an empty one in FORBLI_DATABASE_URL",
        )  # fmt: skip
    _set_state(engine, FILLING)
    return order


def _set_state(engine: Engine, state: str) -> None:
    table = core_table(Revision)
    with writing(engine) as session:
        changed = session.execute(update(table).values(demo_state=state, value=table.c.value + 1))
        if changed.rowcount == 0:  # type: ignore[attr-defined]
            session.execute(insert(table).values(id=1, value=1, demo_state=state))
