"""A made-up subscriber base for the rating benchmark: one catalogue, one wide table, and the same as the engine's facts.

60 plans in 4 currencies, each with a fixed fee, seats, one metered charge (half graduated, the rest volume, package or
stairstep; a third with included units) and three add-ons, the last at the lower VAT rate. 45 % of the subscriptions have
one to three add-ons, 15 % a percentage coupon on everything, 3 % change their seats on a day inside each month, 5 % are
abroad and outside VAT. Periods are calendar months of 2025; usage is billed the month after. Units: minor units, micro
units, millionths of a rate.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from core import frames

YEAR = 2025
MONTHS = [date(YEAR, month, 1) for month in range(1, 13)]
NEXT = [*MONTHS[1:], date(YEAR + 1, 1, 1)]
CURRENCIES = ("NOK", "SEK", "DKK", "EUR")
PLANS = 60
CHARGES_EACH = 6  # fee, seat, usage, addon1, addon2, addon3
MODELS = ("graduated", "graduated", "graduated", "volume", "package", "stairstep")
COUPON_PPM = (100_000, 125_000, 200_000, 250_000, 500_000)
MICRO = 10**6


@dataclass(frozen=True)
class Company:
    """`wide`: one row a subscription, in order of id: version, seats, seats_after, change_month (0 = none), change_day, a1 to
    a3 (add-on quantities), coupon_ppm, standard_ppm, food_ppm. `usage`: (months × subscriptions) in micro units."""

    prices: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
    wide: pl.DataFrame
    usage: np.ndarray


def company(count: int, months: int = 12, seed: int = 7) -> Company:
    """The base with so many subscriptions; usage of the month before each billed month."""
    rng = np.random.default_rng(seed)
    usage = np.empty((months, count), dtype=np.int64)
    for month in range(months):
        units = np.minimum(np.exp(rng.normal(np.log(545), 1.5, count)), 5e6)
        whole = np.floor(units).astype(np.int64) * MICRO
        # Every twentieth customer uses parts of units, every thirtieth nothing at all.
        usage[month] = np.where(rng.random(count) < 0.05, np.floor(units * 1000).astype(np.int64) * 1000, whole)
        usage[month][rng.random(count) < 1 / 30] = 0
    return Company(prices(seed), _wide(rng, count), usage)


def _wide(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Who subscribes to what."""
    number = rng.integers(1, 4, count) * (rng.random(count) < 0.45)
    order = rng.random((count, 3)).argsort(axis=1).argsort(axis=1)
    addons = np.where(order < number[:, None], rng.integers(1, 6, (count, 3)), 0)
    seats = rng.geometric(0.15, count)
    change = np.where(rng.random(count) < 0.36, rng.integers(1, 13, count), 0)
    abroad = rng.random(count) < 0.05
    return pl.DataFrame(
        {
            "subscription_id": np.arange(1, count + 1),
            "version": rng.integers(1, PLANS * len(CURRENCIES) + 1, count),
            "seats": seats,
            "seats_after": np.where(change > 0, seats + rng.integers(1, 10, count), seats),
            "change_month": change,
            "change_day": np.where(change > 0, rng.integers(2, 29, count), 1),
            "a1": addons[:, 0], "a2": addons[:, 1], "a3": addons[:, 2],
            "coupon_ppm": np.where(rng.random(count) < 0.15, rng.choice(COUPON_PPM, count), 0),
            "standard_ppm": np.where(abroad, 0, 250_000),
            "food_ppm": np.where(abroad, 0, 150_000),
        }
    )  # fmt: skip


def prices(seed: int = 7) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """PRICE_VERSIONS, CHARGES and TIERS; version v has the charges 6·v − 5 to 6·v."""
    rng = np.random.default_rng(seed)
    versions, charges, tiers = [], [], []
    for version in range(1, PLANS * len(CURRENCIES) + 1):
        plan, currency = divmod(version - 1, len(CURRENCIES))
        versions.append(
            {"price_version_id": version, "plan_id": plan + 1, "currency": CURRENCIES[currency], "interval_months": 1,
             "interval_days": 0, "calendar": True, "tax_inclusive": False, "minimum_minor": 0}
        )  # fmt: skip
        for place, (row, rows) in enumerate(_charges(rng, MODELS[plan % len(MODELS)])):
            charge_id = CHARGES_EACH * (version - 1) + place + 1
            charges.append({"charge_id": charge_id, "price_version_id": version, "position": place, **row})
            tiers += [{"charge_id": charge_id, "position": position, **tier} for position, tier in enumerate(rows)]
    defaults = {"included_units": "0", "package_rounding": "up", "convert_rounding": "up",
                "first_tier_flat_at_zero": True, "vat_category": "standard"}  # fmt: skip
    full = [{**defaults, **row} for row in charges]
    return (
        frames.conform(pl.DataFrame(versions), frames.PRICE_VERSIONS),
        frames.conform(pl.DataFrame(full, infer_schema_length=None), frames.CHARGES),
        frames.conform(pl.DataFrame(tiers, infer_schema_length=None), frames.TIERS),
    )


def _charges(rng: np.random.Generator, model: str) -> list[tuple[dict[str, object], list[dict[str, str | None]]]]:
    """The six charges of a version with their tiers."""
    included = "100" if rng.random() < 1 / 3 else "0"
    metered = {"code": "usage", "kind": "usage", "model": model, "timing": "in_arrears", "meter": "calls",
               "included_units": included}  # fmt: skip
    once = {"timing": "in_advance"}
    found = [
        ({"code": "fee", "kind": "fixed", "model": "flat", **once}, [_tier(flat=_amount(rng, 5_000, 90_000, 2))]),
        ({"code": "seat", "kind": "seat", "model": "per_unit", **once}, [_tier(unit=_amount(rng, 2_000, 20_000, 2))]),
        (metered, _usage_tiers(rng, model)),
    ]
    for item in (1, 2, 3):
        extra = {"code": f"addon{item}", "kind": "addon", "model": "per_unit", **once}
        category = {"vat_category": "food"} if item == 3 else {}
        found.append(({**extra, **category}, [_tier(unit=_amount(rng, 1_000, 15_000, 2))]))
    return found


def _usage_tiers(rng: np.random.Generator, model: str) -> list[dict[str, str | None]]:
    """Up to eight tiers with falling prices of four decimals; a package has one price."""
    if model == "package":
        return [{**_tier(unit=_amount(rng, 500, 5_000, 2)), "package_size": str(rng.choice([10, 50, 100, 1000]))}]
    count = int(rng.integers(4, 9))
    bounds = [*sorted(int(bound) for bound in rng.choice(np.geomspace(20, 60_000, 30).astype(int), count, False)), None]
    tops = [None if bound is None else str(bound) for bound in bounds]
    if model == "stairstep":
        return [_tier(top, flat=_amount(rng, 2_000 * step, 4_000 * step, 2)) for step, top in enumerate(tops, 1)]
    flat = [_amount(rng, 0, 5_000, 2) if model == "volume" or step == 0 else "0" for step in range(len(tops))]
    return [
        _tier(top, _amount(rng, 900 // (step + 1), 1_000 // (step + 1) + 1, 4), flat[step])
        for step, top in enumerate(tops)
    ]


def _tier(up_to: str | None = None, unit: str = "0", flat: str = "0") -> dict[str, str | None]:
    return {"up_to": up_to, "unit_amount": unit, "flat_amount": flat}


def _amount(rng: np.random.Generator, low: int, high: int, places: int) -> str:
    """A price in major units with so many decimals, between low and high of its last decimal."""
    return f"{int(rng.integers(low, high + 1)) / 10**places:.{places}f}"


def facts(base: Company) -> frames.Facts:
    """The same as dated facts and metered events (one a month, on its 15th)."""
    versions, charges, tiers = base.prices
    return frames.Facts(changes(base.wide), versions, charges, tiers, events(base))


def changes(wide: pl.DataFrame) -> pl.DataFrame:
    """CHANGES: a start on 1 January 2024, add-ons and coupon with it, and the change of seats."""
    begin = date(YEAR - 1, 1, 1)
    start = wide.select(
        "subscription_id", kind=pl.lit("start"), effective_on=begin, price_version_id="version", anchor_on=begin,
        quantity_micro=pl.col("seats") * MICRO,
    )  # fmt: skip
    extras = [
        wide.filter(pl.col(f"a{item}") > 0).select(
            "subscription_id", kind=pl.lit("addon"), effective_on=begin, item=pl.lit(f"addon{item}"),
            quantity_micro=pl.col(f"a{item}") * MICRO,
        ) for item in (1, 2, 3)
    ]  # fmt: skip
    given = wide.filter(pl.col("coupon_ppm") > 0).select(
        "subscription_id", kind=pl.lit("coupon"), effective_on=begin,
        coupon_id=pl.col("coupon_ppm").replace_strict({ppm: i for i, ppm in enumerate(COUPON_PPM, 1)}),
    )  # fmt: skip
    changed = wide.filter(pl.col("change_month") > 0).select(
        "subscription_id", kind=pl.lit("quantity"), effective_on=pl.date(YEAR, "change_month", "change_day"),
        quantity_micro=pl.col("seats_after") * MICRO,
    )  # fmt: skip
    every = pl.concat([start, *extras, given, changed], how="diagonal").sort("subscription_id", "effective_on")
    return frames.conform(every.with_row_index("change_id", 1), frames.CHANGES)


def events(base: Company, months: int | None = None) -> pl.DataFrame:
    """USAGE_EVENTS of the month before each billed month, without the zeros."""
    parts = []
    for month, quantity in enumerate(base.usage[:months]):
        day = MONTHS[month] - timedelta(days=17)
        rows = base.wide.select(
            "subscription_id", meter=pl.lit("calls"), occurred_on=pl.lit(day), quantity_micro=pl.Series(quantity)
        )
        parts.append(rows.filter(pl.col("quantity_micro") > 0))
    return frames.conform(pl.concat(parts).with_row_index("event_id", 1), frames.USAGE_EVENTS)


def inputs(base: Company, known: frames.Facts | None = None) -> frames.BillingInputs:
    """Everything a draft is made from; each subscription has its own customer, all was billed through 2024."""
    ids = base.wide.select("subscription_id")
    through = MONTHS[0] - timedelta(days=1)
    scope = ids.with_columns(after=through, billed_through=through, touched=False)
    currency = pl.Series("currency", CURRENCIES).gather((base.wide["version"] - 1) % len(CURRENCIES))
    subscriptions = ids.with_columns(currency, customer_id="subscription_id", started_on=date(YEAR - 1, 1, 1))
    country = pl.when(pl.col("standard_ppm") > 0).then(pl.lit("NO")).otherwise(pl.lit("SE"))
    customers = base.wide.select(
        customer_id="subscription_id", kind=pl.lit("consumer"), country=country, vat_number=pl.lit(""),
        organisation_number=pl.lit(""), separate_invoices=pl.lit(False),
    )  # fmt: skip
    rules = [
        {"customer_kind": "*", "customer_country": land, "category": category, "treatment": treatment, "rate_ppm": rate,
         "valid_from": date(2000, 1, 1)}
        for category, rate in (("standard", 250_000), ("food", 150_000))
        for land, treatment, rate in (("NO", "standard", rate), ("*", "outside", 0))
    ]  # fmt: skip
    coupons = [
        {"coupon_id": i, "code": f"C{i}", "kind": "percent", "rate_ppm": ppm, "duration": "forever", "scope": "plan",
         "includes_true_up": False}
        for i, ppm in enumerate(COUPON_PPM, 1)
    ]  # fmt: skip
    return frames.BillingInputs(
        known or facts(base), frames.conform(scope, frames.SCOPE), frames.conform(subscriptions, frames.SUBSCRIPTIONS),
        frames.conform(customers, frames.CUSTOMERS), frames.conform(pl.DataFrame(coupons), frames.COUPONS),
        frames.conform(pl.DataFrame(rules), frames.VAT_RULES), frames.empty(frames.LINES),
        frames.empty(frames.USED_DISCOUNTS), currency_rates={"SEK": 10**10, "DKK": 15 * 10**9, "EUR": 115 * 10**9},
    )  # fmt: skip
