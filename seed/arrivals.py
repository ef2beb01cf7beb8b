"""New customers of a month: who they are and what they buy."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from seed import archetypes, names
from seed.archetypes import Bools
from seed.book import LONG_AGO, Book, Column

FOREIGN = {"kontor SEK": ("SE", "11122", "Stockholm"), "kontor EUR": ("DE", "20095", "Hamburg")}
FIRST_NUMBER = 10_001


def chosen(rng: np.random.Generator, options: list[str], shares: list[float], count: int) -> Column:
    """A choice for each."""
    weights = np.array(shares)
    return rng.choice(np.array(options), count, p=weights / weights.sum())


def by_kind(
    rng: np.random.Generator, business: Bools, options: list[str], consumer: list[float], firm: list[float]
) -> Column:
    """A choice for each, with other shares for businesses."""
    count = len(business)
    return np.where(business, chosen(rng, options, firm, count), chosen(rng, options, consumer, count))


def draw(rng: np.random.Generator, days: Column, number: int) -> tuple[pl.DataFrame, dict[str, Column]]:
    """Requests of `customers.create` for people who come on these days, and what else is remembered of them.

    `number`: how many came before; it numbers them.
    """
    count = len(days)
    business = rng.random(count) >= archetypes.CONSUMER_SHARE
    offer = np.where(
        business,
        chosen(rng, list(archetypes.BUSINESS_OFFERS), list(archetypes.BUSINESS_OFFERS.values()), count),
        chosen(rng, list(archetypes.CONSUMER_OFFERS), list(archetypes.CONSUMER_OFFERS.values()), count),
    )
    payment = by_kind(rng, business, archetypes.PAYMENTS, archetypes.CONSUMER_PAYMENTS, archetypes.BUSINESS_PAYMENTS)
    channel = by_kind(rng, business, archetypes.CHANNELS, archetypes.CONSUMER_CHANNELS, archetypes.BUSINESS_CHANNELS)
    channel = np.where(np.isin(offer, list(FOREIGN)) & (channel == "einvoice"), "email", channel)
    shares = np.where(business, archetypes.ONBOARDED_SHARE["business"], archetypes.ONBOARDED_SHARE["consumer"])
    rows = _described(rng, business, offer, number).with_columns(
        created_on=pl.Series(days), payment_option=pl.Series(payment), channel=pl.Series(channel)
    )
    onboarded = rng.random(count) < shares
    remembered = {"business": business, "payment": payment, "channel": channel, "onboarded": onboarded,
                  "created_on": days, "country": rows["country"].to_numpy(), "offer": offer}  # fmt: skip
    return rows, remembered


def _described(rng: np.random.Generator, business: Bools, offer: Column, number: int) -> pl.DataFrame:
    """Names, addresses and numbers of registers."""
    count = len(business)
    persons, firms = names.people(rng, count), names.firms(rng, count)
    address, postal, city = names.places(rng, count)
    keys = [str(FIRST_NUMBER + number + i) for i in range(count)]
    registered = names.organisation_numbers(2 * number, count)
    rows: list[dict[str, Any]] = []
    for i in range(count):
        row = {"external_id": f"K{keys[i]}", "kind": "business" if business[i] else "consumer",
               "name": firms[i] if business[i] else persons[i], "contact": persons[i] if business[i] else "",
               "address": address[i], "postal_code": postal[i], "city": city[i], "country": "NO", "language": "nb",
               "organisation_number": registered[i] if business[i] else "", "vat_number": "",
               "einvoice_id": f"0192:{registered[i]}" if business[i] else ""}  # fmt: skip
        if offer[i] in FOREIGN:
            row.update(_foreign(str(offer[i]), row["name"], number + i))
        rows.append(row)
    emails, phones = names.emails(persons, keys), names.phones(rng, count)
    return pl.DataFrame(rows).with_columns(emails=pl.Series(emails), phone=pl.Series(phones))


def _foreign(offer: str, name: str, number: int) -> dict[str, str]:
    """What differs for a business in Sweden or Germany."""
    country, postal, city = FOREIGN[offer]
    vat = names.swedish_vat(number) if country == "SE" else names.german_vat_number(number)
    ending = "AB" if country == "SE" else "GmbH"
    return {
        "name": f"{name.removesuffix('AS')}{ending}", "country": country, "postal_code": postal, "city": city,
        "language": "en", "organisation_number": "", "vat_number": vat, "einvoice_id": "",
    }  # fmt: skip


def remember(customers: Book, ids: list[int], known: dict[str, Column]) -> Column:
    """Add the created customers to the book; answers their rows."""
    said = {name: known[name] for name in ("business", "payment", "channel", "onboarded", "created_on", "country")}
    return customers.add(id=np.array(ids, dtype=np.int64), unresolved_on=LONG_AGO, **said)


def quantities(rng: np.random.Generator, offer: Column) -> Column:
    """Seats, members or places at the start."""
    count = len(offer)
    seats = 1 + np.minimum(rng.lognormal(1.6, 0.9, count), 180).astype(np.int64)
    members = rng.integers(2, 8, count)
    places = 1 + np.minimum(rng.lognormal(1.4, 0.8, count), 60).astype(np.int64)
    plan = np.array([one.split()[0] for one in offer]) if count else np.empty(0, "U8")
    options = [plan == "kontor", plan == "familie", plan == "kjede"]
    return np.select(options, [seats, members, places], 1)
