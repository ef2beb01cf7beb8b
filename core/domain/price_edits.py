"""What differs between two price lists, cell by cell, and the same done to a form: a pricing change as a few lines of text.

A cell is named by its charge, column and tier (`domain.scenarios.Edit`). Beside the columns of a form (`domain.price_form`):
`kind` on a charge that is not there adds it, `removed` takes it away, `tiers` says how many tiers it has, and a charge without
a name is the price list itself (`minimum_commitment`, `trial_days`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import parse_decimal
from core.domain.periods import Timing
from core.domain.plans import ChargeKind, ChargeModel, PriceTerms, Rounding
from core.domain.price_form import PLACES_TYPED, TIER_CELLS, Form, blank_charge, fill
from core.domain.scenarios import Edit, Scenario

WHOLE = ("minimum_commitment", "trial_days")
REMOVED, TIERS, KIND = "removed", "tiers", "kind"
MOST_TIERS = 1_000
_WORDS: dict[str, type[StrEnum]] = {
    KIND: ChargeKind, "model": ChargeModel, "timing": Timing, "package_rounding": Rounding, "convert_rounding": Rounding,
}  # fmt: skip
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}
_NO_CELLS = ("code", KIND, TIERS)


def between(before: PriceTerms, after: PriceTerms) -> tuple[Edit, ...]:
    """The edits that lead from one price list to the other; none where they say the same. The order of charges is no price."""
    old, new = fill(before), fill(after)
    return tuple(_differences(old, new))


def _differences(old: Form, new: Form) -> Iterator[Edit]:
    yield from (Edit("", column, _text(new[column])) for column in WHOLE if not _same(old[column], new[column]))
    known, wanted = ({charge["code"]: charge for charge in form["charges"]} for form in (old, new))
    yield from (Edit(code, REMOVED, _text(True)) for code in known if code not in wanted)
    for code, charge in wanted.items():
        was = known.get(code)
        if was is None:
            yield Edit(code, KIND, charge[KIND])
            was = blank_charge(ChargeKind(charge[KIND]), code)
        elif was[KIND] != charge[KIND]:
            yield Edit(code, KIND, charge[KIND])
        yield from _cells(code, was, charge)


def _cells(code: str, was: Form, charge: Form) -> Iterator[Edit]:
    for column, value in charge.items():
        if column not in _NO_CELLS and not _same(was[column], value):
            yield Edit(code, column, _text(value))
    if ChargeModel(charge["model"]) is ChargeModel.PERCENTAGE:
        return  # its rate is the charge's own, whatever its tiers may hold
    if len(was[TIERS]) != len(charge[TIERS]):
        yield Edit(code, TIERS, str(len(charge[TIERS])))
    for place, tier in enumerate(charge[TIERS]):
        before = was[TIERS][place] if place < len(was[TIERS]) else {}
        changed = (column for column in TIER_CELLS if not _same(before.get(column, ""), tier[column]))
        yield from (Edit(code, column, _text(tier[column]), place) for column in changed)


def same(one: Scenario, other: Scenario, before: PriceTerms) -> bool:
    """Do two scenarios make the same of these prices? How the edits were written down does not matter, nor one that is sold by now."""
    if replace(one, edits=()) != replace(other, edits=()):
        return False
    try:
        return not list(_differences(*(applied(before, each.edits) for each in (one, other))))
    except InvalidInput:  # one has no place in these prices
        return False


def applied(before: PriceTerms, edits: Sequence[Edit]) -> Form:
    """The form of a price list with every edit in its cell. An edit that has no place is refused with a sentence."""
    form = fill(before)
    for edit in edits:
        _apply(form, edit)
    return form


def _apply(form: Form, edit: Edit) -> None:
    if not edit.charge:
        _apply_whole(form, edit)
        return
    if edit.tier < 0:
        raise InvalidInput("Tiers are counted from 0", code="bad_tier")
    charge = next((each for each in form["charges"] if each["code"] == edit.charge), None)
    if edit.column in _WORDS and edit.value not in list(_WORDS[edit.column]):
        raise InvalidInput("“{value}” is no {column}", code="no_word", value=edit.value, column=edit.column)
    if charge is None and edit.column == KIND:
        form["charges"].append(blank_charge(ChargeKind(edit.value), edit.charge))
    elif charge is None:
        raise InvalidInput("The prices have no charge {charge}", code="no_charge", charge=edit.charge)
    elif edit.column == REMOVED:
        if _flag(edit):
            form["charges"].remove(charge)
    else:
        _apply_cell(charge, edit)


def _apply_cell(charge: Form, edit: Edit) -> None:
    if edit.column == KIND:
        charge[KIND] = edit.value
    elif edit.column == TIERS:
        _resize(charge, edit.value)
    # The rate of a percentage of each event is the charge's own, whatever its tiers may hold.
    elif edit.column in TIER_CELLS and charge["model"] != ChargeModel.PERCENTAGE.value:
        if edit.tier >= len(charge[TIERS]):
            _resize(charge, str(edit.tier + 1))
        charge[TIERS][edit.tier][edit.column] = edit.value
    elif edit.column in charge and edit.column not in _NO_CELLS:
        charge[edit.column] = _flag(edit) if isinstance(charge[edit.column], bool) else edit.value
    else:
        raise InvalidInput("A charge has no “{column}”", code="no_column", column=edit.column)


def _apply_whole(form: Form, edit: Edit) -> None:
    if edit.column not in WHOLE:
        raise InvalidInput("Prices have no “{column}”", code="no_column", column=edit.column)
    if edit.column == "trial_days" and not edit.value.isdecimal():
        raise InvalidInput("A trial lasts whole days", code="bad_trial")
    form[edit.column] = edit.value


def _flag(edit: Edit) -> bool:
    """What a yes or no says; TOML's own true and false too."""
    word = edit.value.lower()
    if word not in _FLAGS:
        raise InvalidInput("“{column}” is yes or no", code="bad_flag", column=edit.column)
    return _FLAGS[word]


def _resize(charge: Form, count: str) -> None:
    """As many tiers as said: the last ones go, or empty ones come."""
    if not count.isdecimal() or int(count) > MOST_TIERS:
        raise InvalidInput("A charge has at most {most} tiers", code="bad_tiers", most=MOST_TIERS)
    missing = int(count) - len(charge[TIERS])
    charge[TIERS] = charge[TIERS][: int(count)] + [dict.fromkeys(TIER_CELLS, "") for _ in range(missing)]


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _same(one: Any, other: Any) -> bool:
    """Do two cells say the same? 5 and 5.00 do."""
    if one == other or not (isinstance(one, str) and isinstance(other, str) and one and other):
        return bool(one == other)
    try:
        return parse_decimal(one, places=PLACES_TYPED) == parse_decimal(other, places=PLACES_TYPED)
    except InvalidInput:
        return False
