"""What the fields of prices are called on screen, and the choices they offer."""

from __future__ import annotations

from core.domain.money import EXPONENTS
from core.domain.periods import INTERVALS
from core.domain.price_rules import Finding
from core.ui.text import label, t

COMMON = ["NOK", "SEK", "DKK", "EUR", "USD", "GBP", "JPY", "KWD"]
CURRENCIES = [*COMMON, *sorted(set(EXPONENTS) - set(COMMON))]
INTERVAL_NAMES = list(INTERVALS)


def field_name(name: str) -> str:
    """A field of a price version, a charge or a tier as people call it."""
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
    return names.get(name, label(name))


def finding_text(finding: Finding) -> str:
    """A finding in the page's language."""
    return t(finding.message, **finding.values)
