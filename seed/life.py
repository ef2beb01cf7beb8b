"""The life of the demo company: everybody, and what happens month by month, one command for each kind of thing."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from core.actions.company import add_currency_rate
from core.actions.touch_points import record_touch_points
from core.actions.usage import record_usage
from seed import archetypes, catalogue, happenings
from seed.book import CUSTOMER, SUBSCRIPTION, Book, Column
from seed.choices import change
from seed.coming import arrive
from seed.known import special
from seed.leaving import leave
from seed.month import Month
from seed.paying import PENDING, settle
from seed.story import Sold, Story

DEARER_OFFICE_AT, DEARER_HOME_AT = 0.5, 0.72  # of all months


class Life:
    """Everybody, as far as the author remembers, and what happens next."""

    def __init__(self, story: Story, sold: Sold) -> None:
        self.story, self.sold = story, sold
        self.customers, self.subscriptions = Book(CUSTOMER), Book(SUBSCRIPTION)
        months = len(story.firsts)
        whole = happenings.days_in_month(story.firsts[-1])
        self.coming = archetypes.arrivals(story.order.customers, months, story.order.as_of.day / whole)
        self.dearer_office, self.dearer_home = round(months * DEARER_OFFICE_AT), round(months * DEARER_HOME_AT)
        self.unpaid = pl.DataFrame(schema=PENDING)
        self.rates = dict(catalogue.CURRENCY_RATES)

    def live(self, month: int) -> None:
        """One month."""
        turn = Month(self, month)
        prices(turn)
        arrive(turn)
        leave(turn)
        change(turn)
        meet(turn)
        use(turn)
        settle(turn)
        special(turn)


def prices(turn: Month) -> None:
    """Currency rates of the month, and the two price changes."""
    day, life = turn.story.firsts[turn.month], turn.life
    for currency in life.rates:
        life.rates[currency] *= float(np.exp(turn.rng.normal(0, 0.012)))
        turn.story.do(add_currency_rate, f"{turn.month}/rate {currency}", day, who="finance",
                      currency=currency, on_date=day, rate=f"{life.rates[currency]:.4f}")  # fmt: skip
    if turn.month == life.dearer_office:
        _dearer(turn, "kontor", catalogue.DEARER_OFFICE, day)
    if turn.month == life.dearer_home:
        _dearer(turn, "hjem", catalogue.DEARER_HOME, day)


def _dearer(turn: Month, offer: str, terms: Any, day: date) -> None:
    plan_id = turn.life.sold.plans[catalogue.OFFERS[offer].plan]
    turn.life.sold.versions[offer] = turn.story.price(offer, plan_id, terms, day, note="Ny pris")


def meet(turn: Month) -> None:
    """Onboarding steps of newcomers, service contacts of everybody."""
    steps = happenings.onboarding(turn.customers, turn.first, turn.last)
    contacts = happenings.contacts(turn.rng, turn.customers, _customers_served(turn), turn.first, turn.last)
    rows = pl.concat([steps, contacts])
    if rows.height:
        turn.do(record_touch_points, "touch points", requests=rows)


def _customers_served(turn: Month) -> Column:
    served = (turn.subs["ends"] > turn.last) & (turn.subs["begins"] <= turn.first)
    return np.unique(turn.subs["customer"][served])


def use(turn: Month) -> None:
    """Usage of the month, as far as it will be billed."""
    following = turn.month + 2 > len(turn.story.firsts) - 1 or turn.story.last_day(turn.month + 1) > turn.story.opening
    if not (turn.bills or following):
        return
    rows = happenings.usage(turn.rng, turn.subs, turn.first, turn.last)
    if rows.height:
        turn.do(record_usage, "usage", requests=rows)
