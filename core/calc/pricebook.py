"""Price versions compiled to one table of tier rows, for one kernel that rates every charge model.

A line costs `round((intercept + slope · n) / 10^20)` minor units, where `n` counts millionths of a unit above nothing, or
whole packages above the tier's `origin` (performance.md section 1). All numbers here are exact Python integers; `rating.py`
scales them down to 64 bits and proves that nothing can wrap. Rules: billing.md section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

import polars as pl

from core.domain.money import exponent_of
from core.domain.plans import ChargeModel, Rounding

MICRO = 10**6  # quantities count millionths
PRICE_SCALE = 14  # minor units carry 14 decimals: 12 of a price, 2 of a percentage
NUMERATOR_SCALE = PRICE_SCALE + 6


@dataclass(frozen=True)
class TierRow:
    """One tier. `first` is the smallest quantity (micro) that falls in it; `size` 0 means no packages."""

    component: int
    first: int
    lower: int
    slope: int  # per millionth of a unit, or per package
    intercept: int
    origin: int
    size: int
    flat: int


@dataclass(frozen=True)
class Component:
    """What a charge needs besides its tiers; quantities in micro, amounts in minor units."""

    charge_id: int
    currency: str
    model: str
    included: int = 0
    convert: int = 0
    convert_rounding: str = "up"
    package_rounding: str = "up"
    flat_at_zero: bool = True
    minimum: int | None = None
    maximum: int | None = None
    event_rate: int = 0  # fraction at 10^14
    event_fixed: int = 0  # major units at 10^20
    free_events: int | None = None
    free_amount: int | None = None  # micro
    event_minimum: int | None = None  # major units at 10^20
    event_maximum: int | None = None


@dataclass(frozen=True)
class PriceBook:
    """Compiled charges. Component i is the i-th charge by `charge_id`; `rows` are sorted by (component, first)."""

    components: tuple[Component, ...]
    rows: tuple[TierRow, ...]
    tables: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def charge_ids(self) -> pl.Series:
        """The charges of the book, ascending."""
        if "charge_ids" not in self.tables:
            self.tables["charge_ids"] = pl.Series("charge_id", [c.charge_id for c in self.components], dtype=pl.Int64)
        series: pl.Series = self.tables["charge_ids"]
        return series


def compile_book(versions: pl.DataFrame, charges: pl.DataFrame, tiers: pl.DataFrame) -> PriceBook:
    """The price book of the given PRICE_VERSIONS, CHARGES and TIERS (frames.py); checked terms are assumed."""
    currencies = dict(versions.select("price_version_id", "currency").iter_rows())
    by_charge: dict[int, list[dict[str, Any]]] = {}
    for tier in tiers.sort("charge_id", "position").iter_rows(named=True):
        by_charge.setdefault(tier["charge_id"], []).append(tier)
    components: list[Component] = []
    rows: list[TierRow] = []
    for charge in charges.sort("charge_id").iter_rows(named=True):
        component = _component(charge, currencies[charge["price_version_id"]])
        rows += _rows(len(components), component, by_charge.get(charge["charge_id"], []))
        components.append(component)
    return PriceBook(tuple(components), tuple(rows))


def _component(charge: dict[str, Any], currency: str) -> Component:
    """The charge's terms as exact integers."""
    minor = 10 ** exponent_of(currency)
    percentage = charge["model"] == ChargeModel.PERCENTAGE
    return Component(
        charge_id=charge["charge_id"],
        currency=currency,
        model=charge["model"],
        included=exact(charge["included_units"], MICRO) or 0,
        convert=exact(charge["convert_by"], MICRO) or 0,
        convert_rounding=charge["convert_rounding"],
        package_rounding=charge["package_rounding"],
        flat_at_zero=charge["first_tier_flat_at_zero"],
        minimum=exact(charge["min_amount"], minor),
        maximum=exact(charge["max_amount"], minor),
        event_rate=(exact(charge["event_rate_percent"], 10**12) or 0) if percentage else 0,
        event_fixed=exact(charge["event_fixed_amount"], 10**20) or 0,
        free_events=charge["free_events"],
        free_amount=exact(charge["free_amount"], MICRO),
        event_minimum=exact(charge["min_per_event"], 10**20),
        event_maximum=exact(charge["max_per_event"], 10**20),
    )


def _rows(index: int, component: Component, tiers: list[dict[str, Any]]) -> list[TierRow]:
    """Tier rows of one charge, each with the cost of the tiers below folded into its intercept."""
    scale = 10 ** (PRICE_SCALE + exponent_of(component.currency))
    model = ChargeModel(component.model)
    cumulative = model in (ChargeModel.GRADUATED, ChargeModel.GRADUATED_PERCENTAGE)
    rows: list[TierRow] = []
    below = 0  # cost of all lower tiers when they are full
    lower = 0
    for number, tier in enumerate(tiers or [{}]):
        price, flat, size = _prices(model, tier, scale)
        slope = price if not size else price * MICRO
        origin = lower if cumulative and size else 0
        shift = lower * slope if cumulative and not size else 0
        intercept = flat + (below if cumulative else 0) - shift
        rows.append(TierRow(index, lower + 1 if number else 0, lower, slope, intercept, origin, size, flat))
        upper = exact(tier.get("up_to"), MICRO)
        if upper is None:
            break
        count = (upper - lower + round_up_by(component.package_rounding, size)) // size if size else upper - lower
        below += flat + count * slope
        lower = upper
    return rows


def _prices(model: ChargeModel, tier: dict[str, Any], scale: int) -> tuple[int, int, int]:
    """(price per millionth or package, flat amount, package size) of a tier, as numerators; a percentage has no rows' price."""
    flat = (exact(tier.get("flat_amount"), scale) or 0) * MICRO
    if model is ChargeModel.GRADUATED_PERCENTAGE:
        return (exact(tier.get("rate_percent"), scale // 100) or 0), flat, 0
    if model in (ChargeModel.FLAT, ChargeModel.STAIRSTEP):
        return 0, flat, 0
    return (exact(tier.get("unit_amount"), scale) or 0), flat, exact(tier.get("package_size"), MICRO) or 0


def round_up_by(rounding: str, size: int) -> int:
    """What to add before dividing by `size` so that the quotient is rounded up, down or to the nearest."""
    return {Rounding.UP: size - 1, Rounding.DOWN: 0, Rounding.NEAREST: size // 2}[Rounding(rounding)]


@lru_cache(maxsize=100_000)
def exact(text: str | None, scale: int) -> int | None:
    """Decimal text times a scale as an integer; None stays None. A remainder would be our own bug."""
    if text is None or text == "":
        return None
    numerator, denominator = Decimal(text).as_integer_ratio()
    value, rest = divmod(numerator * scale, denominator)
    assert rest == 0, f"{text} does not fit scale {scale}"
    return value
