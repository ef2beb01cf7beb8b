"""New subscriptions: the facts that they begin with."""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.calendar import boundary
from core.calc.changes.deciding import (
    Checks,
    Decision,
    asked,
    facts,
    offer_checks,
    sorted_out,
    together,
    unstorable,
)
from core.calc.changes.standing import DAY, SUB, Circumstances, with_offer, with_policy
from core.calc.changes.terms import no_quantity
from core.calc.pricebook import MICRO
from core.domain.subscriptions import ChangeKind, Refusal

START_REQUESTS: frames.Schema = {
    "customer_id": pl.Int64,
    "price_version_id": pl.Int64,
    "start_on": pl.Date,
    "quantity_micro": pl.Int64,
    "external_id": pl.String,
    "anchor_on": pl.Date,
    "trial_days": pl.Int32,
    "terms_days": pl.Int32,
    "minimum_term_until": pl.Date,
    "billed_through": pl.Date,
}


def decide_start(
    requests: pl.DataFrame, c: Circumstances, customers: pl.Series, taken: pl.Series, first_id: int
) -> tuple[pl.DataFrame, Decision]:
    """The subscriptions to store, numbered from `first_id`, and their START and TRIAL facts.

    `customers`: known ids; `taken`: external ids in use. Out, key subscription_id: row, the requests' columns, currency,
    notice_days and minimum_term_until by the policy of the day. The anchor is the end of the trial unless it is given. What
    another system billed (`billed_through`) may begin in closed books.
    """
    rows = with_offer(asked(requests, START_REQUESTS), c).with_columns(
        pl.col("quantity_micro").fill_null(MICRO),
        pl.col("trial_days").fill_null(pl.col("new_trial_days")),
        plan_id="new_plan_id",
        closed_through=pl.lit(c.closed_through, dtype=pl.Date),
        open_from=pl.lit(c.closed_through, dtype=pl.Date) + DAY,
    )
    rows = with_policy(rows, c, "start_on").with_columns(pl.lit(None, dtype=pl.Int64).alias(SUB))
    good, refused = sorted_out(rows, _checks(customers, taken))
    made = _numbered(good, first_id)
    started = facts(
        made, ChangeKind.START, "price_version_id", "quantity_micro", "anchor_on", effective_on="start_on"
    )  # fmt: skip
    trials = facts(
        made.filter(pl.col("trial_days") > 0), ChangeKind.TRIAL, effective_on="start_on", until_on="trial_end",
        anchor_on="anchor_on",
    )  # fmt: skip
    return made, Decision(together(started, trials), refused)


def _checks(customers: pl.Series, taken: pl.Series) -> Checks:
    """May this subscription start?"""
    given = pl.col("external_id")
    again = given.is_not_null() & (pl.int_range(pl.len()).over("external_id") > 0)
    quantity = pl.col("quantity_micro")
    return [
        (Refusal.NO_CUSTOMER, ~pl.col("customer_id").is_in(customers.implode()) | pl.col("customer_id").is_null()),
        (Refusal.NO_DAY, pl.col("start_on").is_null()),
        (Refusal.NUL, unstorable("external_id")),
        (Refusal.EXTERNAL_ID_TAKEN, given.is_in(taken.implode()) | again),
        *offer_checks("start_on"),
        (Refusal.NO_QUANTITY, no_quantity(quantity)),
        (Refusal.BELOW_MINIMUM, quantity < pl.col("minimum_quantity") * MICRO),
        (Refusal.TRIAL_LENGTH, (pl.col("trial_days") < 0) | (pl.col("trial_days") > 366)),
        (Refusal.BOOKS_CLOSED, (pl.col("start_on") <= pl.col("closed_through")) & pl.col("billed_through").is_null()),
    ]


def _numbered(good: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Ids, the trial's end, the anchor, and what the policy says about term and notice."""
    start, months = pl.col("start_on"), pl.col("minimum_term_months")
    term_end = boundary(start, months, pl.lit(0, dtype=pl.Int32), pl.lit(1, dtype=pl.Int32))
    trial_end = start + pl.duration(days=pl.col("trial_days"))
    numbered = good.with_columns(pl.int_range(first_id, first_id + pl.len(), dtype=pl.Int64).alias(SUB))
    return numbered.with_columns(
        external_id=pl.coalesce("external_id", pl.format("S-{}", pl.col(SUB).cast(pl.String).str.zfill(6))),
        trial_end=trial_end,
        anchor_on=pl.coalesce("anchor_on", trial_end),
        minimum_term_until=pl.coalesce("minimum_term_until", pl.when(months > 0).then(term_end)),
        currency="new_currency",
    )
