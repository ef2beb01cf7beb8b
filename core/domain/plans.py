"""The catalogue: charges, tiers and price terms, with the rules that refuse nonsense.

Unit prices are Decimals in major units with up to twelve places; quantities have up to six. A tier stores only its upper
bound `up_to` (inclusive, `None` = open); it begins just above the bound before it (billing.md section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import PRICE_PLACES, QUANTITY_PLACES, decimals_of, exponent_of
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


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a draft: which charge, which tier row (0-based, None = the charge), and the sentence."""

    charge: str
    tier: int | None
    column: str
    message: str
    values: dict[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        """The English sentence with its values filled in."""
        return self.message.format(**self.values)


def check_terms(terms: PriceTerms) -> list[Finding]:
    """Everything wrong with a price version, in the order of its charges; an empty list means it can be published."""
    exponent_of(terms.currency)
    findings: list[Finding] = []
    if not terms.charges:
        findings.append(Finding("", None, "charges", "Add at least one charge"))
    seen: set[str] = set()
    for charge in terms.charges:
        if charge.code in seen:
            findings.append(Finding(charge.code, None, "code", "Two charges are called {name}", {"name": charge.code}))
        seen.add(charge.code)
        findings += check_charge(charge)
    if terms.minimum_commitment < 0:
        findings.append(Finding("", None, "minimum_commitment", "The minimum commitment cannot be negative"))
    if not 0 <= terms.trial_days <= 366:
        findings.append(Finding("", None, "trial_days", "A trial lasts 0 to 366 days"))
    return findings


def check_charge(charge: Charge) -> list[Finding]:
    """Findings about one charge: its tiers, its bounds and what its kind and model need."""

    def finding(column: str, message: str, **values: object) -> Finding:
        return Finding(charge.code, None, column, message, values)

    findings = []
    if not charge.code.strip():
        findings.append(finding("code", "A charge needs a code"))
    if not charge.name.strip():
        findings.append(finding("name", "A charge needs a name"))
    if charge.kind is ChargeKind.USAGE and not charge.meter:
        findings.append(finding("meter", "A usage charge needs a meter"))
    if charge.kind is ChargeKind.USAGE and charge.timing is not Timing.ARREARS:
        findings.append(finding("timing", "Usage is known only afterwards: bill it in arrears"))
    if charge.model in ON_AMOUNTS and charge.kind is not ChargeKind.USAGE:
        findings.append(finding("model", "A percentage needs a usage charge whose events carry amounts"))
    if charge.model is ChargeModel.PERCENTAGE and charge.events is None:
        findings.append(finding("rate_percent", "A percentage charge needs its rate"))
    if charge.model is not ChargeModel.PERCENTAGE and not charge.tiers:
        findings.append(finding("tiers", "A {model} charge needs at least one price", model=charge.model.value))
    if charge.convert_by is not None and charge.convert_by <= 0:
        findings.append(finding("convert_by", "Units can only be converted by a number above zero"))
    if charge.included_units < 0:
        findings.append(finding("included_units", "Included units cannot be negative"))
    low, high = charge.min_amount, charge.max_amount
    if low is not None and high is not None and low > high:
        findings.append(finding("max_amount", "The cap {high} is below the minimum {low}", high=high, low=low))
    return findings + check_tiers(charge)


def check_tiers(charge: Charge) -> list[Finding]:
    """Findings about a tier table: order, openness, decimals, signs and package sizes, one per cell."""
    findings: list[Finding] = []

    def finding(row: int, column: str, message: str, **values: object) -> None:
        findings.append(Finding(charge.code, row, column, message, {"tier": row + 1, **values}))

    last = len(charge.tiers) - 1
    if charge.model not in TIERED and len(charge.tiers) > 1:
        finding(1, "up_to", "A {model} charge has one price, not tiers", model=charge.model.value)
    previous = ZERO
    for row, tier in enumerate(charge.tiers):
        if tier.up_to is None and row < last:
            finding(row, "up_to", "Tier {tier} is open, so the tiers after it are never reached")
        elif tier.up_to is not None and row == last:
            finding(row, "up_to", "The last tier must be open: leave its upper bound empty")
        elif tier.up_to is not None:
            if tier.up_to <= previous:
                finding(
                    row, "up_to",
                    "Tier {tier} ends at {end}, but tier {before} already ends at {previous}" if row
                    else "Tier {tier} must end above zero, not at {end}",
                    end=tier.up_to, previous=previous, before=row,
                )  # fmt: skip
            if decimals_of(tier.up_to) > QUANTITY_PLACES:
                finding(row, "up_to", "Tier {tier}: quantities have at most {places} decimals", places=QUANTITY_PLACES)
            previous = max(previous, tier.up_to)
        for column in ("unit_amount", "flat_amount", "rate_percent"):
            value: Decimal = getattr(tier, column)
            if value < 0:
                finding(row, column, "Tier {tier}: a price cannot be negative; use a coupon for a reduction")
            if decimals_of(value) > PRICE_PLACES:
                finding(row, column, "Tier {tier}: prices have at most {places} decimals", places=PRICE_PLACES)
        if tier.package_size is not None and tier.package_size <= 0:
            finding(row, "package_size", "Tier {tier}: a package must hold more than nothing")
        if charge.model is ChargeModel.PACKAGE and tier.package_size is None:
            finding(row, "package_size", "Tier {tier}: a package charge needs its package size")
    return findings


def require_sound(terms: PriceTerms) -> None:
    """Refuse terms with findings; the first finding is the message."""
    findings = check_terms(terms)
    if findings:
        raise InvalidInput(findings[0].message, code="unsound_prices", **findings[0].values)
