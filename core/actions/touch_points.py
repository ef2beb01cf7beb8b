"""Record touch points: onboarding steps, service contacts and whatever else happened between us and a customer."""

from __future__ import annotations

import polars as pl
from sqlalchemy import select

from core import frames
from core.actions.changing import audit_each, refusals, today
from core.actions.command import Answer, Work, command
from core.calc.changes.deciding import Decision, asked, sorted_out, unstorable
from core.domain.access import Permission
from core.domain.subscriptions import Refusal
from core.store import load
from core.store import subscriptions as stored
from core.store.known import among_texts
from core.store.save import insert_many
from core.store.tables import TouchPoint, core_table

TOUCH_POINT_REQUESTS: frames.Schema = {
    "customer_id": pl.Int64,
    "occurred_on": pl.Date,
    "kind": pl.String,
    "topic": pl.String,
    "outcome": pl.String,
    "note": pl.String,
    "source_id": pl.String,
}
_TEXTS = ["kind", "topic", "outcome", "note"]
_SAID = ["customer_id", "occurred_on", *_TEXTS]


@command("touch_points.record", Permission.RECORD_CONTACTS)
def record_touch_points(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Touch points: customer_id, occurred_on, kind [, topic, outcome, note, source_id].

    One with a source id is recorded once, however often it is sent. Answers how many are new and how many were known.
    """
    rows = _placed(work, requests)
    good, refused = sorted_out(rows, _checks(work, rows))
    answers = refusals(Decision(good, refused), partial=partial)
    again = pl.col("source_id").is_not_null() & (pl.int_range(pl.len()).over("source_id") > 0)
    fresh = good.filter(~again & ~pl.col("known"))
    when = {name: pl.lit(value) for name, value in work.stamp.items()}
    insert_many(work.session, TouchPoint, fresh.select("source_id", *_SAID, **when))
    audit_each(work, "customer", fresh["customer_id"].unique().sort(), "touch_point")
    answer: Answer = {"recorded": fresh.height, "known": good.height - fresh.height}
    return {**answer, "refused": answers} if partial else answer


def _placed(work: Work, requests: pl.DataFrame) -> pl.DataFrame:
    """The touch points with what was said first under their source ids."""
    rows = asked(requests, TOUCH_POINT_REQUESTS).with_columns(pl.col(*_TEXTS).fill_null("").str.strip_chars())
    named = rows.filter(pl.col("source_id").is_not_null())
    stored_before = _stored(work, named["source_id"].unique())
    told = pl.concat([stored_before, named.select("source_id", *_SAID)])
    first = told.unique("source_id", keep="first", maintain_order=True)
    known = stored_before.select("source_id", known=pl.lit(True))
    return (
        rows.join(first, on="source_id", how="left", maintain_order="left", suffix="_first")
        .join(known, on="source_id", how="left", maintain_order="left")
        .with_columns(pl.col("known").fill_null(False))
    )


def _stored(work: Work, source_ids: pl.Series) -> pl.DataFrame:
    """Touch points already stored under these source ids."""
    touch = core_table(TouchPoint).c
    schema = {name: TOUCH_POINT_REQUESTS[name] for name in ["source_id", *_SAID]}
    statement = select(*(touch[name] for name in schema)).where(among_texts(work.session, touch.source_id, source_ids))
    return load.frame(work.session, statement, schema)


def _checks(work: Work, rows: pl.DataFrame) -> list[tuple[Refusal, pl.Expr]]:
    """May this touch point be recorded?"""
    customers = stored.known_customers(work.session, rows["customer_id"].drop_nulls().unique())
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_first")) for name in _SAID)
    return [
        (Refusal.NO_CUSTOMER, ~pl.col("customer_id").is_in(customers.implode()) | pl.col("customer_id").is_null()),
        (Refusal.NO_DAY, pl.col("occurred_on").is_null()),
        (Refusal.NO_KIND, pl.col("kind") == ""),
        (Refusal.FUTURE, pl.col("occurred_on") > pl.lit(today(work))),
        (Refusal.NUL, unstorable(*_TEXTS, "source_id")),
        (Refusal.OTHER_CONTENT, pl.col("source_id").is_not_null() & differs),
    ]
