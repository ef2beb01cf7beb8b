"""One-off charges and goodwill credits: asked for, approved above the role's limit by a second person, withdrawn.

What needs no approval is billed on the next document from its day. Appended only; the database bills each once.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import select

from core.actions.changing import AUDITED_ROWS, circumstances, refusals
from core.actions.command import Answer, Work, command
from core.actions.invoices import business_day
from core.calc.changes.adjusting import ADJUSTMENT_REQUESTS, decide_adjustments
from core.calc.changes.deciding import Decision
from core.calc.changes.standing import SUB
from core.domain.access import SYSTEM, Permission
from core.domain.errors import Conflict, NotFound, NotPermitted
from core.domain.subscriptions import AdjustmentDecision as Decided
from core.store import billing
from core.store.save import insert_many, reserve_ids
from core.store.tables import Adjustment, AdjustmentDecision, DocumentLine, core_table


@command("adjustments.ask", Permission.CHANGE_SUBSCRIPTIONS)
def ask_adjustments(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Adjustments: subscription_id, kind (charge, goodwill), amount_minor, text [, effective_on, vat_category, reason].

    Answers adjustment_ids and how many wait for approval: those above the actor's limit in the company's currency, and
    all in other currencies.
    """
    good, refused = decide_adjustments(requests, circumstances(work, requests))
    answered = refusals(Decision(good, refused), partial=partial)
    first = reserve_ids(work.session, Adjustment, good.height) if good.height else 0
    company = billing.company_profile(work.session, business_day(work.now))
    limit = (
        pl.when(pl.col("currency") == company.currency).then(billing.own_limit(company, work.actor.role)).otherwise(0)
    )
    rows = good.with_columns(
        id=pl.int_range(first, first + pl.len(), dtype=pl.Int64), needs_approval=pl.col("amount_minor") > limit,
    )  # fmt: skip
    when = {**{name: pl.lit(value) for name, value in work.stamp.items()}, "command_id": pl.lit(work.command_id)}
    insert_many(
        work.session, Adjustment, rows.select("id", "price_version_id", "needs_approval", *ADJUSTMENT_REQUESTS, **when)
    )
    for subscription_id in rows[SUB].head(AUDITED_ROWS):
        work.audit(f"subscription:{subscription_id}", "adjustment")
    answer: Answer = {"adjustment_ids": rows["id"].to_list(), "waiting": int(rows["needs_approval"].sum())}
    return {**answer, "refused": answered} if partial else answer


@command("adjustments.approve", Permission.CREDIT_INVOICES)
def approve_adjustment(work: Work, *, adjustment_id: int) -> Answer:
    """Let it be billed; whoever asked for it cannot."""
    row = _open(work, adjustment_id)
    if work.actor != SYSTEM and row.author == work.author:
        raise NotPermitted("You asked for this yourself, so another person must approve it", code="four_eyes")
    return _decide(work, row, Decided.APPROVED)


@command("adjustments.decline", Permission.CREDIT_INVOICES)
def decline_adjustment(work: Work, *, adjustment_id: int) -> Answer:
    """It is never billed."""
    return _decide(work, _open(work, adjustment_id), Decided.DECLINED)


@command("adjustments.withdraw", Permission.CHANGE_SUBSCRIPTIONS)
def withdraw_adjustment(work: Work, *, adjustment_id: int) -> Answer:
    """Take it back before it is billed."""
    return _decide(work, _open(work, adjustment_id), Decided.WITHDRAWN)


def _open(work: Work, adjustment_id: int) -> Any:
    """The adjustment's row; refuses an unknown one, one that was decided, and one that was billed."""
    table, decision, line = core_table(Adjustment), core_table(AdjustmentDecision).c, core_table(DocumentLine).c
    row = work.session.execute(select(table).where(table.c.id == adjustment_id)).first()
    if row is None:
        raise NotFound(
            "There is no charge or credit {adjustment_id}", code="no_adjustment", adjustment_id=adjustment_id
        )
    if work.session.execute(select(line.id).where(line.adjustment_id == adjustment_id)).first():
        raise Conflict("This has been invoiced; correct it with another one", code="adjustment_billed")
    if work.session.execute(select(decision.id).where(decision.adjustment_id == adjustment_id)).first():
        raise Conflict("This has been decided already", code="adjustment_decided")
    return row


def _decide(work: Work, row: Any, decision: Decided) -> Answer:
    insert_many(
        work.session, AdjustmentDecision,
        [{"adjustment_id": row.id, "decision": decision.value, **work.stamp, "command_id": work.command_id}],
    )  # fmt: skip
    work.audit(f"subscription:{row.subscription_id}", f"adjustment_{decision.value}")
    return {"adjustment_id": row.id}
