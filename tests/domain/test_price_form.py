"""What people type is read exactly, and nothing of it is lost."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from core.domain.periods import QUARTERLY, Alignment, Interval, Timing, Unit
from core.domain.plans import Charge, ChargeKind, ChargeModel, EventTerms, PriceTerms, Rounding, Tier
from core.domain.price_form import MODELS, blank_charge, fill, make_free, read
from core.domain.price_rules import check_terms

ARREARS = Timing.ARREARS
TERMS = PriceTerms(
    "KWD",
    QUARTERLY,
    (
        Charge("fee", "Fee", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=D("9.500")),)),
        Charge(
            "seat", "Seats", ChargeKind.SEAT, ChargeModel.STAIRSTEP,
            (Tier(D(5), flat_amount=D(10)), Tier(None, flat_amount=D(20))), timing=ARREARS,
        ),
        Charge(
            "u", "Use", ChargeKind.USAGE, ChargeModel.GRADUATED,
            (Tier(D("10.5"), D("0.000000000001"), D(1), D(3)), Tier(None, D(2))), timing=ARREARS, meter="m",
            included_units=D("1.5"), package_rounding=Rounding.DOWN, convert_by=D(1000),
            convert_rounding=Rounding.NEAREST, min_amount=D("1.005"), max_amount=D(9), first_tier_flat_at_zero=False,
        ),
        Charge(
            "p", "Pay", ChargeKind.USAGE, ChargeModel.PERCENTAGE, timing=ARREARS, meter="p",
            events=EventTerms(D("2.9"), D("0.3"), 5, D(100), D("0.1"), D(10)),
        ),
        Charge(
            "g", "Share", ChargeKind.USAGE, ChargeModel.GRADUATED_PERCENTAGE,
            (Tier(D(100), rate_percent=D(3)), Tier(None, rate_percent=D(2))), timing=ARREARS, meter="g",
        ),
        Charge("a", "Extra", ChargeKind.ADDON, ChargeModel.PACKAGE, (Tier(None, D(5), package_size=D(10)),)),
    ),
    alignment=Alignment.CALENDAR, tax_inclusive=True, minimum_commitment=D("12.345"), trial_days=14,
)  # fmt: skip


@pytest.mark.parametrize("point", [".", ","])
def test_every_model_goes_through_the_form_unchanged(point):
    reading = read(fill(TERMS, point))
    assert reading.unreadable == []
    assert reading.terms == TERMS
    assert check_terms(reading.terms) == []


@pytest.mark.parametrize("place", [1, 2, 5])
def test_a_charge_made_free_is_sound_and_says_so(place):
    form = fill(TERMS)
    make_free(form["charges"][place])
    reading = read(form)
    assert reading.unreadable == []
    assert check_terms(reading.terms) == []
    charge = reading.terms.charges[place]
    assert charge.model is TERMS.charges[place].model
    (tier,) = charge.tiers
    assert (tier.up_to, tier.unit_amount, tier.flat_amount) == (None, 0, 0)
    assert (charge.min_amount, charge.included_units) == (None, 0)


def test_an_interval_that_is_not_offered_stays_as_it_was():
    two_months = PriceTerms("NOK", Interval(Unit.MONTH, 2), TERMS.charges[:1])
    assert read(fill(two_months), two_months.interval).terms == two_months


@pytest.mark.parametrize("typed", ["mye", "1,2.3", "=1+1", "NaN", "1e", "4\0", "1e999999", "1e-999999"])
def test_a_cell_that_is_no_number_is_named_by_its_tier(typed):
    form = fill(TERMS)
    form["charges"][2]["tiers"][1]["unit_amount"] = typed
    [finding] = read(form).unreadable
    assert (finding.charge, finding.tier, finding.column) == ("u", 1, "unit_amount")
    assert finding.sentence().startswith("Tier 2: “")
    assert form["charges"][2]["tiers"][1]["unit_amount"] == typed


def test_rows_without_text_are_left_out_and_unused_cells_too():
    form = fill(TERMS)
    form["charges"][0]["tiers"] = [{"flat_amount": "1 299,50", "unit_amount": "7"}, {"flat_amount": ""}]
    [tier] = read(form).terms.charges[0].tiers
    assert tier == Tier(None, flat_amount=D("1299.50"))


def test_a_part_of_an_event_cannot_be_free():
    form = fill(TERMS)
    form["charges"][3]["free_events"] = "2.5"
    assert [finding.sentence() for finding in read(form).unreadable] == ["The number of free events is a whole number"]


@pytest.mark.parametrize("kind", list(ChargeKind))
def test_a_new_charge_of_each_kind_can_be_read_at_once(kind):
    charge = blank_charge(kind, "new")
    assert charge["model"] == MODELS[kind][0]
    form = {**fill(TERMS), "charges": [charge]}
    assert read(form).unreadable == []
