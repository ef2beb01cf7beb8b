"""The oracle for whole drafts: each subscription lived day by day, each day claimed by its charges, days added up.

`owed(company, through)` says what a `tests.company.Company` should have billed through a day by the facts known now, before
discounts and VAT. Nothing is a segment here: a line is simply a run of neighbouring days with the same claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests import oracle
from tests.company import Company
from tests.oracle import DAY, Row

MICRO = Decimal(10**6)
LONGEST = timedelta(days=400)  # no period is longer


@dataclass(frozen=True)
class Line:
    """What a charge costs for some days; `charge` None is the true-up to a minimum."""

    subscription: int
    charge: int | None
    kind: str
    version: int
    start: date
    end: date
    period: tuple[date, date]
    amount: int
    due: date


@dataclass(frozen=True)
class Limit:
    """What a limited price change carries, since its day."""

    since: date
    version: int
    earlier: int
    cap: int | None
    floor: int | None


@dataclass(frozen=True)
class Today:
    """The terms in force on a day."""

    version: int
    anchor: date
    quantity: int
    addons: tuple[tuple[str, int], ...]
    limit: Limit | None = None


def owed(company: Company, through: date) -> list[Line]:
    """Every line due through a day."""
    return [
        line for row in company.subscriptions for line in Life(company, row["subscription_id"], through).lines()
        if line.due <= through
    ]  # fmt: skip


class Life:
    """One subscription, day by day."""

    def __init__(self, company: Company, key: int, through: date) -> None:
        self.company, self.key, self.through = company, key, through
        undone = {fact["undoes_id"] for fact in company.changes if fact["kind"] == "undo"}
        own = [fact for fact in company.changes if fact["subscription_id"] == key and fact["kind"] != "undo"]
        live = [fact for fact in own if fact["change_id"] not in undone]
        self.facts = sorted(live, key=lambda fact: (fact["effective_on"], fact["change_id"]))
        self.currency = next(row["currency"] for row in company.subscriptions if row["subscription_id"] == key)
        self.begins = max([self._of("start")[0]["effective_on"], *(f["until_on"] for f in self._of("trial")[-1:])])
        self.ends = self._of("cancel")[0]["effective_on"] if self._of("cancel") else date.max
        self.days = dict(self._live())
        self.pauses = self._pauses()
        self.served = {day for day in self.days if self.begins <= day < self.ends and not self._paused(day)}
        self.kept = self.served | set(self._kept_days())

    def _of(self, kind: str) -> list[Row]:
        return [fact for fact in self.facts if fact["kind"] == kind]

    def _live(self) -> Iterator[tuple[date, Today]]:
        """The terms of each day from the first fact on."""
        terms: dict[str, Any] = {}
        addons: dict[str, int] = {}
        limit: Limit | None = None
        day = self._of("start")[0]["effective_on"]
        facts = iter([*self.facts, None])
        fact = next(facts)
        while day <= self.through + LONGEST:
            while fact is not None and fact["effective_on"] <= day:
                if fact["kind"] == "addon":
                    addons[fact["item"]] = fact["quantity_micro"]
                elif fact["kind"] in ("start", "trial", "price", "quantity"):
                    terms |= {name: fact[name] for name in ("price_version_id", "quantity_micro", "anchor_on") if fact.get(name) is not None}  # fmt: skip
                    limit = _limit(fact) if fact.get("price_version_id") else limit
                fact = next(facts)
            yield (
                day,
                Today(
                    terms["price_version_id"], terms["anchor_on"], terms["quantity_micro"], tuple(addons.items()), limit
                ),
            )
            day += DAY

    def _paused(self, day: date) -> bool:
        return any(start <= day < end for start, end, _ in self.pauses)

    def _pauses(self) -> list[tuple[date, date, str | None]]:
        """[from, until) and what is credited: to the planned end or the first resumption."""
        pauses = []
        for fact in self._of("pause"):
            ends = [f["effective_on"] for f in self._of("resume") if f["effective_on"] >= fact["effective_on"]]
            until = min([fact.get("until_on") or date.max, *ends])
            pauses.append((fact["effective_on"], until, fact.get("credit")))
        return pauses

    def _kept_days(self) -> Iterator[date]:
        """Days after an end of service that stay owed: without credit, the rest of the period in which service ended."""
        for day in sorted(self.served):
            credit = self._ending(day + DAY)
            if day + DAY not in self.served and credit in (None, "none") and day + DAY in self.days:
                rest, before = day + DAY, self.days[day]
                # Other terms (prices or billing day) end what was paid ahead for the old ones: nothing of it is kept.
                while rest < self.period(day)[1] and rest not in self.served and self._same_terms(rest, before):
                    yield rest
                    rest += DAY

    def _same_terms(self, day: date, before: Today) -> bool:
        return (self.days[day].version, self.days[day].anchor) == (before.version, before.anchor)

    def _ending(self, day: date) -> str | None:
        """What the end of service on a day credits."""
        if day == self.ends:
            return [fact for fact in self._of("cancel") if fact["effective_on"] == day][-1].get("credit")
        return next((credit for start, until, credit in self.pauses if start == day and until > day), None)

    def period(self, day: date) -> tuple[date, date]:
        """The whole period that holds a day, by the terms of that day."""
        today = self.days[day]
        row = self.company.versions[today.version - 1]
        anchor = today.anchor
        if row["calendar"] and row["interval_days"] % 7 == 0:
            anchor = anchor - DAY * anchor.weekday() if row["interval_days"] else date(anchor.year, 1, 1)
        return oracle.period(anchor, row["interval_months"], row["interval_days"], day)

    def lines(self) -> list[Line]:
        """Lines of all charges, then the true-ups, then what limits on a price rise come to."""
        own = self._charged()
        return [*own, *(line for limit in self._limits() for line in self._limited(limit))]

    def _charged(self, *, unused: bool = False) -> list[Line]:
        """Lines of all charges and the true-ups; `unused`: also those of meters on which nothing was used."""
        made: list[Line] = []
        for charge in self.company.charges:
            if charge["kind"] == "one_off":
                made += self._one_off(charge)
            elif charge["kind"] == "usage":
                made += self._usage(charge, unused=unused)
            else:
                made += self._recurring(charge)
        return [*made, *self._true_ups(made)]

    def _runs(self, claims: dict[date, Any]) -> Iterator[tuple[date, date, Any]]:
        """Neighbouring days with the same claim."""
        start = None
        for day in sorted(claims):
            start = start or day
            if claims.get(day + DAY) != claims[day]:
                yield start, day + DAY, claims[day]
                start = None

    def _recurring(self, charge: Row) -> Iterator[Line]:
        """Fixed fees, seats and add-ons: what each day of a period claims of the period's amount."""
        advance = charge["timing"] == "in_advance"
        claims = {}
        for day in self.kept if advance else self.served:
            today = self.days[day]
            quantity = self._quantity(charge, today)
            if today.version == charge["price_version_id"] and quantity is not None:
                claims[day] = (self.period(day), quantity)
        for start, end, (period, quantity) in self._runs(claims):
            amount = oracle.cost(charge, quantity / MICRO, self.currency)
            if amount:
                share = oracle.part(amount, (start, end), period)
                yield self._line(charge, (start, end), period, share, start if advance else end)

    def _quantity(self, charge: Row, today: Today) -> int | None:
        """How many; None when the charge is not owed."""
        if charge["kind"] == "addon":
            return dict(today.addons).get(charge["code"]) or None
        return today.quantity if charge["kind"] == "seat" else 10**6

    def _usage(self, charge: Row, *, unused: bool) -> Iterator[Line]:
        """Events of each stretch of the plan inside a period; pauses do not cut it."""
        days = (day for day in self.days if self.begins <= day < self.ends)
        claims = {day: self.period(day) for day in days if self.days[day].version == charge["price_version_id"]}
        for start, end, period in self._runs(claims):
            events = [e for e in self._events(charge) if start <= e["occurred_on"] < end]
            amounts = [Decimal(event["amount_micro"] or 0) / MICRO for event in events]
            total = sum((Decimal(e["quantity_micro"]) / MICRO for e in events), Decimal(0))
            if charge["model"] == "percentage":
                amount = (
                    oracle.fees(charge, amounts, self.currency) if events else oracle.limited(charge, 0, self.currency)
                )
            else:
                base = sum(amounts, Decimal(0)) if charge["model"] == "graduated_percentage" else total
                amount = oracle.cost(charge, base, self.currency)
            if amount or total or unused:
                yield self._line(charge, (start, end), period, amount, end)

    def _events(self, charge: Row) -> list[Row]:
        own = [e for e in self.company.events if e["subscription_id"] == self.key and e["meter"] == charge["meter"]]
        return sorted(own, key=lambda event: (event["occurred_on"], event["event_id"]))

    def _one_off(self, charge: Row) -> Iterator[Line]:
        if (
            self.begins < self.ends
            and self.days.get(self.begins)
            and self.days[self.begins].version == charge["price_version_id"]
        ):
            amount = oracle.cost(charge, Decimal(1), self.currency)
            if amount:
                span = (self.begins, self.begins + DAY)
                yield self._line(charge, span, span, amount, self.begins)

    def _true_ups(self, lines: list[Line]) -> Iterator[Line]:
        """What is missing to the minimum of each stretch of service in a period."""
        claims = {day: (self.days[day].version, self.period(day)) for day in self.served}
        for start, end, (version, period) in self._runs(claims):
            minimum = self.company.versions[version - 1]["minimum_minor"]
            used = sum(
                line.amount for line in lines
                if line.version == version and line.kind != "one_off" and line.period == period and start <= line.start < end
            )  # fmt: skip
            missing = oracle.part(minimum, (start, end), period) - used
            if minimum and missing > 0:
                yield Line(self.key, None, "true_up", version, start, end, period, missing, end)

    def _line(self, charge: Row, span: tuple[date, date], period: tuple[date, date], amount: int, due: date) -> Line:
        version = charge["price_version_id"]
        return Line(self.key, charge["charge_id"], charge["kind"], version, *span, period, amount, due)

    def _limits(self) -> list[Limit]:
        return sorted({today.limit for today in self.days.values() if today.limit}, key=lambda limit: limit.since)

    def _limited(self, limit: Limit) -> Iterator[Line]:
        """Period by period: whatever has fallen due of it so far, by both prices, and what the days before have had."""
        after, before = (Shadow(self, limit, version).costs() for version in (limit.version, limit.earlier))
        for period in sorted({period for period, *_ in [*after, *before]}):
            days = sorted({(due, timing) for its, due, timing, _ in [*after, *before] if its == period})
            names = sorted({category for its, _, _, category in [*after, *before] if its == period})
            had = dict.fromkeys(names, 0)
            for day in days:
                now, then = ({name: _until(costs, period, day, name) for name in names} for costs in (after, before))
                floor = limit.floor if day == days[-1] else None
                total = held(sum(then.values()), sum(now.values()), limit.cap, floor)
                weights = list((now if any(now.values()) else then).values())
                for name, part in zip(names, oracle.spread(total, weights), strict=True):
                    if part != had[name]:
                        yield self._limit_line(limit, name, period, day, part - had[name])
                    had[name] = part

    def _limit_line(
        self, limit: Limit, category: str, period: tuple[date, date], day: tuple[date, str], amount: int
    ) -> Line:
        """From its day on where it is paid ahead, up to its day where it is not."""
        due, timing = day
        end = next((day for day in sorted(self.days) if day > limit.since and self.days[day].limit != limit), date.max)
        span = (due, min(period[1], end)) if timing == "in_advance" else (max(period[0], limit.since), due)
        own = (
            c for c in self.company.charges if c["price_version_id"] == limit.version and c["vat_category"] == category
        )
        charge = min(own, key=lambda c: (c["position"], c["charge_id"]), default={"charge_id": None})
        return Line(self.key, charge["charge_id"], "limit", limit.version, *span, period, amount, due)


class Shadow(Life):
    """The days of one limit only, by one of its two prices; the periods are those of the prices in force."""

    def __init__(self, life: Life, limit: Limit, version: int) -> None:
        self.__dict__ |= life.__dict__
        self.real = life
        self.days = {day: replace(today, version=version) for day, today in life.days.items() if today.limit == limit}
        self.served = life.served & set(self.days)
        self.kept = life.kept & set(self.days)

    def period(self, day: date) -> tuple[date, date]:
        return self.real.period(day)

    def costs(self) -> dict[tuple[tuple[date, date], date, str, str], int]:
        """What falls due: by period, day, timing and VAT category; a true-up is of the standard one, at the end."""
        charges = {charge["charge_id"]: charge for charge in self.company.charges}
        sums: dict[tuple[tuple[date, date], date, str, str], int] = {}
        for line in self._charged(unused=True):
            charge = charges.get(line.charge, {"timing": "in_arrears", "vat_category": "standard"})
            key = (line.period, line.due, charge["timing"], charge["vat_category"])
            if line.kind != "one_off":
                sums[key] = sums.get(key, 0) + line.amount
        return sums


def _until(costs: dict[Any, int], period: tuple[date, date], day: tuple[date, str], category: str) -> int:
    """What has fallen due of a period and category up to a day."""
    return sum(
        amount for (its, due, timing, name), amount in costs.items()
        if its == period and name == category and (due, timing) <= day
    )  # fmt: skip


def held(before: int, after: int, cap: int | None, floor: int | None) -> int:
    """min(0, before · (1 + cap) − after), then what lifts it to before · (1 − floor)."""
    off = 0 if cap is None else min(0, oracle.ratio(before, 10**6 + cap, 10**6) - after)
    return off if floor is None else off + max(0, oracle.ratio(before, 10**6 - floor, 10**6) - after - off)


def _limit(fact: Row) -> Limit | None:
    """The limit that a price change carries."""
    if fact.get("earlier_version_id") is None:
        return None
    terms = (fact["effective_on"], fact["price_version_id"], fact["earlier_version_id"])
    return Limit(*terms, fact.get("cap_ppm"), fact.get("floor_ppm"))
