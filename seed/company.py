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
from core.store.tables import CompanyProfile, Customer, Revision, core_table
from seed.life import Life
from seed.story import Story, months_until

FILLING, DONE = "filling", "done"
CUSTOMERS, MONTHS, SEED = 2_000, 36, 7
Progress = Callable[[float, str], None]


def fill(
    engine: Engine, *, as_of: date, customers: int = CUSTOMERS, months: int = MONTHS, invoiced: int | None = None,
    seed: int = SEED, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Fill an empty database, or go on where an earlier call with the same arguments was stopped.

    `invoiced`: how many months, the last ones, have invoices (all when None); what was before is taken over from another
    system and counts for metrics only. Raises Conflict for a database that holds something else.
    """
    _claim(engine)
    billed = months if invoiced is None else min(invoiced, months)
    story = Story(engine, seed, months_until(as_of, months), billed)
    tell = progress or (lambda _share, _sentence: None)
    tell(0.0, "Nordvarde AS")
    life = Life(story, story.found(), customers)
    for month, first in enumerate(story.firsts):
        if month > 0 and month >= months - billed:
            story.bill(f"{month}/bill", first, at=0)
        life.live(month)
        tell((month + 1) / (months + 1), f"{first:%Y-%m}")
    story.bill("last/bill", as_of, at=2)
    _set_state(engine, DONE)
    tell(1.0, f"{as_of:%Y-%m}")


# --- the state ------------------------------------------------------------------------------------------------------


def _claim(engine: Engine) -> None:
    """Note that the filling began; refuses a database that holds anything else."""
    state, company, customer = core_table(Revision).c.demo_state, CompanyProfile, Customer
    with reading(engine) as session:
        if session.execute(select(state)).scalar() == FILLING:
            return
        known = [session.execute(select(core_table(model).c.id).limit(1)).first() for model in (company, customer)]
    if any(known):
        raise Conflict(
            "This database is not empty; the demo company needs one of its own", code="not_empty",
            hint="Name an empty one in FORBLI_DATABASE_URL",
        )  # fmt: skip
    _set_state(engine, FILLING)


def _set_state(engine: Engine, state: str) -> None:
    table = core_table(Revision)
    with writing(engine) as session:
        changed = session.execute(update(table).values(demo_state=state, value=table.c.value + 1))
        if changed.rowcount == 0:  # type: ignore[attr-defined]
            session.execute(insert(table).values(id=1, value=1, demo_state=state))
