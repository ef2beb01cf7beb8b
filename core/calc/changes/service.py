"""When service runs: its end, its pauses and its trial."""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.calendar import OPEN
from core.calc.changes.deciding import (
    Decision,
    asked,
    bad_choice,
    facts,
    sorted_out,
    together,
    unstorable,
    usual_checks,
)
from core.calc.changes.standing import (
    DAY,
    SUB,
    Circumstances,
    identified,
    standing,
    with_pause,
    with_trial_facts,
)
from core.domain.subscriptions import ChangeKind, CreditChoice, EndCause, Refusal, Timing

CANCEL_REQUESTS: frames.Schema = {
    SUB: pl.Int64, "effective_on": pl.Date, "credit": pl.String, "cause": pl.String, "reason": pl.String,
}  # fmt: skip
PAUSE_REQUESTS: frames.Schema = {
    SUB: pl.Int64, "effective_on": pl.Date, "until_on": pl.Date, "credit": pl.String, "reason": pl.String,
}  # fmt: skip
RESUME_REQUESTS: frames.Schema = {SUB: pl.Int64, "effective_on": pl.Date}
TRIAL_REQUESTS: frames.Schema = {SUB: pl.Int64, "until_on": pl.Date}


# --- the end --------------------------------------------------------------------------------------------------------


def decide_cancel(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """`effective_on` is the last day of service; without one, the end of the running period, or today by the policy.

    The agreed term and notice bind what the customer wants; an end by death, by dunning or by us does not wait for them.
    Without a day the first end that they allow is taken. A trial that is cancelled runs to its end.
    """
    rows = _with_earliest_end(standing(identified(asked(requests, CANCEL_REQUESTS), c), c, "today_on"))
    rows = standing(rows, c, "first_on")
    by_policy = pl.when(pl.col("cancel_when") == Timing.NOW).then(pl.col("first_on") + DAY).otherwise("period_end")
    rows = rows.with_columns(
        end=pl.coalesce(pl.col("effective_on") + DAY, by_policy), credit=pl.coalesce("credit", "cancel_credit")
    )
    wrong, which = bad_choice(credit=CreditChoice, cause=EndCause)
    last_day = pl.col("end") - DAY
    good, refused = sorted_out(
        rows.with_columns(bad_choice=which),
        [
            (Refusal.BAD_CHOICE, wrong),
            (Refusal.NUL, unstorable("reason")),
            (Refusal.ALREADY_CANCELLED, pl.col("ends_on") < OPEN),
            *usual_checks(day="end"),
            (Refusal.BEFORE_START, last_day < pl.col("started_on")),
            (Refusal.MINIMUM_TERM, last_day < pl.col("term_last_day")),
            (Refusal.NOTICE, last_day < pl.col("notice_last_day")),
        ],
    )
    return Decision(facts(good, ChangeKind.CANCEL, "credit", "cause", "reason", effective_on="end"), refused)


def _with_earliest_end(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds what the term and the notice allow: term_last_day, notice_last_day, earliest_on, first_on (not before today)."""
    cause = pl.col("cause").fill_null(EndCause.VOLUNTARY.value)
    bound = cause.is_in([EndCause.VOLUNTARY.value, EndCause.OTHER.value])
    notice = pl.max_horizontal("notice_days", "agreed_notice_days")
    noticed = rows.with_columns(
        cause=cause,
        reason=pl.col("reason").fill_null(""),
        notice_needed_days=notice,
        term_last_day=pl.when(bound).then(pl.col("minimum_term_until") - DAY),
        notice_last_day=pl.when(bound & (notice > 0)).then(pl.col("today_on") + pl.duration(days=notice)),
    )
    earliest = pl.max_horizontal("term_last_day", "notice_last_day")
    return noticed.with_columns(earliest_on=earliest, first_on=pl.max_horizontal("today_on", earliest))


# --- pauses ---------------------------------------------------------------------------------------------------------


def decide_pause(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """No service from `effective_on` to `until_on` (exclusive); without an end, as long as the policy lets it last.

    The anchor stays. A pause that begins in a trial moves the trial's end by its length.
    """
    rows = with_pause(standing(identified(asked(requests, PAUSE_REQUESTS), c), c, "effective_on"), c, "effective_on")
    longest = pl.col("effective_on") + pl.duration(days=pl.col("maximum_pause_days"))
    rows = rows.with_columns(until_on=pl.coalesce("until_on", longest), credit=pl.col("credit").fill_null("none"))
    wrong, which = bad_choice(credit=CreditChoice)
    good, refused = sorted_out(
        rows.with_columns(bad_choice=which),
        [
            (Refusal.BAD_CHOICE, wrong),
            (Refusal.NUL, unstorable("reason")),
            *usual_checks(),
            (Refusal.ALREADY_PAUSED, pl.col("pause_from").is_not_null()),
            (Refusal.PAUSE_ORDER, pl.col("until_on") <= pl.col("effective_on")),
            (Refusal.PAUSE_TOO_LONG, pl.col("until_on") > longest),
            (Refusal.PAUSE_OVERLAPS, pl.col("until_on") > pl.col("next_pause_on")),
        ],
    )
    pauses = facts(good, ChangeKind.PAUSE, "effective_on", "until_on", "credit", "reason")
    in_trial = good.filter(pl.col("effective_on") < pl.col("trial_end"))
    longer = pl.col("until_on") - pl.col("effective_on")
    return Decision(together(pauses, _moved_trials(in_trial, c, longer)), refused)


def decide_resume(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """Service again from a day of the pause on; a trial that the pause had moved gets back the days not paused."""
    rows = with_pause(identified(asked(requests, RESUME_REQUESTS), c), c, "effective_on")
    good, refused = sorted_out(rows, [*usual_checks(), (Refusal.NOT_PAUSED, pl.col("pause_from").is_null())])
    resumed = facts(good, ChangeKind.RESUME, "effective_on")
    in_trial = good.filter(pl.col("pause_from") < pl.col("trial_end"))
    shorter = pl.col("effective_on") - pl.col("pause_until")
    return Decision(together(resumed, _moved_trials(in_trial, c, shorter)), refused)


def _moved_trials(rows: pl.DataFrame, c: Circumstances, by: pl.Expr) -> pl.DataFrame:
    """The facts that move a trial's end, and with it an anchor that stood on it; never before an earlier such fact."""
    known = with_trial_facts(rows, c).with_columns(_until=pl.col("trial_end") + by)
    return facts(
        known, ChangeKind.TRIAL, until_on="_until", effective_on=pl.max_horizontal("effective_on", "trial_fact_on"),
        anchor_on=pl.when(pl.col("anchored_on") == pl.col("trial_end")).then("_until"),
    )  # fmt: skip


# --- trials ---------------------------------------------------------------------------------------------------------


def decide_trial(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """A running trial ends on another day (the first billable one), today at the earliest."""
    rows = identified(asked(requests, TRIAL_REQUESTS), c).with_columns(effective_on="today_on")
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(),
            (Refusal.NO_DAY, pl.col("until_on").is_null()),
            (Refusal.ALREADY_CANCELLED, pl.col("ends_on") < OPEN),
            (Refusal.NO_TRIAL, pl.col("trial_end").is_null()),
            (Refusal.TRIAL_OVER, pl.col("trial_end") <= pl.col("today_on")),
            (Refusal.TRIAL_PAST, pl.col("until_on") < pl.col("today_on")),
            (Refusal.TRIAL_SAME, pl.col("until_on") == pl.col("trial_end")),
            (Refusal.TRIAL_LENGTH, pl.col("until_on") > pl.col("started_on") + pl.duration(days=2 * 366)),
        ],
    )
    return Decision(_moved_trials(good, c, pl.col("until_on") - pl.col("trial_end")), refused)
