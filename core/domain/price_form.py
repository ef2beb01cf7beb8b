"""Price terms as people type them: a form of plain texts, and what it says when it is read.

A form is a dict: `currency`, `interval`, `alignment`, `tax_inclusive`, `trial_days`, `minimum_commitment`, `charges`. Each
charge is a dict of texts and flags with `tiers`, a list of dicts of texts. Nothing typed is lost by reading it: a cell that
is no number becomes a finding, and the terms stand without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import parse_decimal
from core.domain.periods import INTERVALS, MONTHLY, Alignment, Interval, Timing
from core.domain.plans import ZERO, Charge, ChargeKind, ChargeModel, EventTerms, PriceTerms, Rounding, Tier
from core.domain.price_rules import Finding

Form = dict[str, Any]
PLACES_TYPED = 60  # anything may be typed; too many decimals are a finding of the rules

# Which cells of a tier each model uses, in the order of a table.
TIER_COLUMNS: dict[ChargeModel, tuple[str, ...]] = {
    ChargeModel.FLAT: ("flat_amount",),
    ChargeModel.PER_UNIT: ("unit_amount", "flat_amount"),
    ChargeModel.GRADUATED: ("up_to", "unit_amount", "flat_amount", "package_size"),
    ChargeModel.VOLUME: ("up_to", "unit_amount", "flat_amount", "package_size"),
    ChargeModel.PACKAGE: ("package_size", "unit_amount", "flat_amount"),
    ChargeModel.STAIRSTEP: ("up_to", "flat_amount"),
    ChargeModel.PERCENTAGE: (),
    ChargeModel.GRADUATED_PERCENTAGE: ("up_to", "rate_percent", "flat_amount"),
}
TIER_CELLS = ("up_to", "package_size", "unit_amount", "flat_amount", "rate_percent")
PRICES = ("flat_amount", "unit_amount", "rate_percent")
EVENT_FIELDS = ("rate_percent", "fixed_amount", "free_events", "free_amount", "min_per_event", "max_per_event")
_UNITS = (
    ChargeModel.PER_UNIT, ChargeModel.GRADUATED, ChargeModel.VOLUME, ChargeModel.PACKAGE, ChargeModel.STAIRSTEP,
    ChargeModel.FLAT,
)  # fmt: skip
MODELS: dict[ChargeKind, tuple[ChargeModel, ...]] = {
    ChargeKind.FIXED: (ChargeModel.FLAT,),
    ChargeKind.ONE_OFF: (ChargeModel.FLAT,),
    ChargeKind.SEAT: _UNITS,
    ChargeKind.ADDON: _UNITS,
    ChargeKind.USAGE: (*_UNITS, ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE),
}
COUNTED = (ChargeKind.SEAT, ChargeKind.ADDON, ChargeKind.USAGE)  # kinds whose units can be included and converted


@dataclass(frozen=True)
class Reading:
    """What a form says: the terms, and cells that cannot be read (with them it cannot be saved)."""

    terms: PriceTerms
    unreadable: list[Finding]


# --- terms → form ---------------------------------------------------------------------------------------------------


def fill(terms: PriceTerms, point: str = ".") -> Form:
    """The form that says these terms, numbers with the given decimal sign."""

    def text(value: Decimal | None) -> str:
        return "" if value is None else format(value, "f").replace(".", point)

    return {
        "currency": terms.currency, "interval": interval_name(terms.interval), "alignment": terms.alignment.value,
        "tax_inclusive": terms.tax_inclusive, "trial_days": terms.trial_days,
        "minimum_commitment": text(terms.minimum_commitment or None),
        "charges": [_fill_charge(charge, text) for charge in terms.charges],
    }  # fmt: skip


def make_free(charge: Form) -> None:
    """The charge stays on the list and costs nothing, whatever its quantity."""
    first, *others = (name for name in TIER_COLUMNS[ChargeModel(charge["model"])] if name in PRICES)
    free = {**charge["tiers"][-1], "up_to": "", first: "0", **dict.fromkeys(others, "")}
    charge.update(tiers=[free], min_amount="", included_units="")


def blank_charge(kind: ChargeKind, code: str) -> Form:
    """A new charge of a kind, with the model it usually has."""
    timing = Timing.ARREARS if kind is ChargeKind.USAGE else Timing.ADVANCE
    meter = code if kind is ChargeKind.USAGE else ""
    return _fill_charge(Charge(code, "", kind, MODELS[kind][0], (Tier(None),), timing=timing, meter=meter), _no_zero)


def _no_zero(value: Decimal | None) -> str:
    return str(value) if value else ""


def _fill_charge(charge: Charge, text: Callable[[Decimal | None], str]) -> Form:
    events = charge.events
    return {
        "code": charge.code, "name": charge.name, "kind": charge.kind.value, "model": charge.model.value,
        "timing": charge.timing.value, "meter": charge.meter, "vat_category": charge.vat_category,
        "included_units": text(charge.included_units or None), "package_rounding": charge.package_rounding.value,
        "convert_by": text(charge.convert_by), "convert_rounding": charge.convert_rounding.value,
        "first_tier_flat_at_zero": charge.first_tier_flat_at_zero,
        "min_amount": text(charge.min_amount), "max_amount": text(charge.max_amount),
        "tiers": [_fill_tier(tier, charge.model, text) for tier in charge.tiers],
        **dict.fromkeys(EVENT_FIELDS, ""),
        **(_fill_events(events, text) if events else {}),
    }  # fmt: skip


def _fill_tier(tier: Tier, model: ChargeModel, text: Callable[[Decimal | None], str]) -> Form:
    """The cells of a tier. One that costs nothing says so in its first price: a row without any text would be no tier."""
    prices = [name for name in TIER_COLUMNS[model] if name in PRICES]
    free = not any(getattr(tier, name) for name in PRICES)
    return {
        "up_to": text(tier.up_to), "package_size": text(tier.package_size),
        **{name: text(ZERO if free and name in prices[:1] else getattr(tier, name) or None) for name in PRICES},
    }  # fmt: skip


def _fill_events(events: EventTerms, text: Callable[[Decimal | None], str]) -> Form:
    return {
        "rate_percent": text(events.rate_percent), "fixed_amount": text(events.fixed_amount or None),
        "free_events": "" if events.free_events is None else str(events.free_events),
        "free_amount": text(events.free_amount), "min_per_event": text(events.min_per_event),
        "max_per_event": text(events.max_per_event),
    }  # fmt: skip


def interval_name(interval: Interval) -> str:
    """The name of an interval that the catalogue offers: "quarter"; of others their count and unit."""
    named = {value: name for name, value in INTERVALS.items()}
    return named.get(interval, f"{interval.count} {interval.unit.value}")


# --- form → terms ---------------------------------------------------------------------------------------------------


def read(form: Form, interval: Interval | None = None) -> Reading:
    """What the form says. `interval`: the one it had, for a version whose interval the catalogue does not offer."""
    unreadable: list[Finding] = []
    charges = tuple(_read_charge(charge, unreadable) for charge in form["charges"])
    minimum = _number("", None, "minimum_commitment", form["minimum_commitment"], unreadable) or ZERO
    terms = PriceTerms(
        form["currency"], INTERVALS.get(form["interval"], interval or MONTHLY), charges, Alignment(form["alignment"]),
        bool(form["tax_inclusive"]), minimum, int(form["trial_days"] or 0),
    )  # fmt: skip
    return Reading(terms, unreadable)


def _read_charge(form: Form, unreadable: list[Finding]) -> Charge:
    """One charge; what its kind and model do not use is left out."""
    kind, model, code = ChargeKind(form["kind"]), ChargeModel(form["model"]), str(form["code"]).strip()

    def number(name: str) -> Decimal | None:
        return _number(code, None, name, form[name], unreadable)

    counted = kind in COUNTED and model is not ChargeModel.PERCENTAGE
    converted = number("convert_by") if counted else None
    bounded = {"min_amount": number("min_amount"), "max_amount": number("max_amount")} if kind in COUNTED else {}
    return Charge(
        code=code, name=str(form["name"]).strip(), kind=kind, model=model,
        tiers=tuple(_read_tiers(code, model, form["tiers"], unreadable)),
        timing=_timing(kind, form["timing"]), meter=str(form["meter"]).strip() if kind is ChargeKind.USAGE else "",
        events=_read_events(form, number, code, unreadable) if model is ChargeModel.PERCENTAGE else None,
        included_units=(number("included_units") or ZERO) if counted else ZERO,
        package_rounding=Rounding(form["package_rounding"]) if "package_size" in TIER_COLUMNS[model] else Rounding.UP,
        convert_by=converted, convert_rounding=Rounding(form["convert_rounding"]) if converted else Rounding.UP,
        first_tier_flat_at_zero=bool(form["first_tier_flat_at_zero"]) if kind in COUNTED else True,
        vat_category=form["vat_category"], **bounded,
    )  # fmt: skip


def _timing(kind: ChargeKind, chosen: str) -> Timing:
    """Usage is known only afterwards; a one-off fee is owed at once."""
    return {ChargeKind.USAGE: Timing.ARREARS, ChargeKind.ONE_OFF: Timing.ADVANCE}.get(kind, Timing(chosen))


def _read_tiers(code: str, model: ChargeModel, rows: list[Form], unreadable: list[Finding]) -> list[Tier]:
    """The tiers of a table; rows without any text are left out, rows are named by their number among the others."""
    columns = TIER_COLUMNS[model]
    filled = [row for row in rows if any(str(row.get(name) or "").strip() for name in columns)]
    if "up_to" not in columns:
        filled = filled[:1]
    tiers = []
    for at, row in enumerate(filled):
        cells = {name: _number(code, at, name, row.get(name), unreadable) for name in columns}
        given = {name: value for name, value in cells.items() if value is not None}
        tiers.append(Tier(**{"up_to": None, **given}))  # type: ignore[arg-type]
    return tiers


def _read_events(
    form: Form, number: Callable[[str], Decimal | None], code: str, unreadable: list[Finding]
) -> EventTerms | None:
    """The terms of a percentage; without a rate there are none."""
    rate, free = number("rate_percent"), number("free_events")
    if free is not None and free != free.to_integral_value():
        unreadable.append(Finding(code, None, "free_events", "The number of free events is a whole number"))
        free = None
    if rate is None:
        return None
    return EventTerms(
        rate, number("fixed_amount") or ZERO, None if free is None else int(free), number("free_amount"),
        number("min_per_event"), number("max_per_event"),
    )  # fmt: skip


def _number(code: str, row: int | None, column: str, text: Any, unreadable: list[Finding]) -> Decimal | None:
    """A typed number; nothing typed is None. What is no number is a finding that names its cell."""
    typed = str(text or "").strip()
    if not typed:
        return None
    try:
        value = parse_decimal(typed, places=PLACES_TYPED)
        if value.adjusted() > PLACES_TYPED:
            raise InvalidInput("The amount {amount} is too large", code="amount_too_large", amount=typed)
        return value
    except InvalidInput:
        shown = "".join(sign for sign in typed if sign.isprintable())[:40]
        if row is None:
            unreadable.append(Finding(code, None, column, "“{text}” is not a number", {"text": shown}))
        else:
            values = {"tier": row + 1, "text": shown}
            unreadable.append(Finding(code, row, column, "Tier {tier}: “{text}” is not a number", values))
        return None
