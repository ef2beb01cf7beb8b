"""What a change of a subscription does to the customer's bills, before anybody confirms it.

The next invoice days without and with the change, by the engine (`ahead.py`), and what the subscriptions are worth a month.
Amounts in minor units; credit notes are negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calc.billing.price_limits import named_by_charge
from core.calc.recurring import monthly
from core.calc.threads import inlined
from core.domain.errors import ForbliError
from core.reports.ahead import Ahead, ahead
from core.reports.proposals import Proposal, propose
from core.reports.subscriber_base import base_of
from core.store import load
from core.store.tables import ChargeRow, Plan, PriceVersion, Subscription, core_table

TURNS = 3
_MONEY = ["net_minor", "tax_minor", "total_minor"]
INVOICES: dict[str, Any] = {
    "day": pl.Date, "currency": pl.String,
    **{f"{side}_{name}": pl.Int64 for side in ("before", "after") for name in _MONEY},
}  # fmt: skip
LINES: dict[str, Any] = {
    "charge": pl.String, "plan": pl.String, "kind": pl.String, "service_start": pl.Date, "service_end": pl.Date,
    "quantity_micro": pl.Int64, "convert_by": pl.String, "period_amount_minor": pl.Int64, "amount_minor": pl.Int64, "discount_minor": pl.Int64,
    "net_minor": pl.Int64, "period_start": pl.Date, "period_end": pl.Date,
}  # fmt: skip
Request = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Effect:
    """What a change does. `error`: why it is refused; everything else is empty then.

    `effective_on`: the first day of what it appends. `worth`: currency → (before, after), list MRR on that day.
    `invoices`: INVOICES, a row an invoice day and currency, without and with the change. `lines`: LINES of the first day
    that differs, with the change; `lines_on` is that day. `review`: codes of what somebody must decide before billing.
    """

    error: ForbliError | None
    effective_on: date | None
    worth: dict[str, tuple[int, int]]
    invoices: pl.DataFrame
    lines_on: date | None
    lines: pl.DataFrame
    review: list[str]

    @property
    def first(self) -> dict[str, Any] | None:
        """The first invoice day that differs."""
        changed = self.invoices.filter(pl.col("before_total_minor") != pl.col("after_total_minor"))
        return changed.row(0, named=True) if changed.height else None


def effect(session: Session, customer_id: int, action: str, request: Request, today: date) -> Effect:
    """The effect of one request (column, value pairs) to the action "subscriptions.…" on its customer's bills."""
    return effects(session, customer_id, action, (request,), today)[0]


@inlined
def effects(
    session: Session, customer_id: int, action: str, requests: tuple[Request, ...], today: date
) -> list[Effect]:
    """The effects of alternative requests, each for itself."""
    # One more than is shown: a change that brings a document today moves the others back by one.
    before = ahead(session, [customer_id], today, None, TURNS + 1)
    proposals = [
        propose(session, action, pl.DataFrame([dict(request)], infer_schema_length=None), today) for request in requests
    ]
    return [_effect(session, customer_id, proposal, today, before) for proposal in proposals]


def _effect(session: Session, customer_id: int, proposal: Proposal, today: date, before: Ahead) -> Effect:
    if proposal.refused:
        nothing = pl.DataFrame(schema=INVOICES)
        return Effect(proposal.refused[0]["error"], None, {}, nothing, None, pl.DataFrame(schema=LINES), [])
    after = ahead(session, [customer_id], today, proposal, TURNS)
    invoices = _compared(before, after)
    first_day = pl.concat([proposal.facts["effective_on"], proposal.adjustments["effective_on"]]).min()
    assert isinstance(first_day, date), "a change has a day"
    differing = invoices.filter(pl.col("before_total_minor") != pl.col("after_total_minor"))["day"]
    lines_on = differing[0] if differing.len() else (invoices["day"][0] if invoices.height else None)
    return Effect(
        None, first_day, _worth(session, customer_id, proposal, max(first_day, today)), invoices, lines_on,
        _lines(session, after, lines_on), after.review["code"].unique(maintain_order=True).to_list(),
    )  # fmt: skip


def _compared(before: Ahead, after: Ahead) -> pl.DataFrame:
    """INVOICES of the first days: as many as are known on both sides."""
    sides = {"before": _sums(before), "after": _sums(after)}
    both = sides["before"].join(sides["after"], on=["day", "currency"], how="full", coalesce=True, suffix="_after")
    named = both.rename(
        {name: f"before_{name}" for name in _MONEY} | {f"{name}_after": f"after_{name}" for name in _MONEY}
    )
    known = named.sort("day", "currency").with_columns(pl.col(name).fill_null(0) for name in list(INVOICES)[2:])
    until = _known_until(after, TURNS), _known_until(before, TURNS + 1)
    for last in until:
        if last is not None:
            known = known.filter(pl.col("day") <= last)
    return known.select(list(INVOICES)).filter(pl.col("day").rank("dense") <= TURNS)


def _known_until(side: Ahead, turns: int) -> date | None:
    """The last day that was looked at, None when everything that will ever come is known."""
    if side.documents.is_empty() or side.documents["turn"].max() < turns:  # type: ignore[operator]
        return None
    last = side.documents["day"].max()
    assert isinstance(last, date)
    return last


def _sums(side: Ahead) -> pl.DataFrame:
    """day, currency and what its documents sum to."""
    if side.documents.is_empty():
        return pl.DataFrame(schema={name.removeprefix("before_"): kind for name, kind in list(INVOICES.items())[:5]})
    return side.documents.group_by("day", "currency").agg(pl.col(_MONEY).sum())


def _worth(session: Session, customer_id: int, proposal: Proposal, day: date) -> dict[str, tuple[int, int]]:
    """List MRR of the customer's subscriptions on a day, without and with the change, per currency."""
    stored = load.changes(session, _subscriptions(session, customer_id))
    sums = []
    for changes in (stored, pl.concat([stored, proposal.changes])):
        standing = base_of(session, changes, day).standing if changes.height else None
        rows = () if standing is None else standing.group_by("currency").agg(pl.col("list_twelfths").sum()).iter_rows()
        sums.append({currency: monthly(worth) for currency, worth in rows})
    return {currency: (sums[0].get(currency, 0), sums[1].get(currency, 0)) for currency in sorted({*sums[0], *sums[1]})}


def _subscriptions(session: Session, customer_id: int) -> list[int]:
    table = core_table(Subscription).c
    return list(session.execute(select(table.id).where(table.customer_id == customer_id)).scalars())


def _lines(session: Session, after: Ahead, on: date | None) -> pl.DataFrame:
    """LINES of a day with the names of their charge and plan."""
    if after.lines.is_empty() or on is None:
        return pl.DataFrame(schema=LINES)
    lines = named_by_charge(after.lines.filter(pl.col("day") == on).sort("document", "position"))
    charge, version, plan = (core_table(model).c for model in (ChargeRow, PriceVersion, Plan))
    charges = load.frame(
        session,
        select(charge.id.label("charge_id"), charge.name.label("charge"), charge.convert_by).where(
            load.among(session, charge.id, lines["charge_id"].drop_nulls().unique())
        ),
        {"charge_id": pl.Int64, "charge": pl.String, "convert_by": pl.String},
    )
    plans = load.frame(
        session,
        select(version.id.label("price_version_id"), plan.name.label("plan"))
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(load.among(session, version.id, lines["price_version_id"].unique())),
        {"price_version_id": pl.Int64, "plan": pl.String},
    )
    named = lines.join(charges, on="charge_id", how="left", maintain_order="left").join(
        plans, on="price_version_id", how="left", maintain_order="left"
    )
    return named.with_columns(pl.coalesce("charge", "kind").alias("charge")).select(
        pl.col(name).cast(kind) for name, kind in LINES.items()
    )
