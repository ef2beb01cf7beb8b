"""What the prices of a charge are in words, in their reader's language: the same on screen and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.documents.words import Words
from core.domain.plans import Charge, EventTerms, Tier


def field_name(name: str, words: Words) -> str:
    """A field of a price version, a charge or a tier as people call it."""
    t = words.t
    names = {
        "currency": t("Currency"), "interval": t("Interval"), "alignment": t("Billing days"),
        "tax_inclusive": t("Prices include VAT"), "minimum_commitment": t("Minimum commitment"),
        "trial_days": t("Trial, days"), "code": t("Code"), "name": t("Name"), "kind": t("Kind"), "model": t("Model"),
        "timing": t("Billed"), "meter": t("Meter"), "vat_category": t("VAT category"),
        "included_units": t("Included units"), "package_rounding": t("A started package"),
        "convert_by": t("Units per billed unit"), "convert_rounding": t("A started unit"),
        "first_tier_flat_at_zero": t("First fee also at zero"), "min_amount": t("At least"), "max_amount": t("At most"),
        "up_to": t("Up to"), "unit_amount": t("Per unit"), "flat_amount": t("Flat fee"),
        "package_size": t("Package size"), "rate_percent": t("Percent"), "fixed_amount": t("Fixed per event"),
        "free_events": t("Free events"), "free_amount": t("Free amount"), "min_per_event": t("Least per event"),
        "max_per_event": t("Most per event"), "tiers": t("Prices"), "charges": t("Charges"),
    }  # fmt: skip
    return names.get(name, words.label(name))


def prices_text(charge: Charge, currency: str, words: Words) -> str:
    """The prices of a charge in one line: "1.00 kr up to 100, 0.60 kr above"."""
    if charge.events is not None:
        return " + ".join(_event_parts(charge.events, currency, words))
    return ", ".join(_tier_text(tier, currency, words, tiered=len(charge.tiers) > 1) for tier in charge.tiers)


def _event_parts(events: EventTerms, currency: str, words: Words) -> list[str]:
    parts = [words.t("{rate} % of each event", rate=words.number(events.rate_percent))]
    if events.fixed_amount:
        parts.append(words.price(events.fixed_amount, currency))
    return parts


def _tier_text(tier: Tier, currency: str, words: Words, *, tiered: bool) -> str:
    """One tier: what a unit, a package or the step costs, and where it ends."""
    said = []
    if tier.rate_percent:
        said.append(words.t("{rate} % of the amount", rate=words.number(tier.rate_percent)))
    if tier.unit_amount and tier.package_size:
        said.append(
            words.t(
                "{price} per {size}",
                price=words.price(tier.unit_amount, currency),
                size=words.number(tier.package_size),
            )
        )
    elif tier.unit_amount:
        said.append(words.t("{price} a unit", price=words.price(tier.unit_amount, currency)))
    if tier.flat_amount or not said:
        said.append(words.price(tier.flat_amount, currency))
    where = ""
    if tiered:
        where = f" {words.t('above') if tier.up_to is None else bound_text(tier.up_to, words)}"
    return " + ".join(said) + where


def bound_text(up_to: Decimal, words: Words) -> str:
    """Where a tier ends."""
    return words.t("up to {bound}", bound=words.number(up_to))


def more_text(charge: Charge, currency: str, words: Words) -> str:
    """Included units, conversion, cap, minimum, free allowance and bounds of a charge, as far as it has them."""
    said = []
    if charge.included_units:
        said.append(words.t("{units} included", units=words.number(charge.included_units)))
    if charge.convert_by:
        said.append(words.t("{units} count as one", units=words.number(charge.convert_by)))
    if charge.min_amount is not None:
        said.append(words.t("at least {amount}", amount=words.price(charge.min_amount, currency)))
    if charge.max_amount is not None:
        said.append(words.t("at most {amount}", amount=words.price(charge.max_amount, currency)))
    if charge.vat_category != "standard":
        said.append(words.t("VAT {category}", category=charge.vat_category))
    return ", ".join([*said, *_allowance(charge.events, currency, words)])


def whole_text(charge: Charge, currency: str, words: Words) -> str:
    """The prices of a charge and all that belongs to them, in one line."""
    return ", ".join(filter(None, (prices_text(charge, currency, words), more_text(charge, currency, words))))


def counted(was: Charge, now: Charge, words: Words) -> str:
    """ " (volume → graduated)" where the tiers are read in another way."""
    return "" if was.model is now.model else f" ({words.label(was.model.value)} → {words.label(now.model.value)})"


def _allowance(events: EventTerms | None, currency: str, words: Words) -> list[str]:
    """What a percentage gives for nothing, and its bounds per event."""
    said = []
    if events and events.free_events is not None:
        said.append(words.t("{count} events free", count=words.number(events.free_events)))
    if events and events.free_amount is not None:
        said.append(words.t("{amount} free", amount=words.price(events.free_amount, currency)))
    if events and events.min_per_event is not None:
        said.append(words.t("at least {amount} an event", amount=words.price(events.min_per_event, currency)))
    if events and events.max_per_event is not None:
        said.append(words.t("at most {amount} an event", amount=words.price(events.max_per_event, currency)))
    return said


def limit_text(limit: Mapping[str, Any], words: Words) -> list[str]:
    """What the limits of a price change promise: at most so much more, at most so much less, for the same use."""
    said = []
    if limit["cap_ppm"] is not None:
        said.append(words.t("For the same use at most {share} more than by the earlier prices, until the prices change again", share=words.percent(limit["cap_ppm"])))  # fmt: skip
    if limit["floor_ppm"] is not None:
        said.append(words.t("For the same use at most {share} less than by the earlier prices, until the prices change again", share=words.percent(limit["floor_ppm"])))  # fmt: skip
    return said
