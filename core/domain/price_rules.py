"""What is wrong with price terms: findings that name the charge and the cell, in the user's words.

A draft may be stored unsound (`require_storable`); only sound terms can be published (`require_sound`). Limits: prices
have up to twelve decimals, quantities six, and neither has more than twelve digits before the point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import PRICE_PLACES, QUANTITY_PLACES, decimals_of, exponent_of, to_exact_minor
from core.domain.periods import Timing
from core.domain.plans import (
    ON_AMOUNTS,
    TIERED,
    ZERO,
    Charge,
    ChargeKind,
    ChargeModel,
    EventTerms,
    PriceTerms,
    Tier,
)
from core.domain.wording import name_fault, text_fault

LARGEST = Decimal(10) ** 12  # prices and quantities stay below this
MOST_EVENTS = 2**31 - 1
LONGEST_TRIAL_DAYS = 366
Say = Callable[..., None]


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


def require_sound(terms: PriceTerms) -> None:
    """Refuse terms with findings; the first finding is the message."""
    _refuse(check_terms(terms), "unsound_prices")


def require_storable(terms: PriceTerms) -> None:
    """Refuse what even a draft cannot hold: an unknown currency, unreadable text, two charges of one code, absurd sizes."""
    _refuse(unstorable(terms), "unstorable_prices")
    to_exact_minor(terms.minimum_commitment, terms.currency)


def _refuse(findings: list[Finding], code: str) -> None:
    if findings:
        raise InvalidInput(findings[0].message, code=code, **findings[0].values)


def check_terms(terms: PriceTerms) -> list[Finding]:
    """Everything wrong with a price version, in the order of its charges; an empty list means it can be published."""
    findings = unstorable(terms)
    if not terms.charges:
        findings.append(Finding("", None, "charges", "Add at least one charge"))
    for charge in terms.charges:
        findings += check_charge(charge, terms.currency)
    if terms.minimum_commitment < 0:
        findings.append(Finding("", None, "minimum_commitment", "The minimum commitment cannot be negative"))
    if decimals_of(terms.minimum_commitment) > exponent_of(terms.currency):
        values = {"amount": terms.minimum_commitment, "currency": terms.currency}
        findings.append(
            Finding("", None, "minimum_commitment", "{amount} has more decimals than {currency} has", values)
        )
    return findings


def unstorable(terms: PriceTerms) -> list[Finding]:
    """What a draft cannot hold. Raises InvalidInput for an unknown currency."""
    exponent_of(terms.currency)
    findings: list[Finding] = []
    seen: set[str] = set()
    for charge in terms.charges:
        if charge.code in seen:
            findings.append(Finding(charge.code, None, "code", "Two charges are called {name}", {"name": charge.code}))
        seen.add(charge.code)
        for column in ("code", "name", "meter", "vat_category"):
            fault = text_fault(getattr(charge, column))
            if fault:
                findings.append(Finding(charge.code, None, column, fault))
        findings += [
            _too_large(charge, row, column) for row, column, value in _numbers(charge) if abs(value) >= LARGEST
        ]
        if charge.events and not 0 <= (charge.events.free_events or 0) <= MOST_EVENTS:
            message = "The number of free events must lie between 0 and {most}"
            findings.append(Finding(charge.code, None, "free_events", message, {"most": MOST_EVENTS}))
    if abs(terms.minimum_commitment) >= LARGEST:
        findings.append(Finding("", None, "minimum_commitment", "The minimum commitment is too large"))
    if not 0 <= terms.trial_days <= LONGEST_TRIAL_DAYS:
        findings.append(Finding("", None, "trial_days", "A trial lasts 0 to 366 days"))
    return findings


def _numbers(charge: Charge) -> Iterator[tuple[int | None, str, Decimal]]:
    """Every number of a charge with its tier row and column."""
    for column in ("included_units", "convert_by", "min_amount", "max_amount"):
        value = getattr(charge, column)
        if value is not None:
            yield None, column, value
    for column, value in _event_numbers(charge.events):
        yield None, column, value
    for row, tier in enumerate(charge.tiers):
        for column in ("up_to", "unit_amount", "flat_amount", "package_size", "rate_percent"):
            value = getattr(tier, column)
            if value is not None:
                yield row, column, value


def _event_numbers(events: EventTerms | None) -> Iterator[tuple[str, Decimal]]:
    for column in ("rate_percent", "fixed_amount", "free_amount", "min_per_event", "max_per_event"):
        value = getattr(events, column, None)
        if value is not None:
            yield column, value


def _too_large(charge: Charge, row: int | None, column: str) -> Finding:
    if row is None:
        return Finding(charge.code, None, column, "{name}: a number has too many digits", {"name": charge.name})
    return Finding(charge.code, row, column, "Tier {tier}: a number has too many digits", {"tier": row + 1})


def check_charge(charge: Charge, currency: str) -> list[Finding]:
    """Findings about one charge: what its kind and model need, its bounds, and its tiers."""
    findings: list[Finding] = []

    def say(column: str, message: str, **values: object) -> None:
        findings.append(Finding(charge.code, None, column, message, values))

    if not charge.code.strip():
        say("code", "A charge needs a code")
    if not charge.name.strip():
        say("name", "A charge needs a name")
    fault = name_fault(charge.name.strip())
    if fault:
        say("name", fault, text=charge.name)
    _check_kind(charge, say)
    _check_bounds(charge, currency, say)
    if charge.model is ChargeModel.PERCENTAGE:
        _check_events(charge.events, say)
    return findings + check_tiers(charge)


def _check_kind(charge: Charge, say: Say) -> None:
    """Kind, model, meter and timing must fit each other."""
    if charge.kind is ChargeKind.USAGE and not charge.meter.strip():
        say("meter", "A usage charge needs a meter")
    if charge.kind is ChargeKind.USAGE and charge.timing is not Timing.ARREARS:
        say("timing", "Usage is known only afterwards: bill it in arrears")
    if charge.model in ON_AMOUNTS and charge.kind is not ChargeKind.USAGE:
        say("model", "A percentage needs a usage charge whose events carry amounts")
    if charge.model is ChargeModel.PERCENTAGE and charge.events is None:
        say("rate_percent", "A percentage charge needs its rate")
    if charge.model is not ChargeModel.PERCENTAGE and not charge.tiers:
        say("tiers", "A {model} charge needs at least one price", model=charge.model.value)


def _check_bounds(charge: Charge, currency: str, say: Say) -> None:
    """Included units, conversion, cap and minimum."""
    if charge.convert_by is not None and charge.convert_by <= 0:
        say("convert_by", "Units can only be converted by a number above zero")
    if charge.included_units < 0:
        say("included_units", "Included units cannot be negative")
    for column in ("included_units", "convert_by"):
        if decimals_of(getattr(charge, column) or ZERO) > QUANTITY_PLACES:
            say(column, "{name}: quantities have at most {places} decimals", name=charge.name, places=QUANTITY_PLACES)
    low, high = charge.min_amount, charge.max_amount
    for column, amount in (("min_amount", low), ("max_amount", high)):
        if amount is not None and amount < 0:
            say(column, "{name}: a cap or a minimum cannot be negative", name=charge.name)
        if amount is not None and decimals_of(amount) > exponent_of(currency):
            say(column, "{amount} has more decimals than {currency} has", amount=amount, currency=currency)
    if low is not None and high is not None and low > high:
        say("max_amount", "The cap {high} is below the minimum {low}", high=high, low=low)


def _check_events(events: EventTerms | None, say: Say) -> None:
    """The terms of a percentage charge."""
    for column, value in _event_numbers(events):
        places = QUANTITY_PLACES if column == "free_amount" else PRICE_PLACES
        if value < 0:
            say(column, "A percentage charge: rate, amounts and bounds cannot be negative")
        if decimals_of(value) > places:
            say(column, "A percentage charge: {value} has more than {places} decimals", value=value, places=places)
    low, high = getattr(events, "min_per_event", None), getattr(events, "max_per_event", None)
    if low is not None and high is not None and low > high:
        say("max_per_event", "The most per event, {high}, is below the least, {low}", high=high, low=low)


def check_tiers(charge: Charge) -> list[Finding]:
    """Findings about a tier table: order, openness, decimals, signs and package sizes, one per cell."""
    findings: list[Finding] = []
    last = len(charge.tiers) - 1
    previous = ZERO
    for row, tier in enumerate(charge.tiers):

        def say(column: str, message: str, row: int = row, **values: object) -> None:
            findings.append(Finding(charge.code, row, column, message, {"tier": row + 1, **values}))

        if row == 1 and charge.model not in TIERED:
            say("up_to", "A {model} charge has one price, not tiers", model=charge.model.value)
        _check_bound(tier.up_to, previous, row, last, say)
        _check_prices(tier, say)
        if charge.model is ChargeModel.PACKAGE and tier.package_size is None:
            say("package_size", "Tier {tier}: a package charge needs its package size")
        previous = max(previous, tier.up_to or ZERO)
    return findings


def _check_bound(up_to: Decimal | None, previous: Decimal, row: int, last: int, say: Say) -> None:
    """Bounds rise, only the last one is open."""
    if up_to is None:
        if row < last:
            say("up_to", "Tier {tier} is open, so the tiers after it are never reached")
        return
    if row == last:
        say("up_to", "The last tier must be open: leave its upper bound empty")
    if up_to <= previous and row:
        message = "Tier {tier} ends at {end}, but tier {before} already ends at {previous}"
        say("up_to", message, end=up_to, previous=previous, before=row)
    elif up_to <= previous:
        say("up_to", "Tier {tier} must end above zero, not at {end}", end=up_to)
    if decimals_of(up_to) > QUANTITY_PLACES:
        say("up_to", "Tier {tier}: quantities have at most {places} decimals", places=QUANTITY_PLACES)


def _check_prices(tier: Tier, say: Say) -> None:
    """Prices are not negative and not finer than the engine; a package holds something."""
    for column in ("unit_amount", "flat_amount", "rate_percent"):
        value: Decimal = getattr(tier, column)
        if value < 0:
            say(column, "Tier {tier}: a price cannot be negative; use a coupon for a reduction")
        if decimals_of(value) > PRICE_PLACES:
            say(column, "Tier {tier}: prices have at most {places} decimals", places=PRICE_PLACES)
    size = tier.package_size
    if size is not None and size <= 0:
        say("package_size", "Tier {tier}: a package must hold more than nothing")
    if size is not None and decimals_of(size) > QUANTITY_PLACES:
        say("package_size", "Tier {tier}: quantities have at most {places} decimals", places=QUANTITY_PLACES)
