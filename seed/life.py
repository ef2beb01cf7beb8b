"""A month in the life of the demo company: what its customers do, as one command for each kind of thing.

A month's facts are recorded on its last day (the last month's on `as_of`) and count from days inside it; billing follows on
the first of the next. Who leaves is drawn first, so that nobody changes what has ended.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from core.actions.company import add_currency_rate
from core.actions.customers import create_customers, edit_customers
from core.actions.invoices import hold
from core.actions.plans import negotiate
from core.actions.subscriptions import (
    cancel,
    change_addon,
    change_price,
    change_quantity,
    grant_coupon,
    pause,
    start,
    undo,
)
from core.actions.touch_points import record_touch_points
from core.actions.usage import record_usage
from seed import archetypes, arrivals, catalogue, happenings, names
from seed.archetypes import Bools
from seed.book import CUSTOMER, NEVER, SUBSCRIPTION, Book, Column, boundary_in, day_of_month, month_number
from seed.story import Sold, Story

MICRO = 10**6
DAY = np.timedelta64(1, "D")
DEARER_OFFICE_AT, DEARER_HOME_AT, MIGRATED_AFTER = 0.5, 0.72, 3  # of all months; months later


class Life:
    """Everybody, as far as the author remembers, and what happens next."""

    def __init__(self, story: Story, sold: Sold, customers: int) -> None:
        self.story, self.sold = story, sold
        self.customers, self.subscriptions = Book(CUSTOMER), Book(SUBSCRIPTION)
        months = len(story.firsts)
        whole = happenings.days_in_month(story.firsts[-1])
        self.coming = archetypes.arrivals(customers, months, story.as_of.day / whole)
        self.dearer_office, self.dearer_home = round(months * DEARER_OFFICE_AT), round(months * DEARER_HOME_AT)
        self.rates = dict(catalogue.CURRENCY_RATES)

    def live(self, month: int) -> None:
        """One month."""
        turn = Month(self, month)
        turn.prices()
        leaving = turn.leave()
        turn.arrive()
        turn.change(leaving)
        turn.meet()
        turn.use()
        turn.special()


class Month:
    """One month's commands."""

    def __init__(self, life: Life, month: int) -> None:
        self.life, self.month, self.story = life, month, life.story
        self.rng = np.random.default_rng([life.story.seed, month])
        self.first = np.datetime64(self.story.firsts[month])
        self.last_date = self.story.last_day(month)
        self.last = np.datetime64(self.last_date)
        self.customers, self.subs = life.customers, life.subscriptions
        self.is_last = month + 1 == len(self.story.firsts)
        self.bills = self.last_date > self.story.opening

    def do(self, action: Any, name: str, at: int = 0, who: str = "support", **content: Any) -> Any:
        """A command of this month, recorded on its last day."""
        hour = at if not self.is_last else 0
        return self.story.do(action, f"{self.month}/{name}", self.last_date, at=hour, who=who, **content)

    def send(self, action: Any, name: str, **columns: Any) -> Any:
        """A batch; nothing when it is empty."""
        requests = pl.DataFrame({key: pl.Series(values) for key, values in columns.items()})
        return self.do(action, name, requests=requests) if requests.height else {"change_ids": []}

    def some_day(self, count: int, since: Column | None = None) -> Column:
        """Days of this month that have come, not before `since`."""
        earliest = self.first if since is None else np.maximum(since, self.first)
        span = (self.last - earliest).astype(np.int64) + 1
        return earliest + (self.rng.random(count) * span).astype(np.int64).astype("m8[D]")

    # --- prices ----------------------------------------------------------------------------------------------------

    def prices(self) -> None:
        """Currency rates of the month, and the two price changes."""
        day, life = self.story.firsts[self.month], self.life
        for currency in life.rates:
            life.rates[currency] *= float(np.exp(self.rng.normal(0, 0.012)))
            self.story.do(add_currency_rate, f"{self.month}/rate {currency}", day, at=3, who="finance",
                          currency=currency, on_date=day, rate=f"{life.rates[currency]:.4f}")  # fmt: skip
        if self.month == life.dearer_office:
            self._dearer("kontor", catalogue.DEARER_OFFICE, day)
        if self.month == life.dearer_home:
            self._dearer("hjem", catalogue.DEARER_HOME, day)

    def _dearer(self, offer: str, terms: Any, day: date) -> None:
        plan_id = self.life.sold.plans[catalogue.OFFERS[offer].plan]
        self.life.sold.versions[offer] = self.story.price(offer, plan_id, terms, day, note="Ny pris")

    # --- leaving ---------------------------------------------------------------------------------------------------

    def leave(self) -> Bools:
        """Cancellations of this month; answers who is gone or going."""
        subs, rng = self.subs, self.rng
        tick = self.ticks()
        trial_over = (
            subs["trial_leaver"]
            & (subs["begins"] > self.first - DAY)
            & (subs["begins"] <= self.last)
            & (subs["ends"] == NEVER)
        )
        draws = rng.random((2, len(subs)))
        leaving = (self.deciding(tick) & (draws[0] < self.chance(tick))) | trial_over
        where = np.flatnonzero(leaving)
        end = np.where(trial_over, subs["begins"], self._end_of_period(tick))[where]
        payment = self.customers["payment"][subs["customer"][where]]
        cause = np.where(trial_over[where], "voluntary", happenings.causes(rng, payment))
        reason = np.where(cause == "voluntary", rng.choice(archetypes.REASONS, len(where)), "")
        self.send(
            cancel, "cancel", subscription_id=subs["id"][where], effective_on=end - DAY, cause=cause, reason=reason
        )
        subs["ends"][where], subs["cause"][where] = end, cause
        return subs["ends"] < NEVER

    def ticks(self) -> Column:
        """The billing boundary of each subscription in this month."""
        by_calendar = happenings.of_offer(self.subs["offer"], "calendar")
        return boundary_in(self.first, np.where(by_calendar, 1, day_of_month(self.subs["begins"])))

    def _end_of_period(self, tick: Column) -> Column:
        """Weekly plans end with their week, the others at the boundary."""
        days = (tick - self.subs["begins"]).astype(np.int64)
        weekly = self.subs["begins"] + (-(-days // 7) * 7).astype("m8[D]")
        return np.where(happenings.of_offer(self.subs["offer"], "months") == 0, weekly, tick)

    def deciding(self, tick: Column) -> Bools:
        """Whose period ends at the tick, and who thinks about leaving then."""
        subs = self.subs
        months = np.maximum(happenings.of_offer(subs["offer"], "months"), 1)
        by_calendar = happenings.of_offer(subs["offer"], "calendar")
        tenure = month_number(tick) - month_number(subs["begins"])
        at = np.where(by_calendar, month_number(tick), tenure)
        thought_on = self.first + (self.rng.random(len(subs)) * 28).astype(np.int64).astype("m8[D]")
        has_come = np.where(tick <= self.last, True, thought_on <= self.last)
        served = (subs["ends"] == NEVER) & (subs["paused_until"] <= self.first) & ~subs["trial_leaver"]
        return served & has_come & (tenure >= 1) & (at % months == 0)

    def chance(self, tick: Column) -> Column:
        """The stated chance of leaving at the tick."""
        subs, who = self.subs, self.subs["customer"]
        unresolved = (tick - self.customers["unresolved_on"][who]).astype(np.int64) <= archetypes.CONTACT_DAYS
        migrated = (month_number(self.first) - month_number(subs["migrated_on"])) <= 1
        traits = archetypes.Traits(
            plan=happenings.of_offer(subs["offer"], "plan"),
            months=month_number(tick) - month_number(subs["begins"]),
            payment=self.customers["payment"][who],
            channel=self.customers["channel"][who],
            onboarded=self.customers["onboarded"][who],
            unresolved=unresolved,
            migrated=migrated,
        )
        hazard = archetypes.hazard(traits)
        return 1 - (1 - hazard) ** np.maximum(happenings.of_offer(subs["offer"], "months"), 1)

    # --- coming ----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """New customers and those who come back, their subscriptions and coupons."""
        count = int(self.life.coming[self.month])
        days = np.sort(self.some_day(count))
        who = offer = np.empty(0, np.int64)
        if count:
            requests, known = arrivals.draw(self.rng, days, len(self.customers))
            made = self.do(create_customers, "customers", requests=requests)
            who, offer = arrivals.remember(self.customers, made["customer_ids"], known), known["offer"]
        back = self._coming_back()
        offers = np.concatenate([offer, self.subs["offer"][back]]).astype("U16")
        days = np.concatenate([days, self.some_day(len(back), self.subs["ends"][back])])
        self.subs["cause"][back] = "returned"
        fresh = np.arange(len(offers)) < count
        rows = self._start(np.concatenate([who, self.subs["customer"][back]]).astype(np.int64), offers, days, fresh)
        self._welcome(rows, fresh)

    def _coming_back(self) -> Column:
        """Subscriptions whose customer starts again: left by wish 2 to 12 months ago."""
        gone = month_number(self.first) - month_number(self.subs["ends"])
        could = (self.subs["cause"] == "voluntary") & (gone >= 2) & (gone <= 12) & ~self.subs["trial_leaver"]
        return np.flatnonzero(could & (self.rng.random(len(self.subs)) < archetypes.WIN_BACKS))

    def _start(self, who: Column, offers: Column, days: Column, fresh: Bools) -> Column:
        """Subscriptions of customers (rows of the book); only newcomers get a trial."""
        if not len(offers):
            return np.empty(0, np.int64)
        quantity = arrivals.quantities(self.rng, offers)
        trial = np.where(fresh, happenings.of_offer(offers, "trial_days"), 0)
        versions = np.array([self.life.sold.versions[str(one)] for one in offers])
        before = len(self.subs)
        opening = {} if self.bills else {"billed_through": [self.story.opening] * len(offers)}
        made = self.send(
            start, "start", customer_id=self.customers["id"][who], price_version_id=versions, start_on=days,
            quantity_micro=quantity * MICRO, trial_days=trial, external_id=[f"A{20_001 + before + i}" for i in range(len(offers))],
            **opening,
        )  # fmt: skip
        leaves = (trial > 0) & (self.rng.random(len(offers)) < archetypes.TRIAL_LEAVERS)
        return self.subs.add(
            id=np.array(made["subscription_ids"]), customer=who, offer=offers, version=versions, quantity=quantity,
            addon="", begins=days + trial.astype("m8[D]"), ends=NEVER, paused_until=self.first, cause="",
            trial_leaver=leaves, migrated_on=np.datetime64("1900-01-01"), own_price=False,
        )  # fmt: skip

    def _welcome(self, rows: Column, fresh: Bools) -> None:
        """Coupons of newcomers and of those who came back."""
        offers, lucky = self.subs["offer"][rows], self.rng.random(len(rows)) < archetypes.COUPON_AT_START
        code = happenings.coupons(self.rng, offers, int(self.first.astype("M8[M]").astype(int)) % 12 + 1)
        code = np.where(fresh, np.where(lucky, code, ""), "TILBAKE")
        some = code != ""
        ids = np.array([self.life.sold.coupons[str(one)] for one in code[some]], dtype=np.int64)
        self.send(grant_coupon, "coupon", subscription_id=self.subs["id"][rows][some], coupon_id=ids,
                  effective_on=self.subs["begins"][rows][some])  # fmt: skip

    # --- changing --------------------------------------------------------------------------------------------------

    def change(self, gone: Bools) -> None:
        """Changes of those who were served the whole month and stay."""
        subs = self.subs
        steady = np.zeros(len(subs), dtype=bool)
        steady[: len(gone)] = ~gone
        steady &= (subs["begins"] < self.first) & (subs["paused_until"] <= self.first) & ~subs["trial_leaver"]
        self._migrate(steady)
        self._change_plans(steady)
        self._change_quantities(steady)
        self._change_addons(steady)
        self._pause(steady)
        self._regret(steady)
        self._edit(steady)

    def drawn(self, steady: Bools, chance: Column | float, among: Bools | bool = True) -> Column:
        """Rows of those who do it this month; they do nothing else."""
        where = np.flatnonzero(steady & among & (self.rng.random(len(self.subs)) < chance))
        steady[where] = False
        return where

    def _migrate(self, steady: Bools) -> None:
        """Homes on the old price move to the new one at their next boundary, some months after it came."""
        if self.month != self.life.dearer_home + MIGRATED_AFTER:
            return
        subs, new = self.subs, self.life.sold.versions["hjem"]
        where = self.drawn(steady, 1.0, (subs["offer"] == "hjem") & (subs["version"] != new))
        day = self.ticks()[where]
        self.send(change_price, "migration", subscription_id=subs["id"][where],
                  price_version_id=np.full(len(where), new), effective_on=day)  # fmt: skip
        subs["version"][where], subs["migrated_on"][where] = new, day

    def _change_plans(self, steady: Bools) -> None:
        """Upgrades at once, downgrades and other intervals at the boundary; only without add-ons or own prices."""
        subs = self.subs
        free = (subs["addon"] == "") & ~subs["own_price"]
        rows, offers, days = [], [], []
        for table, at_boundary in (
            (archetypes.UPGRADES, False), (archetypes.DOWNGRADES, True), (archetypes.INTERVAL_CHANGES, True),
        ):  # fmt: skip
            for offer, (target, chance) in table.items():
                where = self.drawn(steady, chance, free & (subs["offer"] == offer))
                rows.append(where)
                offers.append(np.full(len(where), target, dtype="U16"))
                days.append(self.ticks()[where] if at_boundary else self.some_day(len(where)))
        where, offer = np.concatenate(rows), np.concatenate(offers)
        version = np.array([self.life.sold.versions[str(one)] for one in offer], dtype=np.int64)
        self.send(change_price, "plan", subscription_id=subs["id"][where], price_version_id=version,
                  effective_on=np.concatenate(days))  # fmt: skip
        subs["offer"][where], subs["version"][where] = offer, version

    def _change_quantities(self, steady: Bools) -> None:
        """More seats more often than fewer."""
        subs = self.subs
        chance = np.zeros(len(subs))
        plan = happenings.of_offer(subs["offer"], "plan")
        for name, value in archetypes.SEAT_CHANGES.items():
            chance[plan == name] = value
        where = self.drawn(steady, chance)
        step = np.where(self.rng.random(len(where)) < 0.68, 1, -1) * self.rng.integers(1, 4, len(where))
        quantity = np.maximum(subs["quantity"][where] + step, 1)
        changed = quantity != subs["quantity"][where]
        where, quantity = where[changed], quantity[changed]
        self.send(change_quantity, "quantity", subscription_id=subs["id"][where], quantity_micro=quantity * MICRO,
                  effective_on=self.some_day(len(where)))  # fmt: skip
        subs["quantity"][where] = quantity

    def _change_addons(self, steady: Bools) -> None:
        """One add-on at a time, taken or given up."""
        subs = self.subs
        added = self.drawn(steady, archetypes.ADDON_ADDED, subs["addon"] == "")
        removed = self.drawn(steady, archetypes.ADDON_REMOVED, subs["addon"] != "")
        code = happenings.addons(self.rng, subs["offer"][added])
        many = self.rng.integers(1, 4, len(added)) * (code != "telefon") + (code == "telefon")
        where = np.concatenate([added, removed])
        self.send(
            change_addon, "addon", subscription_id=subs["id"][where],
            item=np.concatenate([code, subs["addon"][removed]]).astype("U16"),
            quantity_micro=np.concatenate([many, np.zeros(len(removed), np.int64)]) * MICRO,
            effective_on=self.some_day(len(where)),
        )  # fmt: skip
        subs["addon"][added], subs["addon"][removed] = code, ""

    def _pause(self, steady: Bools) -> None:
        """Consumers pause for one to three months."""
        subs = self.subs
        monthly = happenings.of_offer(subs["offer"], "months") <= 1
        where = self.drawn(steady, archetypes.PAUSES, monthly & ~self.customers["business"][subs["customer"]])
        day = self.ticks()[where]
        until = day + (self.rng.integers(1, 4, len(where)) * 30).astype("m8[D]")
        self.send(pause, "pause", subscription_id=subs["id"][where], effective_on=day, until_on=until,
                  reason=np.full(len(where), "Ferie"))  # fmt: skip
        subs["paused_until"][where] = until

    def _regret(self, steady: Bools) -> None:
        """Cancelled, and taken back."""
        subs = self.subs
        where = self.drawn(steady, archetypes.REGRETS)
        last = self._end_of_period(self.ticks())[where] - DAY
        made = self.send(cancel, "regretted", subscription_id=subs["id"][where], effective_on=last,
                         reason=np.full(len(where), "For dyrt"))  # fmt: skip
        self.send(undo, "undo", change_id=made["change_ids"])

    def _edit(self, steady: Bools) -> None:
        """Another payment option, another channel, a new address."""
        who = np.unique(self.subs["customer"][self.drawn(steady.copy(), archetypes.EDITS)])
        if not len(who):
            return
        what = self.rng.integers(0, 3, len(who))
        payment, channel = self.customers["payment"], self.customers["channel"]
        home = ~self.customers["business"][who]
        pays = (what == 0) & home & (payment[who] != "efaktura")
        reads = (what == 1) & (channel[who] == "paper")
        payment[who[pays]], channel[who[reads]] = "efaktura", "email"
        street, postal, city = names.places(self.rng, len(who))
        moves = (what == 2) & (self.customers["country"][who] == "NO")
        self.do(edit_customers, "edit", requests=pl.DataFrame({
            "customer_id": self.customers["id"][who],
            "effective_from": self.some_day(len(who)),
            "payment_option": happenings.only(["efaktura"] * len(who), pays),
            "channel": happenings.only(["email"] * len(who), reads),
            "address": happenings.only(street, moves), "postal_code": happenings.only(postal, moves),
            "city": happenings.only(city, moves),
        }, schema_overrides=dict.fromkeys(("payment_option", "channel", "address", "postal_code", "city"), pl.String)))  # fmt: skip

    # --- meeting and using -----------------------------------------------------------------------------------------

    def meet(self) -> None:
        """Onboarding steps of newcomers, service contacts of everybody."""
        steps = happenings.onboarding(self.customers, self.first, self.last)
        contacts = happenings.contacts(self.rng, self.customers, self._customers_served(), self.first, self.last)
        rows = pl.concat([steps, contacts])
        if rows.height:
            self.do(record_touch_points, "touch points", requests=rows)

    def _customers_served(self) -> Column:
        served = (self.subs["ends"] > self.last) & (self.subs["begins"] <= self.first)
        return np.unique(self.subs["customer"][served])

    def use(self) -> None:
        """Usage of the month, as far as it will be billed."""
        following = (
            self.month + 2 > len(self.story.firsts) - 1 or self.story.last_day(self.month + 1) > self.story.opening
        )
        if not (self.bills or following):
            return
        rows = happenings.usage(self.rng, self.subs, self.first, self.last)
        if rows.height:
            self.do(record_usage, "usage", requests=rows)

    # --- single customers ------------------------------------------------------------------------------------------

    def special(self) -> None:
        """A few whom everybody knows: agreed prices, a bill-to, a hold, one without a VAT rule."""
        months = len(self.story.firsts)
        if self.month in {months // 2, max(0, months - 6)}:
            self._negotiate()
        if self.month == months // 3:
            self._bill_to()
        if self.month == max(0, months - 3):
            self._hold()
        if self.month == max(0, months - 4):
            self._needs_review()

    def _steady(self, plans: tuple[str, ...], most: int) -> Column:
        subs = self.subs
        served = (subs["ends"] == NEVER) & (subs["begins"] < self.first) & (subs["addon"] == "") & ~subs["own_price"]
        return np.flatnonzero(served & np.isin(happenings.of_offer(subs["offer"], "plan"), plans))[:most]

    def _negotiate(self) -> None:
        """Chains and shops get an agreed price from the next month on."""
        where = self._steady(("kjede", "handel"), 4)
        following = (self.first.astype("M8[M]") + 1).astype("M8[D]").item()
        versions = []
        for row in where:
            terms = catalogue.negotiated(catalogue.OFFERS[str(self.subs["offer"][row])].terms, 12)
            key = int(self.subs["id"][row])
            made = self.do(negotiate, f"negotiate {key}", who="product", subscription_id=key, terms=terms,
                           reason="Treårig avtale", approved_by=self.story.people["admin"].name)  # fmt: skip
            versions.append(made["price_version_id"])
        self.send(change_price, "agreed", subscription_id=self.subs["id"][where],
                  price_version_id=np.array(versions, dtype=np.int64), effective_on=[following] * len(where))  # fmt: skip
        self.subs["own_price"][where] = True

    def _bill_to(self) -> None:
        """Some offices are paid for by another company of theirs."""
        firms = np.unique(self.subs["customer"][self._steady(("kontor",), 40)])
        firms = firms[self.customers["country"][firms] == "NO"]
        payers, paid = firms[:1], firms[1:4]
        if len(paid):
            self.do(edit_customers, "bill to", requests=pl.DataFrame({
                "customer_id": self.customers["id"][paid], "effective_from": [self.last_date] * len(paid),
                "bill_to_id": np.full(len(paid), self.customers["id"][payers][0]),
                "reference": ["Konsernregnskap"] * len(paid),
            }))  # fmt: skip

    def _hold(self) -> None:
        where = self._steady(("kontor",), 6)[-1:]
        for row in where:
            customer_id = int(self.customers["id"][self.subs["customer"][row]])
            self.do(hold, "hold", who="finance", customer_id=customer_id, held=True, reason="Uenig om forrige faktura")

    def _needs_review(self) -> None:
        """A Danish business without a VAT number: no rule fits, somebody must decide."""
        made = self.do(create_customers, "review customer", requests=pl.DataFrame([{
            "external_id": "K10000", "kind": "business", "name": "Skagen Fiskehus ApS", "contact": "Søren Ærø", "country": "DK",
            "postal_code": "9990", "city": "Skagen", "address": "Havnevej 2", "emails": "post@skagen.example", "language": "en",
            "created_on": self.last_date,
        }]))  # fmt: skip
        self.send(start, "review start", customer_id=made["customer_ids"], external_id=["A20000"], start_on=[self.last_date],
                  price_version_id=[self.life.sold.versions["kontor EUR"]], quantity_micro=[4 * MICRO])  # fmt: skip
