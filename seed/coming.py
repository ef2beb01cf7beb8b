"""Who comes in a month, and who comes back: customers, subscriptions, coupons."""

from __future__ import annotations

import numpy as np

from core.actions.customers import create_customers
from core.actions.subscriptions import grant_coupon, start
from seed import archetypes, arrivals, happenings
from seed.archetypes import Bools
from seed.book import LONG_AGO, NEVER, Column, month_number
from seed.month import Month

MICRO = 10**6


def arrive(turn: Month) -> None:
    """New customers and those who come back, their subscriptions and coupons."""
    count = int(turn.life.coming[turn.month])
    days = np.sort(turn.some_day(count))
    who = offer = np.empty(0, np.int64)
    if count:
        requests, known = arrivals.draw(turn.rng, days, len(turn.customers))
        made = turn.do(create_customers, "customers", requests=requests)
        who, offer = arrivals.remember(turn.customers, made["customer_ids"], known), known["offer"]
    back = _coming_back(turn)
    offers = np.concatenate([offer, turn.subs["offer"][back]]).astype("U16")
    days = np.concatenate([days, turn.some_day(len(back), turn.subs["ends"][back])])
    turn.subs["cause"][back] = "returned"
    fresh = np.arange(len(offers)) < count
    rows = _start(turn, np.concatenate([who, turn.subs["customer"][back]]).astype(np.int64), offers, days, fresh)
    _welcome(turn, rows, fresh)


def _coming_back(turn: Month) -> Column:
    """Subscriptions whose customer starts again: left by wish 2 to 12 months ago."""
    gone = month_number(turn.first) - month_number(turn.subs["ends"])
    could = (turn.subs["cause"] == "voluntary") & (gone >= 2) & (gone <= 12) & ~turn.subs["trial_leaver"]
    return np.flatnonzero(could & (turn.rng.random(len(turn.subs)) < archetypes.WIN_BACKS))


def _start(turn: Month, who: Column, offers: Column, days: Column, fresh: Bools) -> Column:
    """Subscriptions of customers (rows of the book); only newcomers get a trial."""
    if not len(offers):
        return np.empty(0, np.int64)
    quantity = arrivals.quantities(turn.rng, offers)
    trial = np.where(fresh, happenings.of_offer(offers, "trial_days"), 0)
    versions = np.array([turn.life.sold.versions[str(one)] for one in offers])
    before = len(turn.subs)
    opening = {} if turn.bills else {"billed_through": [turn.story.opening] * len(offers)}
    made = turn.send(
        start, "start", customer_id=turn.customers["id"][who], price_version_id=versions, start_on=days,
        quantity_micro=quantity * MICRO, trial_days=trial, external_id=[f"A{20_001 + before + i}" for i in range(len(offers))],
        **opening,
    )  # fmt: skip
    leaves = (trial > 0) & (turn.rng.random(len(offers)) < archetypes.TRIAL_LEAVERS)
    return turn.subs.add(
        id=np.array(made["subscription_ids"]), customer=who, offer=offers, version=versions, quantity=quantity,
        addon="", begins=days + trial.astype("m8[D]"), ends=NEVER, paused_until=turn.first, cause="",
        trial_leaver=leaves, migrated_on=LONG_AGO, own_price=False,
    )  # fmt: skip


def _welcome(turn: Month, rows: Column, fresh: Bools) -> None:
    """Coupons of newcomers and of those who came back."""
    offers, lucky = turn.subs["offer"][rows], turn.rng.random(len(rows)) < archetypes.COUPON_AT_START
    code = happenings.coupons(turn.rng, offers, int(turn.first.astype("M8[M]").astype(int)) % 12 + 1)
    code = np.where(fresh, np.where(lucky, code, ""), "TILBAKE")
    some = code != ""
    ids = np.array([turn.life.sold.coupons[str(one)] for one in code[some]], dtype=np.int64)
    turn.send(grant_coupon, "coupon", subscription_id=turn.subs["id"][rows][some], coupon_id=ids,
              effective_on=turn.subs["begins"][rows][some])  # fmt: skip
