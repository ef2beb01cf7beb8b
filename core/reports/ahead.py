"""The documents that come next, invoice by invoice, also with changes that are only proposed.

The billing engine itself, in memory: each day is drafted as a run would draft it, its lines then count as billed, and the
next day is drafted on top. Nothing is written. One customer is a batch of one. Amounts in minor units of each document's
currency; signs as on `Draft`: a credit note is negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl
from sqlalchemy.orm import Session

from core import frames
from core.calc.billing.documents import Draft, draft
from core.calc.timeline import next_due, timeline
from core.frames import BillingInputs
from core.reports.proposals import Proposal
from core.store import billing, load

SUB, CUSTOMER = "subscription_id", "customer_id"
HORIZON = timedelta(days=3 * 366)  # three yearly invoices; usage beyond today is not known anyway
FRUITLESS = 12  # days without a document before we stop looking for a customer's next one
FIRST_IMAGINED = 10**15  # ids of lines that exist in memory only


@dataclass(frozen=True)
class Ahead:
    """What comes. `documents`: Draft's columns + turn (1, 2, 3 … of each customer), day. `lines`, `taxes`: + turn, day.

    `document` is unique over all of them. `review`: customer_id, code - who cannot be billed before somebody decides.
    `days`: customer_id, day - the runs that were supposed: one today, one on each day on which something falls due.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    taxes: pl.DataFrame
    review: pl.DataFrame
    days: pl.DataFrame


def ahead(
    session: Session, customer_ids: load.Ids, today: date, proposal: Proposal | None = None, turns: int = 1
) -> Ahead:
    """The next `turns` invoice days of each customer from today on, with the proposal's changes in force if there is one."""
    books = _opened(session, customer_ids, today, proposal)
    waiting = _first_days(books.states, today)
    drafts: list[Draft] = []
    days: list[pl.DataFrame] = []
    for _ in range(turns + FRUITLESS):
        for (day,), some in waiting.group_by("day", maintain_order=True):
            assert isinstance(day, date), "customers wait for a day"
            customers = load.customers(session, day, some[CUSTOMER])
            made = _apart(books.bill(day, some[CUSTOMER], customers), len(drafts))
            drafts.append(made)
            served = pl.col(CUSTOMER).is_in(made.documents[CUSTOMER].implode())
            days.append(some.select(CUSTOMER, day=pl.lit(day), served=served))
        waiting = _next_days(books, waiting, days, turns, today)
        if waiting.is_empty():
            break
    return _collected(drafts, days)


def billed_through(
    session: Session, customer_ids: load.Ids, today: date, through: date, proposal: Proposal | None = None
) -> Draft:
    """What one run through a later day would bill these customers, with the proposal's changes in force if there is one."""
    books = _opened(session, customer_ids, today, proposal)
    owners = books.states[CUSTOMER].unique()
    return books.bill(through, owners, load.customers(session, today, owners))


@dataclass
class _Books:
    """What is known and, as drafts are made, what counts as billed. `states`: BILLING_STATES."""

    inputs: BillingInputs
    states: pl.DataFrame
    next_line: int = FIRST_IMAGINED

    def bill(self, day: date, customer_ids: pl.Series, customers: pl.DataFrame) -> Draft:
        """Draft the day for these customers as a run would, and count its lines as billed."""
        here = pl.col(CUSTOMER).is_in(customer_ids.implode())
        new = pl.col("billed_through").is_null() & (pl.col("started_on") <= day)
        adjusted = self.inputs.adjustments.filter(pl.col("effective_on") <= day)
        due = (
            new | (pl.col("next_due_on") <= day) | pl.col("unseen_from").is_not_null()
            | pl.col(SUB).is_in(adjusted[SUB].implode())
        )  # fmt: skip
        not_beyond = pl.col("billed_through").is_null() | (pl.col("billed_through") <= day)
        some = self.states.filter(here & due & not_beyond)
        scope = billing.scope_of(some, self._changes_of(some), day)
        facts = replace(self.inputs.facts, changes=self._changes_of(some))
        own = self.inputs.adjustments.join(some.select(SUB), on=SUB, how="semi", maintain_order="left")
        made = draft(replace(self.inputs, facts=facts, scope=scope, customers=customers, adjustments=own), day)
        self._count(made, some, day)
        return made

    def _changes_of(self, some: pl.DataFrame) -> pl.DataFrame:
        return self.inputs.facts.changes.join(some.select(SUB), on=SUB, how="semi", maintain_order="left")

    def _count(self, made: Draft, some: pl.DataFrame, day: date) -> None:
        """The lines are billed, the coupons used, and the subscriptions have seen everything."""
        numbered = made.lines.with_columns(line_id=pl.col("line") + self.next_line, due_on=pl.lit(day))
        self.next_line += made.lines.height
        used = made.shares.join(numbered.select("line", "line_id"), on="line")
        self.inputs = replace(
            self.inputs,
            billed=pl.concat([self.inputs.billed, frames.conform(numbered, frames.LINES)]),
            adjustments=self.inputs.adjustments.join(
                numbered.select("adjustment_id"), on="adjustment_id", how="anti", maintain_order="left"
            ),
            used=pl.concat([self.inputs.used, frames.conform(used, frames.USED_DISCOUNTS)]),
        )
        coming = next_due(timeline(self._changes_of(some), self.inputs.facts.versions), pl.lit(day))
        billed = some.select(SUB, _billed=pl.lit(day)).join(coming.select(SUB, _next="next_due_on"), on=SUB, how="left")
        after = self.states.join(billed, on=SUB, how="left", maintain_order="left")
        was = pl.col("_billed").is_not_null()
        self.states = after.with_columns(
            billed_through=pl.coalesce("_billed", "billed_through"),
            unseen_from=pl.when(~was).then("unseen_from"),
            next_due_on=pl.when(was).then("_next").otherwise("next_due_on"),
        ).drop("_billed", "_next")


def _opened(session: Session, customer_ids: load.Ids, today: date, proposal: Proposal | None) -> _Books:
    """Everything that drafts of these customers read, with the proposed facts among the stored ones."""
    stored = billing.billing_states(session, customer_ids)
    states = stored if proposal is None else _touched(stored, proposal)
    # Whatever may be compared later: from the last billing on, or from the first day that something speaks about.
    since = pl.min_horizontal("unseen_from", "billed_through", pl.lit(today))
    looked_at = states.with_columns(unseen_from=pl.when(pl.col("billed_through").is_not_null()).then(since))
    loaded = billing.inputs(session, looked_at, today + HORIZON, today)
    if proposal is None:
        return _Books(loaded, states)
    changes = pl.concat([loaded.facts.changes, proposal.changes]).sort(SUB, "effective_on", "change_id")
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    inputs = replace(
        loaded,
        facts=frames.Facts(changes, *prices, usage=loaded.facts.usage),
        subscriptions=pl.concat([loaded.subscriptions, proposal.subscriptions]),
        adjustments=pl.concat([loaded.adjustments, proposal.adjustments]),
    )
    return _Books(inputs, pl.concat([states, proposal.states]))


def _touched(states: pl.DataFrame, proposal: Proposal) -> pl.DataFrame:
    """Proposed facts are seen by no billing yet; those about what another system billed belong to it (extend_openings)."""
    facts = proposal.facts.group_by(SUB).agg(
        first_on=pl.col("effective_on").min(), last_on=pl.col("effective_on").max(), last_id=pl.col("change_id").max()
    )
    joined = states.join(facts, on=SUB, how="left", maintain_order="left")
    billed = pl.col("billed_through").is_not_null()
    taken_over = (
        (pl.col("opening") == pl.col("billed_through"))
        & (pl.col("last_on") <= pl.col("opening"))
        & pl.col("unseen_from").is_null()
    ).fill_null(False)
    return joined.with_columns(
        unseen_from=pl.when(billed & ~taken_over).then(pl.min_horizontal("unseen_from", "first_on")),
        opening_change_id=pl.when(taken_over).then("last_id").otherwise("opening_change_id"),
    ).drop("first_on", "last_on", "last_id")


def _first_days(states: pl.DataFrame, today: date) -> pl.DataFrame:
    """customer_id, day, tried: a run today, or on the day up to which a customer was billed ahead."""
    first = states.group_by(CUSTOMER, maintain_order=True).agg(day=pl.col("billed_through").max())
    return first.select(CUSTOMER, day=pl.max_horizontal("day", pl.lit(today)))


def _next_days(books: _Books, tried: pl.DataFrame, days: list[pl.DataFrame], turns: int, today: date) -> pl.DataFrame:
    """customer_id, day: the next day on which something falls due for customers that still miss documents."""
    begins = pl.when(pl.col("billed_through").is_null()).then("started_on")
    adjusted = books.inputs.adjustments.select(SUB, "effective_on").join(books.states.select(SUB, CUSTOMER), on=SUB)
    due = pl.concat([
        books.states.select(CUSTOMER, on=pl.coalesce(begins, "next_due_on")), adjusted.select(CUSTOMER, on="effective_on"),
    ])  # fmt: skip
    each = due.join(tried, on=CUSTOMER)
    ahead = each.filter((pl.col("on") > pl.col("day")) & (pl.col("on") <= today + HORIZON))
    following = ahead.group_by(CUSTOMER, maintain_order=True).agg(day=pl.col("on").min())
    if not days:
        return following
    enough = pl.concat(days).group_by(CUSTOMER).agg(pl.col("served").sum()).filter(pl.col("served") >= turns)
    return following.join(enough, on=CUSTOMER, how="anti", maintain_order="left")


def _apart(made: Draft, at: int) -> Draft:
    """The draft with document numbers of its own."""
    shift = pl.col("document") + at * FIRST_IMAGINED
    return replace(
        made,
        documents=made.documents.with_columns(shift),
        lines=made.lines.with_columns(shift),
        taxes=made.taxes.with_columns(shift),
    )


def _collected(drafts: list[Draft], days: list[pl.DataFrame]) -> Ahead:
    """All drafts together, each customer's invoice days counted."""
    if not drafts:
        return _NOTHING
    dated = [(made, pl.lit(some["day"].first())) for made, some in zip(drafts, days, strict=True)]
    documents = pl.concat([made.documents.with_columns(day=day) for made, day in dated])
    documents = documents.with_columns(turn=pl.col("day").rank("dense").over(CUSTOMER).cast(pl.Int64))
    place = documents.select("document", "turn", "day")
    return Ahead(
        documents,
        pl.concat([made.lines for made in drafts]).join(place, on="document", maintain_order="left"),
        pl.concat([made.taxes for made in drafts]).join(place, on="document", maintain_order="left"),
        pl.concat([made.review for made in drafts]).unique(maintain_order=True),
        pl.concat(days).select(CUSTOMER, "day"),
    )


_NONE = pl.DataFrame()
_NOTHING = Ahead(_NONE, _NONE, _NONE, pl.DataFrame(schema={CUSTOMER: pl.Int64, "code": pl.String}), _NONE)
