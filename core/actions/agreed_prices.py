"""Prices agreed with one subscription: asked for by one person, approved or declined by another.

A proposal is a draft price version that belongs to its subscription. Approving publishes it and appends the change, and the
change back on the day on which it runs out (calc/changes/agreeing.py).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import delete, update

from core.actions.changing import change
from core.actions.command import Answer, Work, command
from core.actions.prices import insert_agreed, require_version
from core.calc.changes.agreeing import decide_agreed
from core.domain.access import SYSTEM, Permission
from core.domain.errors import Conflict, NotPermitted
from core.domain.plans import PriceStatus, PriceTerms
from core.store import catalogue
from core.store.tables import PriceVersion, core_table


@command("agreements.propose", Permission.CHANGE_SUBSCRIPTIONS)
def propose_price(
    work: Work, *, subscription_id: int, terms: PriceTerms, reason: str, effective_on: date, expires_on: date | None = None
) -> Answer:  # fmt: skip
    """Ask for prices of one subscription's own; `expires_on` is the first day without them. Nothing changes yet."""
    version_id = insert_agreed(
        work,
        subscription_id=subscription_id,
        terms=terms,
        reason=reason,
        valid_from=effective_on,
        expires_on=expires_on,
    )
    work.audit(f"subscription:{subscription_id}", "proposed_price")
    return {"price_version_id": version_id}


@command("agreements.approve", Permission.PUBLISH_PRICES)
def approve_price(work: Work, *, price_version_id: int) -> Answer:
    """Publish agreed prices and put them in force; whoever asked for them cannot."""
    row = _proposal(work, price_version_id)
    if work.actor != SYSTEM and row.author == work.author:
        raise NotPermitted("An agreed price needs a second person: you cannot approve your own", code="four_eyes")
    table = core_table(PriceVersion)
    work.session.execute(
        update(table).where(table.c.id == price_version_id).values(
            status=PriceStatus.PUBLISHED.value, published_at=work.now, published_by=work.author, approved_by=work.author
        )
    )  # fmt: skip
    work.audit(f"price_version:{price_version_id}", "status", "approved_by")
    return change(work, agreed_request(row), decide_agreed, partial=False)


@command("agreements.withdraw", Permission.CHANGE_SUBSCRIPTIONS)
def withdraw_price(work: Work, *, price_version_id: int) -> Answer:
    """Take one's own proposal back."""
    row = _proposal(work, price_version_id)
    if work.actor != SYSTEM and row.author != work.author:
        raise NotPermitted("Only {author} can take this proposal back", code="not_yours", author=row.author)
    return _drop(work, row)


@command("agreements.decline", Permission.PUBLISH_PRICES)
def decline_price(work: Work, *, price_version_id: int) -> Answer:
    """Decline a proposal."""
    return _drop(work, _proposal(work, price_version_id))


def _drop(work: Work, row: Any) -> Answer:
    """A draft leaves nothing but its audit line."""
    catalogue.delete_charges(work.session, row.id)
    table = core_table(PriceVersion)
    work.session.execute(delete(table).where(table.c.id == row.id))
    work.audit(f"subscription:{row.subscription_id}", "dropped_price")
    return {"price_version_id": row.id}


def agreed_request(row: Any) -> pl.DataFrame:
    """The request that a proposal stands for."""
    return pl.DataFrame(
        {"subscription_id": [row.subscription_id], "price_version_id": [row.id], "effective_on": [row.valid_from], "expires_on": [row.expires_on]},
        schema={"subscription_id": pl.Int64, "price_version_id": pl.Int64, "effective_on": pl.Date, "expires_on": pl.Date},
    )  # fmt: skip


def _proposal(work: Work, price_version_id: int) -> Any:
    """The draft of a subscription's own prices."""
    row = require_version(work, price_version_id, PriceStatus.DRAFT)
    if row.subscription_id is None:
        raise Conflict("These prices belong to a plan, not to one subscription", code="no_proposal")
    return row
