"""How a batch of changes is carried out: load what they are decided on, decide, store facts, answer.

All or nothing by default: the first refused request is raised. With `partial` the good ones are stored and the refused ones
answered with their reason.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
from sqlalchemy import select

from core import frames
from core.actions.command import Answer, Work
from core.actions.invoices import business_day
from core.calc.changes.deciding import Decision, less
from core.calc.changes.standing import SUB, Circumstances
from core.domain.subscriptions import Refusal, refusal
from core.store import load
from core.store import subscriptions as stored
from core.store.save import insert_many, reserve_ids
from core.store.tables import Subscription, SubscriptionChange, core_table

SEEN = "seen_change_id"
AUDITED_ROWS = 100  # a larger batch leaves one audit line with its count
Decide = Callable[[pl.DataFrame, Circumstances], Decision]


def change(work: Work, requests: pl.DataFrame, decide: Decide, *, partial: bool) -> Answer:
    """Decide on requests that name their subscription, and store what follows.

    A request may say `seen_change_id`, the newest change that its author had seen: when there is a newer one, it is refused
    and says by whom, so that nobody decides on what is no longer so.
    """
    plain = requests.drop(SEEN, strict=False)
    decision = decide(plain, circumstances(work, plain))
    if SEEN in requests.columns:
        decision = less(decision, _stale(work, requests))
    return store(work, decision, partial=partial)


def _stale(work: Work, requests: pl.DataFrame) -> pl.DataFrame:
    """Requests whose subscription was changed since it was seen: row, code, external_id, kind and author of that change."""
    change, sub = core_table(SubscriptionChange), core_table(Subscription)
    rows = requests.select(SUB, SEEN).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    statement = (
        select(
            change.c.id.label("newer_id"), change.c.subscription_id, change.c.kind.label("changed_kind"),
            change.c.author.label("changed_by"), sub.c.external_id,
        )
        .join_from(change, sub, sub.c.id == change.c.subscription_id)
        .where(load.among(work.session, change.c.subscription_id, rows[SUB].drop_nulls().unique()))
        .order_by(change.c.id)
    )  # fmt: skip
    schema = {
        "newer_id": pl.Int64,
        SUB: pl.Int64,
        "changed_kind": pl.String,
        "changed_by": pl.String,
        "external_id": pl.String,
    }
    newer = rows.join(load.frame(work.session, statement, schema), on=SUB).filter(pl.col("newer_id") > pl.col(SEEN))
    return newer.unique("row", keep="last", maintain_order=True).with_columns(
        code=pl.lit(Refusal.CHANGED_MEANWHILE.value)
    )


def circumstances(work: Work, requests: pl.DataFrame) -> Circumstances:
    """What these requests are decided on, as stored now."""
    return Circumstances.of(stored.change_inputs(work.session, requests, today(work)))


def today(work: Work) -> date:
    """The company's calendar day at the instant of the work."""
    return business_day(work.now, stored.time_zone(work.session, work.now.date()))


def refusals(decision: Decision, *, partial: bool) -> list[Answer]:
    """What the answer says about refused requests; raises the first one unless the rest may go on."""
    refused = decision.refused.sort("row")
    if not partial and refused.height:
        first = refused.row(0, named=True)
        raise refusal(Refusal(first["code"]), first)
    return [
        {"row": row["row"], "code": row["code"], "reason": str(refusal(Refusal(row["code"]), row))}
        for row in refused.iter_rows(named=True)
    ]


def store(work: Work, decision: Decision, *, partial: bool) -> Answer:
    """Append the facts. Answers the id of each stored request's own fact, in order, and what was refused."""
    refused = refusals(decision, partial=partial)
    saved = append(work, decision.facts)
    own = saved.unique("row", keep="first", maintain_order=True)
    answer: Answer = {"change_ids": own["id"].to_list()}
    return {**answer, "refused": refused} if partial else answer


def append(work: Work, facts: pl.DataFrame) -> pl.DataFrame:
    """Save NEW_FACTS with ids in their order; answers them with `id`."""
    first = reserve_ids(work.session, SubscriptionChange, facts.height) if facts.height else 0
    numbered = facts.with_columns(id=pl.int_range(first, first + pl.len(), dtype=pl.Int64))
    when = {name: pl.lit(value) for name, value in work.stamp.items()}
    columns = [name for name in frames.CHANGES if name != "change_id"]
    insert_many(
        work.session, SubscriptionChange,
        numbered.select("id", *columns, command_id=pl.lit(work.command_id), **when),
    )  # fmt: skip
    if facts.height:
        stored.extend_openings(work.session, facts[SUB].unique(), first + facts.height - 1)
    audit(work, numbered)
    return numbered


def audit_each(work: Work, kind: str, ids: pl.Series, *fields: str) -> None:
    """One line a subject ("customer", "subscription"), or one for all of a large batch."""
    if ids.len() > AUDITED_ROWS:
        work.audit(f"{kind}s:{ids.len()}", *fields)
        return
    for key in ids:
        work.audit(f"{kind}:{key}", *fields)


def audit(work: Work, facts: pl.DataFrame) -> None:
    """One line a fact, or one for all of a large batch."""
    if facts.height > AUDITED_ROWS:
        work.audit(f"subscriptions:{facts[SUB].n_unique()}", *facts["kind"].unique().sort())
        return
    for subscription_id, kind in facts.select(SUB, "kind").iter_rows():
        work.audit(f"subscription:{subscription_id}", kind)
