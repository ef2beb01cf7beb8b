"""The demo company's own story: its months, its people, its prices, and the ids and instants of what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Engine, select

from core.actions.command import Answer
from core.actions.company import add_vat_rule, save_company
from core.actions.coupons import create_coupon
from core.actions.invoices import run_billing
from core.actions.people import add_person
from core.actions.plans import create_plan, publish, save_draft, set_policy
from core.domain.access import SYSTEM, Actor, Role
from core.store.engine import reading
from core.store.tables import BillingRun, Command, core_table
from seed import catalogue


def months_until(as_of: date, months: int) -> list[date]:
    """The first days of the last `months` months, and then `as_of` + 1 as the end of the last."""
    last = as_of.year * 12 + as_of.month - 1
    firsts = [date(number // 12, number % 12 + 1, 1) for number in range(last - months + 1, last + 1)]
    return [*firsts, as_of + timedelta(days=1)]


@dataclass
class Sold:
    """Ids of what is sold now: plans, the version of each offer for new customers, coupons."""

    plans: dict[str, int]
    versions: dict[str, int]
    coupons: dict[str, int]


@dataclass(frozen=True)
class Order:
    """What was asked for. Its text begins every command id, so that a filling that was cut off is finished as it began."""

    seed: int
    customers: int
    months: int
    invoiced: int
    as_of: date

    def __str__(self) -> str:
        return f"demo:{self.seed}:{self.customers}:{self.months}:{self.invoiced}:{self.as_of}"

    @classmethod
    def read(cls, command_id: str) -> Order:
        """The order that a command id begins with."""
        _, seed, customers, months, invoiced, rest = command_id.split(":")
        return cls(int(seed), int(customers), int(months), int(invoiced), date.fromisoformat(rest.split()[0]))


class Story:
    """Who acts when: ids of commands, instants and the people of the company."""

    def __init__(self, engine: Engine, order: Order) -> None:
        self.engine, self.order = engine, order
        days = months_until(order.as_of, order.months)
        self.firsts, self.end = days[:-1], days[-1]
        self.opening = self.firsts[order.months - order.invoiced] - timedelta(days=1)
        self.founded = self.firsts[0] - timedelta(days=60)
        self.people: dict[str, Actor] = {}

    def last_day(self, month: int) -> date:
        """The last day of a month that has been lived."""
        return (self.firsts[month + 1] if month + 1 < len(self.firsts) else self.end) - timedelta(days=1)

    def do(
        self, action: Callable[..., Answer], name: str, day: date, /, at: int = 0, who: str = "", **content: Any
    ) -> Answer:
        """One command under the story's own id, on a day at an hour (UTC)."""
        now = datetime.combine(day, time(at, 10), UTC)
        return action(self.engine, self.people.get(who, SYSTEM), f"{self.order} {name}", now, **content)

    def bill(self, name: str, through: date, at: int) -> None:
        """Bill everything due; a run that was finished is not looked at again."""
        command_id = f"{self.order} {name}"
        if not self._is_finished(f"{command_id}/start"):
            now = datetime.combine(through, time(at, 30), UTC)
            who = self.people["finance"]
            run_billing(self.engine, who, now=now, through=through, issue_date=through, command_id=command_id)

    def _is_finished(self, command_id: str) -> bool:
        """Has the run with this start been finished?"""
        run, done = core_table(BillingRun).c, core_table(Command).c
        with reading(self.engine) as session:
            key = session.execute(select(run.id).where(run.command_id == command_id)).scalar()
            finished = select(done.id).where(done.id == f"run {key}/finish")
            return key is not None and session.execute(finished).first() is not None

    # --- the founding ----------------------------------------------------------------------------------------------

    def found(self) -> Sold:
        """The company with its people, VAT, plans, prices and coupons."""
        day = self.founded
        self.do(save_company, "company", day, effective_from=day, **catalogue.COMPANY)
        for name, email, role in catalogue.PEOPLE:
            made = self.do(add_person, f"person {role}", day, name=name, email=email, role=role)
            self.people[role] = Actor(name, Role(role), made["person_id"])
        for number, rule in enumerate(vat_rules()):
            self.do(add_vat_rule, f"vat {number}", day, seller_country="NO", valid_from=day, **rule)
        plans = self._plans(day)
        versions = {
            name: self.price(name, plans[offer.plan], offer.terms, day, note="Første pris")
            for name, offer in catalogue.OFFERS.items()
        }
        return Sold(plans, versions, self._coupons(day))

    def _plans(self, day: date) -> dict[str, int]:
        ids = {}
        for code, name, rank, description in catalogue.PLANS:
            made = self.do(create_plan, f"plan {code}", day, who="product", code=code, name=name, rank=rank,
                           description=description)  # fmt: skip
            ids[code] = made["plan_id"]
        self.do(set_policy, "policy kjede", day, who="product", plan_id=ids["kjede"], effective_from=day, notice_days=0,
                minimum_quantity=1, maximum_pause_days=90)  # fmt: skip
        return ids

    def price(self, name: str, plan_id: int, terms: Any, day: date, note: str) -> int:
        """A price version drafted by the product manager and published by the administrator from a day on."""
        draft = self.do(save_draft, f"draft {name} {day}", day, who="product", plan_id=plan_id, terms=terms, note=note)
        version: int = draft["price_version_id"]
        self.do(publish, f"publish {name} {day}", day, who="admin", price_version_id=version, valid_from=day)
        return version

    def _coupons(self, day: date) -> dict[str, int]:
        return {
            one["code"]: self.do(create_coupon, f"coupon {one['code']}", day, who="product", **one)["coupon_id"]
            for one in catalogue.COUPONS
        }


def vat_rules() -> list[dict[str, Any]]:
    """Norway by category; abroad, businesses with a VAT number account for it themselves."""
    rates = [
        {"category": name, "rate_ppm": rate, "customer_country": "NO"} for name, rate in catalogue.VAT_RATES_PPM.items()
    ]
    free = {"category": catalogue.FREE_OF_VAT, "treatment": "zero", "customer_country": "NO"}
    abroad = [{"category": name, "treatment": "reverse_charge", "customer_kind": "business", "has_vat_number": True}
              for name in (*catalogue.VAT_RATES_PPM, catalogue.FREE_OF_VAT)]  # fmt: skip
    return [*rates, free, *abroad]
