"""Undoing a change: a new fact that names the one it takes back."""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.calendar import OPEN
from core.calc.changes.deciding import Decision, asked, facts, sorted_out, together
from core.calc.changes.standing import SUB, Circumstances, identified
from core.domain.subscriptions import ChangeKind, Refusal

UNDO_REQUESTS: frames.Schema = {"change_id": pl.Int64}
_KIND = pl.col("kind")
_MOVES_TRIAL = [ChangeKind.START.value, ChangeKind.PAUSE.value, ChangeKind.RESUME.value]


def decide_undo(requests: pl.DataFrame, c: Circumstances, commands: pl.DataFrame) -> Decision:
    """Takes back changes in force, each with the trial fact that it brought along.

    `commands`: change_id, command_id of the subscriptions' changes: facts of one command belong together. An undo counts
    from the day of what it undoes.
    """
    known = c.changes.select("change_id", SUB, "kind", "effective_on", "until_on").join(commands, on="change_id")
    rows = asked(requests, UNDO_REQUESTS).join(known, on="change_id", how="left", maintain_order="left")
    rows = _with_others(identified(rows, c), c, commands)
    good, refused = sorted_out(rows, _checks(c))
    own = facts(good, ChangeKind.UNDO, "effective_on", undoes_id="change_id")
    moved = good.filter(pl.col("trial_id").is_not_null() & _KIND.is_in(_MOVES_TRIAL))
    back = facts(moved, ChangeKind.UNDO, effective_on="trial_on", undoes_id="trial_id")
    return Decision(together(own, back), refused)


def _checks(c: Circumstances) -> list[tuple[Refusal, pl.Expr]]:
    """May this change be undone?"""
    is_start, is_pause = _KIND == ChangeKind.START, _KIND == ChangeKind.PAUSE
    undone = c.changes["undoes_id"].drop_nulls()
    return [
        (Refusal.UNKNOWN_CHANGE, _KIND.is_null()),
        (Refusal.UNDO_OF_UNDO, _KIND == ChangeKind.UNDO),
        (Refusal.ALREADY_UNDONE, pl.col("change_id").is_in(undone.implode())),
        (Refusal.TWICE, pl.int_range(pl.len()).over(SUB) > 0),
        (Refusal.PART_OF_ANOTHER, (_KIND == ChangeKind.TRIAL) & pl.col("leading").fill_null(False)),
        (Refusal.UNDO_CLOSED, pl.col("effective_on") <= pl.col("closed_through")),
        (Refusal.START_BILLED, is_start & pl.col("billed")),
        (Refusal.START_CHANGED, is_start & pl.col("others").fill_null(False)),
        (Refusal.RESUMED_SINCE, is_pause & pl.col("resumed").fill_null(False)),
        (Refusal.PAUSED_AGAIN, (_KIND == ChangeKind.RESUME) & pl.col("next_pause_on").is_not_null()),
    ]


def _with_others(rows: pl.DataFrame, c: Circumstances, commands: pl.DataFrame) -> pl.DataFrame:
    """Adds what else is in force on the subscription.

    trial_id, trial_on: the trial fact of the same command; leading: such a fact has a leader; others: facts of other
    commands; resumed: service resumed in the pause; next_pause_on: a pause from the day on.
    """
    live = c.live.select(SUB, "change_id", "kind", "effective_on").join(commands, on="change_id")
    each = rows.select("row", SUB, "change_id", "effective_on", "until_on", "command_id").join(
        live, on=SUB, suffix="_other"
    )
    other = each.filter(pl.col("change_id") != pl.col("change_id_other"))
    same, on = pl.col("command_id") == pl.col("command_id_other"), pl.col("effective_on_other")
    trial = same & (_KIND == ChangeKind.TRIAL)
    in_pause = (on >= pl.col("effective_on")) & (on <= pl.col("until_on").fill_null(OPEN))
    found = other.group_by("row").agg(
        trial_id=pl.col("change_id_other").filter(trial).first(),
        trial_on=on.filter(trial).first(),
        leading=(same & _KIND.is_in(_MOVES_TRIAL)).any(),
        others=(~same).any(),
        resumed=((_KIND == ChangeKind.RESUME) & in_pause).any(),
        next_pause_on=on.filter((_KIND == ChangeKind.PAUSE) & (on >= pl.col("effective_on"))).min(),
    )
    return rows.join(found, on="row", how="left", maintain_order="left")
