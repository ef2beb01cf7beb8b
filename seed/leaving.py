"""Who leaves in a month, by the stated table. Drawn before all changes, so that nobody changes what has ended."""

from __future__ import annotations

import numpy as np

from core.actions.subscriptions import cancel
from seed import archetypes, happenings
from seed.archetypes import Bools
from seed.book import NEVER, Column, month_number
from seed.month import Month

DAY = np.timedelta64(1, "D")


def leave(turn: Month) -> None:
    """Cancellations of this month, of paid periods and of trials."""
    subs, rng = turn.subs, turn.rng
    tick = turn.ticks()
    trial_over = subs["trial_leaver"] & (subs["begins"] <= turn.last) & (subs["ends"] == NEVER)
    leaving = (deciding(turn, tick) & (rng.random(len(subs)) < chance(turn, tick))) | trial_over
    where = np.flatnonzero(leaving)
    end = np.where(trial_over, subs["begins"], turn.end_of_period(tick))[where]
    payment = turn.customers["payment"][subs["customer"][where]]
    cause = np.where(trial_over[where], "voluntary", happenings.causes(rng, payment))
    reason = np.where(cause == "voluntary", rng.choice(archetypes.REASONS, len(where)), "")
    turn.send(cancel, "cancel", subscription_id=subs["id"][where], effective_on=end - DAY, cause=cause, reason=reason)
    subs["ends"][where], subs["cause"][where] = end, cause


def deciding(turn: Month, tick: Column) -> Bools:
    """Whose period ends at the tick, and who thinks about leaving then."""
    subs = turn.subs
    months = np.maximum(happenings.of_offer(subs["offer"], "months"), 1)
    by_calendar = happenings.of_offer(subs["offer"], "calendar")
    tenure = month_number(tick) - month_number(subs["begins"])
    at = np.where(by_calendar, month_number(tick), tenure)
    thought_on = turn.first + (turn.rng.random(len(subs)) * 28).astype(np.int64).astype("m8[D]")
    has_come = np.where(tick <= turn.last, True, thought_on <= turn.last)
    served = (subs["ends"] == NEVER) & (subs["paused_until"] <= turn.first) & ~subs["trial_leaver"]
    asked: Bools = served & has_come & (tenure >= 1) & (at % months == 0)
    return asked


def chance(turn: Month, tick: Column) -> Column:
    """The stated chance of leaving at the tick."""
    subs, who = turn.subs, turn.subs["customer"]
    unresolved = (tick - turn.customers["unresolved_on"][who]).astype(np.int64) <= archetypes.CONTACT_DAYS
    migrated = (month_number(turn.first) - month_number(subs["migrated_on"])) <= 1
    traits = archetypes.Traits(
        plan=happenings.of_offer(subs["offer"], "plan"),
        months=month_number(tick) - month_number(subs["begins"]),
        payment=turn.customers["payment"][who],
        channel=turn.customers["channel"][who],
        onboarded=turn.customers["onboarded"][who],
        unresolved=unresolved,
        migrated=migrated,
    )
    hazard = archetypes.hazard(traits)
    return 1 - (1 - hazard) ** np.maximum(happenings.of_offer(subs["offer"], "months"), 1)
