"""Record metered events. An event is known by its source id: sent again it counts once."""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import select

from core import frames
from core.actions.changing import audit_each, refusals, today
from core.actions.command import Answer, Work, command
from core.calc.changes.deciding import Decision, asked, sorted_out, unstorable
from core.calc.changes.standing import DAY, SUB
from core.calc.timeline import live_changes, lives
from core.domain.access import Permission
from core.domain.subscriptions import Refusal
from core.store import load
from core.store import subscriptions as stored
from core.store.known import among_texts
from core.store.save import INSTANT, insert_many
from core.store.tables import UsageEvent, core_table

USAGE_REQUESTS: frames.Schema = {
    "source_id": pl.String,
    SUB: pl.Int64,
    "meter": pl.String,
    "occurred_at": INSTANT,
    "quantity_micro": pl.Int64,
    "amount_micro": pl.Int64,
}
_SAID = [SUB, "meter", "occurred_at", "quantity_micro", "amount_micro"]


@command("usage.record", Permission.RECORD_USAGE)
def record_usage(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Events: source_id, subscription_id, meter, occurred_at (aware), quantity_micro [, amount_micro].

    An event counts on its local business day, within the subscription's life. Late events of billed periods come on the
    next invoice; a negative quantity corrects an earlier one downwards. Answers how many are new and how many were known.
    """
    rows = _placed(work, requests)
    good, refused = sorted_out(rows, _checks(work, rows))
    answers = refusals(Decision(good, refused), partial=partial)
    fresh = good.filter(~pl.col("known")).unique("source_id", keep="first", maintain_order=True)
    when = {name: pl.lit(value) for name, value in work.stamp.items()}
    insert_many(work.session, UsageEvent, fresh.select("source_id", *_SAID, "occurred_on", **when))
    audit_each(work, "subscription", fresh[SUB].unique().sort(), "usage")
    answer: Answer = {"recorded": fresh.height, "known": good.height - fresh.height}
    return {**answer, "refused": answers} if partial else answer


def _placed(work: Work, requests: pl.DataFrame) -> pl.DataFrame:
    """The events with their business day, whose they are, and what is stored under their source ids."""
    session = work.session
    zone = stored.time_zone(session, work.now.date())
    rows = asked(requests, USAGE_REQUESTS).with_columns(
        occurred_on=pl.col("occurred_at").dt.convert_time_zone(zone).dt.date()
    )
    ids = rows[SUB].drop_nulls().unique()
    life = lives(live_changes(load.changes(session, ids))).select(SUB, "started_on", "ends_on")
    named = stored.subscribers(session, ids).select(SUB, "external_id")
    owned = rows.join(named, on=SUB, how="left", maintain_order="left").join(
        life, on=SUB, how="left", maintain_order="left"
    )
    stored_before = _stored(work, rows["source_id"].drop_nulls().unique())
    told = pl.concat([stored_before, rows.select("source_id", *_SAID)])
    first = told.unique("source_id", keep="first", maintain_order=True)
    known = stored_before.select("source_id", known=pl.lit(True))
    return (
        owned.join(first, on="source_id", how="left", maintain_order="left", suffix="_first")
        .join(known, on="source_id", how="left", maintain_order="left")
        .with_columns(pl.col("known").fill_null(False), last_day=pl.col("ends_on") - DAY)
    )


def _stored(work: Work, source_ids: pl.Series) -> pl.DataFrame:
    """Events already stored under these source ids."""
    event = core_table(UsageEvent).c
    schema: dict[str, Any] = {name: USAGE_REQUESTS[name] for name in ["source_id", *_SAID]}
    statement = select(*(event[name] for name in schema)).where(among_texts(work.session, event.source_id, source_ids))
    return load.frame(work.session, statement, schema)


def _checks(work: Work, rows: pl.DataFrame) -> list[tuple[Refusal, pl.Expr]]:
    """May this event be recorded?"""
    meters = stored.known_meters(work.session)
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_first")) for name in _SAID)
    unnamed = pl.col("source_id").is_null() | (pl.col("source_id").str.strip_chars() == "")
    return [
        (Refusal.NO_SOURCE, unnamed),
        (Refusal.NUL, unstorable("source_id")),
        (Refusal.NOT_FOUND, pl.col("external_id").is_null()),
        (Refusal.NEVER_STARTED, pl.col("started_on").is_null()),
        (Refusal.NO_DAY, pl.col("occurred_at").is_null()),
        (Refusal.UNKNOWN_METER, ~pl.col("meter").is_in(meters.implode()) | pl.col("meter").is_null()),
        (Refusal.NO_USAGE, pl.col("quantity_micro").is_null()),
        (Refusal.OTHER_CONTENT, differs),
        (Refusal.FUTURE, pl.col("occurred_on") > pl.lit(today(work))),
        (Refusal.BEFORE_START, pl.col("occurred_on") < pl.col("started_on")),
        (Refusal.ENDED, pl.col("occurred_on") >= pl.col("ends_on")),
    ]
