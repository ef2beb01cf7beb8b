"""The catalogue: charges, tiers and price terms. The rules that refuse nonsense stand in `price_rules.py`.

Unit prices are Decimals in major units with up to twelve places; quantities have up to six. A tier stores only its upper
bound `up_to` (inclusive, `None` = open); it begins just above the bound before it (billing.md section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from core.domain.periods import Alignment, Interval, Timing

ZERO = Decimal(0)


class ChargeKind(StrEnum):
    """What makes the quantity of a charge."""

    FIXED = "fixed"  # once a period, whatever is used
    SEAT = "seat"  # the subscription's quantity
    USAGE = "usage"  # metered events
    ADDON = "addon"  # optional, with a quantity of its own
    ONE_OFF = "one_off"  # once, when the subscription starts


class ChargeModel(StrEnum):
    """How a quantity becomes an amount."""

    FLAT = "flat"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"
    STAIRSTEP = "stairstep"
    PERCENTAGE = "percentage"
    GRADUATED_PERCENTAGE = "graduated_percentage"


class Rounding(StrEnum):
    """How a part of a package or of a converted unit counts."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


class PriceStatus(StrEnum):
    """Life of a price version: draft → published → retired."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


TIERED = {ChargeModel.GRADUATED, ChargeModel.VOLUME, ChargeModel.STAIRSTEP, ChargeModel.GRADUATED_PERCENTAGE}
ON_AMOUNTS = {ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE}


@dataclass(frozen=True)
class Tier:
    """Units above the bound before and up to `up_to`; `rate_percent` only for graduated percentage."""

    up_to: Decimal | None
    unit_amount: Decimal = ZERO
    flat_amount: Decimal = ZERO
    package_size: Decimal | None = None
    rate_percent: Decimal = ZERO


@dataclass(frozen=True)
class EventTerms:
    """A percentage charge: rate and fixed amount per event, free allowance, bounds per event (major units)."""

    rate_percent: Decimal = ZERO
    fixed_amount: Decimal = ZERO
    free_events: int | None = None
    free_amount: Decimal | None = None
    min_per_event: Decimal | None = None
    max_per_event: Decimal | None = None


@dataclass(frozen=True)
class Charge:
    """One line of a price list. `code` is unique inside a price version and names add-ons and coupons' targets."""

    code: str
    name: str
    kind: ChargeKind
    model: ChargeModel
    tiers: tuple[Tier, ...] = ()
    timing: Timing = Timing.ADVANCE
    meter: str = ""
    events: EventTerms | None = None
    included_units: Decimal = ZERO
    package_rounding: Rounding = Rounding.UP
    convert_by: Decimal | None = None
    convert_rounding: Rounding = Rounding.UP
    first_tier_flat_at_zero: bool = True
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    vat_category: str = "standard"

    @property
    def is_free(self) -> bool:
        """Does it cost nothing, however much is taken of it?"""
        prices = (price for tier in self.tiers for price in (tier.unit_amount, tier.flat_amount, tier.rate_percent))
        return self.events is None and not self.min_amount and not any(prices)


@dataclass(frozen=True)
class PriceTerms:
    """Everything a price version says."""

    currency: str
    interval: Interval
    charges: tuple[Charge, ...]
    alignment: Alignment = Alignment.ANNIVERSARY
    tax_inclusive: bool = False
    minimum_commitment: Decimal = ZERO
    trial_days: int = 0


def lowered(terms: PriceTerms, percent: Decimal) -> PriceTerms:
    """The same terms with every flat and unit price and the minimum commitment lowered by a share."""
    factor = (Decimal(100) - percent) / 100

    def lower(one: Tier) -> Tier:
        return replace(one, unit_amount=one.unit_amount * factor, flat_amount=one.flat_amount * factor)

    return replace(
        terms,
        charges=tuple(replace(part, tiers=tuple(lower(one) for one in part.tiers)) for part in terms.charges),
        minimum_commitment=terms.minimum_commitment * factor,
    )
