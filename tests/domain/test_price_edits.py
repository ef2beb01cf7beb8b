"""A pricing change as edits: what differs between two price lists leads from the one to the other."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidInput
from core.domain.periods import Timing
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms, Tier
from core.domain.price_edits import applied, between
from core.domain.price_form import MODELS, TIER_COLUMNS, fill, read
from core.domain.scenarios import Edit
from tests.domain.test_price_form import TERMS

numbers = st.sampled_from(["", "0", "1", "1.50", "2.5", "10", "1000"])


@st.composite
def charges(draw, code):
    """A charge of any kind and model with any cells, not always sound."""
    kind = draw(st.sampled_from(list(ChargeKind)))
    model = draw(st.sampled_from(MODELS[kind]))
    tier = st.fixed_dictionaries(dict.fromkeys(TIER_COLUMNS[model], numbers))
    plain = Charge(code, draw(st.sampled_from(["", "Name"])), kind, model, (Tier(None),), meter="m", timing=draw(st.sampled_from(list(Timing))))  # fmt: skip
    form = fill(replace(TERMS, charges=(plain,)))["charges"][0]
    form |= {
        name: draw(numbers) for name in ("included_units", "convert_by", "min_amount", "max_amount", "fixed_amount")
    }
    form |= {"rate_percent": draw(numbers), "first_tier_flat_at_zero": draw(st.booleans())}
    return form | {"tiers": draw(st.lists(tier, min_size=1, max_size=3))}


@st.composite
def lists(draw) -> PriceTerms:
    """A price list of up to four charges in any order."""
    codes = draw(st.permutations(["a", "b", "c", "d"]))[: draw(st.integers(0, 4))]
    form = fill(TERMS) | {"charges": [draw(charges(code)) for code in codes]}
    form |= {"minimum_commitment": draw(numbers), "trial_days": draw(st.integers(0, 30))}
    return read(form).terms


def content(terms):
    return replace(terms, charges=tuple(sorted(terms.charges, key=lambda charge: charge.code)))


@given(lists(), lists())
def test_the_differences_lead_from_one_price_list_to_the_other(before, after):
    assert content(read(applied(before, between(before, after))).terms) == content(after)
    assert between(after, after) == ()


def test_a_changed_tier_is_one_edit_and_an_added_one_says_how_many_there_are():
    seats = TERMS.charges[1]
    more = (*seats.tiers[:1], Tier(D(9), flat_amount=D(15)), *seats.tiers[1:])
    dearer = replace(seats, tiers=(replace(seats.tiers[0], flat_amount=D("12.5")), seats.tiers[1]))

    def to(charge):
        return replace(TERMS, charges=tuple(charge if each.code == "seat" else each for each in TERMS.charges))

    assert between(TERMS, to(dearer)) == (Edit("seat", "flat_amount", "12.5"),)
    assert between(TERMS, to(replace(seats, tiers=more)))[0] == Edit("seat", "tiers", "3")


def test_a_price_of_nothing_is_a_price():
    """A free last tier and a free plan are read as they were written."""
    free = PriceTerms("NOK", TERMS.interval, (
        Charge("fee", "Fee", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None),)),
        Charge("u", "Use", ChargeKind.USAGE, ChargeModel.GRADUATED, (Tier(D(100), D(1)), Tier(None)), timing=Timing.ARREARS, meter="m"),
        Charge("g", "Share", ChargeKind.USAGE, ChargeModel.GRADUATED_PERCENTAGE, (Tier(None),), timing=Timing.ARREARS, meter="g"),
    ))  # fmt: skip
    assert read(fill(free)).terms == free


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit("nix", "flat_amount", "1"), "no charge nix"),
        (Edit("fee", "colour", "red"), "no “colour”"),
        (Edit("", "colour", "red"), "no “colour”"),
        (Edit("fee", "code", "other"), "no “code”"),
        (Edit("fee", "model", "guess"), "“guess” is no model"),
        (Edit("new", "kind", "gift"), "“gift” is no kind"),
        (Edit("seat", "tiers", "many"), "at most 1000 tiers"),
        (Edit("seat", "up_to", "5", 5_000_000), "at most 1000 tiers"),
        (Edit("seat", "up_to", "5", -1), "counted from 0"),
        (Edit("", "trial_days", "14.5"), "whole days"),
        (Edit("seat", "removed", "perhaps"), "yes or no"),
    ],
)
def test_an_edit_without_a_place_is_refused(edit, words):
    with pytest.raises(InvalidInput) as refused:
        applied(TERMS, (edit,))
    assert words in str(refused.value)


def test_the_other_model_of_the_same_kind_can_be_asked_for():
    changed = read(
        applied(TERMS, (Edit("seat", "model", ChargeModel.VOLUME), Edit("seat", "unit_amount", "3", 1)))
    ).terms
    assert changed.charges[1].model is ChargeModel.VOLUME


def test_flags_are_what_they_say_in_toml_too():
    kept = applied(TERMS, (Edit("seat", "removed", "no"), Edit("u", "first_tier_flat_at_zero", "True")))
    assert [charge["code"] for charge in kept["charges"]] == [charge.code for charge in TERMS.charges]
    assert kept["charges"][2]["first_tier_flat_at_zero"] is True
