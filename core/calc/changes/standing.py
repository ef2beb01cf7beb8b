"""How subscriptions stand on a day: the terms in force, the running period, pauses, trial and policy.

What a change is decided on. Frames in, frames out; one request is a batch of one. A row is one request; its columns grow as
more is known about it. Rules: billing.md, Decisions (Days, Anchor, Direction).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import polars as pl

from core.calc.calendar import boundary, index_on
from core.calc.timeline import Timeline, live_changes, pause_spans, timeline
from core.domain.subscriptions import ChangeKind, CreditChoice, Timing
from core.frames import ChangeInputs

SUB = "subscription_id"
DAY = pl.duration(days=1)
POLICY_DEFAULTS = {
    "upgrade_when": Timing.NOW.value,
    "downgrade_when": Timing.PERIOD_END.value,
    "cancel_when": Timing.PERIOD_END.value,
    "cancel_credit": CreditChoice.NONE.value,
    "minimum_term_months": 0,
    "notice_days": 0,
    "minimum_quantity": 0,
    "maximum_pause_days": 365,
}
_STANDING = ["current_id", "quantity_now_micro", "period_end", "plan_id", "rank", *POLICY_DEFAULTS]


@dataclass(frozen=True)
class Circumstances(ChangeInputs):
    """What requests are decided on, with the lives and pauses that follow from it."""

    @classmethod
    def of(cls, inputs: ChangeInputs) -> Circumstances:
        """The circumstances as they were read."""
        return cls(**{each.name: getattr(inputs, each.name) for each in fields(inputs)})

    @cached_property
    def live(self) -> pl.DataFrame:
        """Changes in force."""
        return live_changes(self.changes)

    @cached_property
    def track(self) -> Timeline:
        """The subscriptions' timeline."""
        return timeline(self.changes, self.offers)

    @cached_property
    def pauses(self) -> pl.DataFrame:
        """subscription_id, change_id, pause_from, pause_until (OPEN when nothing ends it)."""
        spans = pause_spans(self.live, self.live.filter(pl.col("kind") == ChangeKind.PAUSE))
        return spans.select(SUB, "change_id", pause_from="from", pause_until="until")


def identified(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds SUBSCRIBERS, started_on, begins_on (first billable day), trial_end, ends_on, last_day, today_on.

    `external_id` is null when there is no such subscription, `started_on` when its start was undone. `today_on`: today, or
    the start of what begins later. Closed books add closed_through and open_from, the first day that is open.
    """
    closed = pl.lit(c.closed_through, dtype=pl.Date)
    life = c.track.life.select(SUB, "started_on", "begins_on", "trial_end", "ends_on")
    known = rows.join(c.subscribers, on=SUB, how="left", maintain_order="left").join(
        life, on=SUB, how="left", maintain_order="left"
    )
    return known.with_columns(
        last_day=pl.col("ends_on") - DAY,
        today_on=pl.max_horizontal(pl.lit(c.today), "started_on"),
        closed_through=closed,
        open_from=closed + DAY,
    )


def standing(rows: pl.DataFrame, c: Circumstances, on: str) -> pl.DataFrame:
    """Adds the terms in force on the day `on` of each row: current_id (price version), quantity_now_micro, period_end.

    Also plan_id, rank and the plan's policy of that day. `period_end` is exclusive; during a trial it is the trial's end.
    """
    rows = rows.drop(_STANDING, strict=False)
    track = c.track.quantity.rename({"quantity_micro": "quantity_now_micro", "price_version_id": "current_id"})
    terms = in_force(
        rows, track, on, "current_id", "quantity_now_micro", "anchor_on", "interval_months", "interval_days"
    )
    month, day, anchor, at = (pl.col(name) for name in ("interval_months", "interval_days", "anchor_on", on))
    running = boundary(anchor, month, day, index_on(anchor, month, day, at) + 1)
    dated = terms.with_columns(period_end=pl.when(at < pl.col("begins_on")).then("begins_on").otherwise(running))
    plans = c.offers.select("plan_id", "rank", current_id="price_version_id")
    placed = dated.drop("anchor_on", "interval_months", "interval_days").join(
        plans, on="current_id", how="left", maintain_order="left"
    )
    return with_policy(placed, c, on)


def in_force(rows: pl.DataFrame, track: pl.DataFrame, on: str, *columns: str) -> pl.DataFrame:
    """Adds columns of the track's segment that holds the day `on`; null where none does."""
    hit = rows.select("row", SUB, on).join(track.select(SUB, "start", "end", *columns), on=SUB).filter(
        (pl.col("start") <= pl.col(on)) & (pl.col(on) < pl.col("end"))
    )  # fmt: skip
    return rows.join(hit.select("row", *columns), on="row", how="left", maintain_order="left")


def with_policy(rows: pl.DataFrame, c: Circumstances, on: str) -> pl.DataFrame:
    """Adds the policy of the row's plan_id on the day `on`; what no policy says is POLICY_DEFAULTS."""
    said = (
        rows.select("row", "plan_id", on).join(c.policies, on="plan_id").filter(pl.col("effective_from") <= pl.col(on))
    )
    latest = said.sort("effective_from", maintain_order=True).unique("row", keep="last", maintain_order=True)
    joined = rows.join(latest.select("row", *POLICY_DEFAULTS), on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.col(name).fill_null(value) for name, value in POLICY_DEFAULTS.items())


def with_pause(rows: pl.DataFrame, c: Circumstances, on: str) -> pl.DataFrame:
    """Adds pause_from and pause_until of the pause that holds the day `on`, and next_pause_on, the first one after it."""
    pauses = c.pauses
    now = in_force(
        rows, pauses.with_columns(start="pause_from", end="pause_until"), on, "pause_from", "pause_until"
    )  # fmt: skip
    ahead = rows.select("row", SUB, on).join(pauses, on=SUB).filter(pl.col("pause_from") > pl.col(on))
    first = ahead.group_by("row").agg(next_pause_on=pl.col("pause_from").min())
    return now.join(first, on="row", how="left", maintain_order="left")


def with_offer(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds what the asked price_version_id says, as new_*: plan, rank, currency, status, dates, owner."""
    names = [
        "plan_id",
        "rank",
        "currency",
        "status",
        "trial_days",
        "valid_from",
        "retired_on",
        "expires_on",
        "owner_id",
    ]
    asked = c.offers.select("price_version_id", *(pl.col(name).alias(f"new_{name}") for name in names))
    return rows.join(asked, on="price_version_id", how="left", maintain_order="left")


def with_trial_facts(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds trial_fact_on (day of the last trial fact) and anchored_on (the anchor as recorded, before the calendar)."""
    live = c.live
    trials = (
        live.filter(pl.col("kind") == ChangeKind.TRIAL).group_by(SUB).agg(trial_fact_on=pl.col("effective_on").max())
    )
    anchors = live.filter(pl.col("anchor_on").is_not_null()).group_by(SUB, maintain_order=True)
    last = anchors.agg(anchored_on=pl.col("anchor_on").last())
    return rows.join(trials, on=SUB, how="left", maintain_order="left").join(
        last, on=SUB, how="left", maintain_order="left"
    )
