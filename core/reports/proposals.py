"""What a change of subscriptions would append: the same decision as the action's, on the facts as stored, writing nothing.

A proposal can be laid over what is stored (`ahead.py`), so that its effect is what the engine would bill. A request is a row
of a frame, as for the actions of the same name (core/actions/subscriptions.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.changes.adjusting import decide_adjustments
from core.calc.changes.agreeing import AGREED_REQUESTS, decide_agreed
from core.calc.changes.coupons import decide_coupon_end, decide_grant
from core.calc.changes.deciding import NEW_FACTS, Decision, asked
from core.calc.changes.service import decide_cancel, decide_pause, decide_resume, decide_trial
from core.calc.changes.standing import Circumstances
from core.calc.changes.starting import START_REQUESTS, decide_start
from core.calc.changes.terms import decide_addon, decide_price, decide_quantity
from core.calc.changes.undoing import UNDO_REQUESTS, decide_undo
from core.domain.subscriptions import Refusal, refusal
from core.store import billing, load
from core.store import subscriptions as stored
from core.store.known import ids_of
from core.store.tables import PriceVersion, Subscription, core_table

FIRST_IMAGINED = 10**15  # ids of what exists in memory only, above all that are stored
DECIDE: dict[str, Callable[[pl.DataFrame, Circumstances], Decision]] = {
    "change_price": decide_price,
    "change_quantity": decide_quantity,
    "change_addon": decide_addon,
    "grant_coupon": decide_grant,
    "end_coupon": decide_coupon_end,
    "pause": decide_pause,
    "resume": decide_resume,
    "cancel": decide_cancel,
    "change_trial": decide_trial,
}


@dataclass(frozen=True)
class Proposal:
    """What would be appended. `facts`: CHANGES under imagined ids, + row, the request that they follow from.

    `subscriptions`, `states`: SUBSCRIPTIONS and BILLING_STATES of new subscriptions. `refused`: row, code, error - what the
    action would raise.
    """

    facts: pl.DataFrame
    subscriptions: pl.DataFrame
    states: pl.DataFrame
    refused: list[dict[str, Any]]
    adjustments: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.ADJUSTMENTS))

    @property
    def changes(self) -> pl.DataFrame:
        """The facts as CHANGES."""
        return frames.conform(self.facts, frames.CHANGES)


def propose(session: Session, action: str, requests: pl.DataFrame, today: date) -> Proposal:
    """Decide as the action "subscriptions.…" would; `action` is a key of DECIDE, "start", "undo" or "approve_price"."""
    if action == "start":
        return _start(session, requests, today)
    if action == "adjust":
        return _adjusted(session, requests, today)
    if action == "approve_price":
        return _proposal(_agreed(session, requests, today))
    if action == "undo":
        return _proposal(_undo(session, requests, today))
    known = Circumstances.of(stored.change_inputs(session, requests, today))
    return _proposal(DECIDE[action](requests, known))


def _adjusted(session: Session, requests: pl.DataFrame, today: date) -> Proposal:
    """One-off charges and credits, as if they were approved."""
    good, refused = decide_adjustments(requests, Circumstances.of(stored.change_inputs(session, requests, today)))
    made = _proposal(Decision(frames.empty(NEW_FACTS), refused))
    numbered = good.with_columns(adjustment_id=pl.int_range(FIRST_IMAGINED, FIRST_IMAGINED + pl.len(), dtype=pl.Int64))
    return replace(made, adjustments=frames.conform(numbered, frames.ADJUSTMENTS))


def _agreed(session: Session, requests: pl.DataFrame, today: date) -> Decision:
    """Agreed prices by their ids, as if they were approved."""
    version = core_table(PriceVersion).c
    columns = [
        version.subscription_id,
        version.id.label("price_version_id"),
        version.valid_from.label("effective_on"),
        version.expires_on,
    ]
    statement = select(*columns).where(load.among(session, version.id, requests["price_version_id"]))
    wanted = load.frame(session, statement, AGREED_REQUESTS)
    return decide_agreed(wanted, Circumstances.of(stored.change_inputs(session, wanted, today)))


def _undo(session: Session, requests: pl.DataFrame, today: date) -> Decision:
    wanted = asked(requests, UNDO_REQUESTS)
    owners = stored.owners_of(session, wanted["change_id"].drop_nulls())
    known = Circumstances.of(stored.change_inputs(session, owners.to_frame(), today))
    return decide_undo(requests, known, stored.commands_of(session, owners))


def _start(session: Session, requests: pl.DataFrame, today: date) -> Proposal:
    """New subscriptions under imagined ids."""
    wanted = asked(requests, START_REQUESTS)
    customers = stored.known_customers(session, wanted["customer_id"].drop_nulls().unique())
    taken = ids_of(session, Subscription, "external_id", wanted["external_id"].drop_nulls().unique())["external_id"]
    known = Circumstances.of(stored.change_inputs(session, requests, today))
    made, decision = decide_start(requests, known, customers, taken, FIRST_IMAGINED)
    return _proposal(
        decision,
        frames.conform(made.rename({"start_on": "started_on"}), frames.SUBSCRIPTIONS),
        frames.conform(made.rename({"start_on": "started_on"}).drop("billed_through"), billing.BILLING_STATES),
    )


def _proposal(
    decision: Decision, subscriptions: pl.DataFrame | None = None, states: pl.DataFrame | None = None
) -> Proposal:
    """The decision with ids, and its refusals in words."""
    ids = pl.int_range(FIRST_IMAGINED, FIRST_IMAGINED + pl.len(), dtype=pl.Int64)
    refused = [
        {"row": row["row"], "code": row["code"], "error": refusal(Refusal(row["code"]), row)}
        for row in decision.refused.sort("row").iter_rows(named=True)
    ]
    return Proposal(
        decision.facts.with_columns(change_id=ids),
        frames.empty(frames.SUBSCRIPTIONS) if subscriptions is None else subscriptions,
        frames.empty(billing.BILLING_STATES) if states is None else states,
        refused,
    )


def owners(session: Session, subscription_ids: load.Ids) -> pl.Series:
    """The customers whose documents a change of these subscriptions touches."""
    return load.subscriptions(session, subscription_ids)["customer_id"].unique(maintain_order=True)
