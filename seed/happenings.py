"""What happens to people in a month, drawn from a Generator: reasons, contacts, onboarding, usage. No commands here."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from seed import archetypes, catalogue
from seed.archetypes import Bools
from seed.book import Book, Column

MICRO = 10**6
_SORTED = sorted(catalogue.NAMES)
_OFFER: dict[str, Column] = {
    "plan": np.array([catalogue.OFFERS[name].plan for name in _SORTED]),
    "months": np.array([catalogue.OFFERS[name].months for name in _SORTED]),
    "calendar": np.array([catalogue.OFFERS[name].calendar for name in _SORTED]),
    "trial_days": np.array([catalogue.OFFERS[name].terms.trial_days for name in _SORTED]),
}


def of_offer(offers: Column, what: str) -> Column:
    """plan, months, calendar or trial_days of each offer."""
    return _OFFER[what][np.searchsorted(_SORTED, offers.astype("U16"))]


def days_in_month(day: date) -> int:
    """How long the day's month is."""
    return calendar.monthrange(day.year, day.month)[1]


def only(values: list[str], which: Bools) -> list[str | None]:
    """The values where they count, None elsewhere."""
    return [value if yes else None for value, yes in zip(values, which, strict=True)]


def causes(rng: np.random.Generator, payment: Column) -> Column:
    """Why each leaver's service ends, by payment option."""
    shares = np.array([archetypes.CAUSE_SHARES[name] for name in archetypes.PAYMENTS]).cumsum(axis=1)
    at = np.array([archetypes.PAYMENTS.index(str(name)) for name in payment], dtype=np.int64)
    draw = rng.random(len(payment))
    which = (draw[:, None] > shares[at]).sum(axis=1) if len(payment) else at
    return np.array(archetypes.CAUSES)[np.minimum(which, len(archetypes.CAUSES) - 1)]


def coupons(rng: np.random.Generator, offers: Column, month: int) -> Column:
    """The coupon that would fit each newcomer."""
    plan = of_offer(offers, "plan")
    consumer = np.isin(plan, ["hjem", "familie", "hytte"])
    summer = month in (6, 7)
    home = np.where(rng.random(len(offers)) < 0.25, "STUDENT", "SOMMER" if summer else "VELKOMMEN")
    office = np.where(
        np.isin(offers, ["kontor SEK", "kontor EUR"]) | (rng.random(len(offers)) < 0.5), "BRUKER10", "GRÜNDER"
    )
    return np.where(consumer, home, np.where(plan == "kontor", office, "GRÜNDER")).astype("U16")


def addons(rng: np.random.Generator, offers: Column) -> Column:
    """An add-on of each offer."""
    draw = rng.random(len(offers))
    chosen = []
    for name, at in zip(offers, draw, strict=True):
        codes = catalogue.OFFERS[str(name)].addons
        chosen.append(codes[int(at * len(codes))])
    return np.array(chosen, dtype="U16")


# --- touch points ---------------------------------------------------------------------------------------------------


def onboarding(customers: Book, first: np.datetime64, last: np.datetime64) -> pl.DataFrame:
    """Steps of newcomers that fall into this month; who is not onboarded gets only the welcome."""
    parts = []
    for place, (step, latest) in enumerate(archetypes.ONBOARDING_STEPS):
        spread = customers["id"] * 7919 % (latest + 1)  # the same day however often it is asked
        day = customers["created_on"] + np.minimum(spread + place, latest).astype("m8[D]")
        due = (day >= first) & (day <= last) & (customers["onboarded"] | (place == 0))
        parts.append(_touches(customers["id"][due], day[due], "onboarding", step, "completed"))
    return pl.concat(parts)


def contacts(
    rng: np.random.Generator, customers: Book, rows: Column, first: np.datetime64, last: np.datetime64
) -> pl.DataFrame:
    """Service contacts of customers served this month; an unresolved one is remembered."""
    who = rows[rng.random(len(rows)) < archetypes.CONTACTS]
    span = int((last - first).astype(np.int64)) + 1
    day = first + rng.integers(0, span, len(who)).astype("m8[D]")
    unresolved = rng.random(len(who)) < archetypes.UNRESOLVED
    kind, topic = rng.choice(archetypes.CONTACT_KINDS, len(who)), rng.choice(archetypes.CONTACT_TOPICS, len(who))
    customers["unresolved_on"][who[unresolved]] = day[unresolved]
    return _touches(customers["id"][who], day, kind, topic, np.where(unresolved, "unresolved", "resolved"))


def _touches(ids: Column, day: Column, kind: Any, topic: Any, outcome: Any) -> pl.DataFrame:
    texts = {"kind": kind, "topic": topic, "outcome": outcome}
    return pl.DataFrame(
        {"customer_id": ids, "occurred_on": day.astype("M8[D]"),
         **{name: np.broadcast_to(np.asarray(value), len(ids)).astype("U16") for name, value in texts.items()}},
        schema={"customer_id": pl.Int64, "occurred_on": pl.Date, **dict.fromkeys(texts, pl.String)},
    )  # fmt: skip


# --- usage ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meter:
    """What a plan measures: events a month, share of subscribers, typical quantity and amount in kroner (0: none)."""

    plan: str
    code: str
    times: int
    share: float
    quantity: float
    amount: float = 0


METERS = [
    Meter("familie", "utskrift", 1, 0.35, 24),
    Meter("hytte", "varsel", 1, 0.80, 4),
    Meter("kontor", "lager_mb", 1, 0.95, 160_000),
    Meter("handel", "kort", 4, 0.98, 1, 6_500),
    Meter("handel", "sms", 1, 0.85, 380),
    Meter("handel", "kall", 1, 0.90, 90_000),
    Meter("kjede", "omsetning", 1, 0.98, 1, 420_000),
    Meter("kjede", "rull", 1, 0.60, 18),
]


def usage(rng: np.random.Generator, subs: Book, first: np.datetime64, last: np.datetime64) -> pl.DataFrame:
    """Events of everybody who is served in this month."""
    plan = of_offer(subs["offer"], "plan")
    start, end = np.maximum(subs["begins"], first), np.minimum(subs["ends"] - np.timedelta64(1, "D"), last)
    served = (start <= end) & (subs["paused_until"] <= first)
    parts = []
    for meter in METERS:
        rows = np.flatnonzero(served & (plan == meter.plan) & (rng.random(len(subs)) < meter.share))
        rows = np.repeat(rows, meter.times)
        span = (end[rows] - start[rows]).astype(np.int64) + 1
        day = start[rows] + (rng.random(len(rows)) * span).astype(np.int64).astype("m8[D]")
        parts.append(_events(rng, subs["id"][rows], day, meter))
    return pl.concat(parts)


def _events(rng: np.random.Generator, ids: Column, day: Column, meter: Meter) -> pl.DataFrame:
    """One event a row, around the typical quantity and amount; a customer's own level stays, months scatter around it."""
    count = len(ids)
    level = 0.4 + (ids * 2_654_435_761 % 1_000) / 700
    quantity = np.maximum(1, np.round(meter.quantity * level * rng.lognormal(0, 0.3, count)))
    units = quantity if meter.quantity > 1 else np.ones(count)
    amount = np.round(meter.amount * level * rng.lognormal(0, 0.5, count), 2)
    ore = (np.round(amount * 100) * (MICRO // 100)).astype(np.int64)
    month = str(day[0].astype("M8[M]")) if count else ""
    return pl.DataFrame(
        {
            "source_id": pl.Series([f"{meter.code}-{month}-{at}" for at in range(count)], dtype=pl.String),
            "subscription_id": ids,
            "meter": pl.Series([meter.code] * count, dtype=pl.String),
            "occurred_at": pl.Series(day.astype("M8[us]")).dt.replace_time_zone("UTC"),
            "quantity_micro": (units * MICRO).astype(np.int64),
            "amount_micro": pl.Series(ore) if meter.amount else pl.Series([None] * count, dtype=pl.Int64),
        }
    )
