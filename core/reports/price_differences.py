"""Two price versions side by side: what each says, cell by cell, and which cells differ."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from enum import Enum
from typing import Any

import polars as pl

from core.domain.plans import Charge, EventTerms, PriceTerms, Tier
from core.domain.price_form import interval_name
from core.store.catalogue import text_of

# charge: the charge's code, "" for the version itself; tier: its number from 1, 0 for the charge; field: a word of the domain.
SIDE_BY_SIDE: dict[str, Any] = {
    "charge": pl.String, "tier": pl.Int64, "field": pl.String, "before": pl.String, "after": pl.String,
    "changed": pl.Boolean,
}  # fmt: skip
Cells = dict[tuple[str, int, str], str]


def side_by_side(before: PriceTerms | None, after: PriceTerms) -> pl.DataFrame:
    """SIDE_BY_SIDE in the order of the later version, then what only the earlier one has. Empty text: it says nothing."""
    old, new = _cells(before) if before else {}, _cells(after)
    keys = _in_order([*new, *(key for key in old if key not in new)])
    rows = [(*key, old.get(key, ""), new.get(key, ""), _differs(old.get(key, ""), new.get(key, ""))) for key in keys]
    return pl.DataFrame(rows, schema=SIDE_BY_SIDE, orient="row")


def _in_order(keys: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Cells of one charge stay together, tiers in their order."""
    charges = {code: place for place, code in enumerate(dict.fromkeys(key[0] for key in keys))}
    return sorted(keys, key=lambda key: (charges[key[0]], key[1]))


def _differs(before: str, after: str) -> bool:
    """5.00 and 5 are the same price."""
    if before == after:
        return False
    try:
        return Decimal(before) != Decimal(after)
    except ArithmeticError:
        return True


def _cells(terms: PriceTerms) -> Cells:
    head = {
        "currency": terms.currency, "interval": interval_name(terms.interval),
        "alignment": terms.alignment.value, "tax_inclusive": _text(terms.tax_inclusive),
        "minimum_commitment": _text(terms.minimum_commitment), "trial_days": str(terms.trial_days),
    }  # fmt: skip
    cells: Cells = {("", 0, name): value for name, value in head.items() if value}
    for charge in terms.charges:
        cells |= {(charge.code, 0, name): value for name, value in _said(charge, Charge).items()}
        cells |= {(charge.code, 0, name): value for name, value in _said(charge.events, EventTerms).items()}
        for row, tier in enumerate(charge.tiers, 1):
            cells |= {(charge.code, row, name): value for name, value in _said(tier, Tier).items()}
    return cells


def _said(part: Any, kind: type) -> dict[str, str]:
    """The fields of a part that differ from their default, as text."""
    found = {}
    for each in fields(kind) if part is not None else ():
        value = getattr(part, each.name)
        if value is not None and value != each.default and not isinstance(value, tuple | EventTerms):
            found[each.name] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return text_of(value) or ""
    return str(value.value if isinstance(value, Enum) else value)
