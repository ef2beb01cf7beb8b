"""Reaction and value of a pricing change: the worked figures, and what must always hold (simulation.md section 7)."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.calc.billing.price_limits import limit_of
from core.calc.simulation import response, value
from core.calc.simulation.response import SHARES, Cells, Reaction, project
from core.calc.simulation.value import PRIORS, Prior

VECTORS = Path(__file__).parents[1] / "vectors" / "simulation.json"


@cache
def cases():
    return {case["id"]: case for case in json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]}


def agrees(case, **numbers):
    """Are these what the case expects, within its tolerance?"""
    row = cases()[case]
    return all(abs(got - row["expected"][name]) <= max(row["abs_tolerance"], 1e-12) for name, got in numbers.items())


def test_break_evens():
    assert agrees("BE01", be=value.break_even_loss(1, 1.1))
    assert agrees("BE03", h=value.break_even_churn(1, 1.1, 0.015, 12))
    assert agrees("BE05", be=value.break_even_loss(299, 349))
    assert agrees("BE06", be=value.break_even_loss(299, 349, 59.8))
    assert agrees("BE07", h=value.break_even_churn(299, 349, 0.025, 24))
    assert agrees("SC10", be=value.break_even_loss(310_700, 349_000))
    assert value.break_even_churn(299, 349, 0.025, None, 0.10) == pytest.approx(0.0305, abs=5e-5)


def test_elasticities():
    assert agrees("EL05", kappa=response.implied_kappa(1.44, 13.99, 15.49))
    assert agrees("EL06", hr=response.mean_hazard_ratio(math.log(15.49 / 13.99)))
    mean, error = response.combined((math.log(2.5), 0.5), (math.log(1.6), 0.3))
    assert agrees("UN03", kappa=math.exp(mean), sd=error)
    assert agrees("UN02", **dict(zip(("mean", "sd"), response.chance_noise([5000], [0.03]), strict=True)))


def test_a_cut_never_makes_churn_negative():
    # The additive model of EL12 gives −0.04 for a fall of 20 % at a churn of 12 %; ours cannot leave [0, 1].
    cell = Cells.of(100, 80, 0.12)
    assert cases()["EL12"]["expected"]["additive"] < 0
    assert (project(cell, Reaction(), 24).churned >= 0).all()
    assert project(cell, Reaction(kappa=50.0), 24).churned.sum() <= 1


def test_worked_scenarios():
    cell = Cells.of(299, 349, 0.025)
    kappa = value.break_even_kappa(cell, Reaction(), 24)
    gained = float(
        value.gain(cell, Reaction(), 24) / value.present(project(cell, Reaction(), 24, changed=False).revenue)
    )

    assert agrees("SC11", kappa=kappa, gain=gained, p_loss=value.chance_above(kappa))
    assert agrees(
        "SC12", at_1pct=response.leavers_of_hundred(0.1, 0.01), **{"at_2.5pct": response.leavers_of_hundred(0.1, 0.025)}
    )
    assert agrees("CL01", ltv=value.clv(10, 0.05, 0.0))
    assert agrees("CL02", clv=value.clv(239.2, 0.025))


def test_the_default_answer_of_the_method():
    cell = Cells.of(299, 349, 0.025)
    with_change, without = project(cell, Reaction(), 12), project(cell, Reaction(), 12, changed=False)

    assert with_change.revenue.sum() / without.revenue.sum() - 1 == pytest.approx(0.106, abs=5e-4)
    assert with_change.churned.sum() - without.churned.sum() == pytest.approx(0.067, abs=5e-4)


def limited(before, after, cap_ppm, floor_ppm):
    """The limit of whole periods by billing's own rule."""
    cap, floor = (pl.lit(share, dtype=pl.Int64) for share in (cap_ppm, floor_ppm))
    known = pl.DataFrame({"before": before, "after": after})
    return known.select(limit_of(pl.col("before"), pl.col("after"), cap, floor)).to_series()


def test_a_limit_on_the_rise():
    before, after = pl.Series([29_900, 29_900, 10_000]), pl.Series([34_900, 31_000, 8_000])

    assert agrees("SC08", bill=float((after + limited(before, after, 100_000, None))[0]) / 100)
    assert limited(before, after, 100_000, None).to_list() == [-2_010, 0, 0]
    assert limited(before, after, None, 50_000).to_list() == [0, 0, 1_500]
    assert limited(before, after, None, None).to_list() == [0, 0, 0]


# --- identities ------------------------------------------------------------------------------------------------------------

bills = some.floats(5, 5_000)
hazards = some.floats(0.001, 0.3)
rises = some.floats(-0.6, 1.5)
reactions = some.builds(
    Reaction,
    kappa=some.floats(0, 8),
    rho=some.floats(0, 1),
    half_life=some.floats(0.5, 12),
    notice=some.floats(0, 0.5),
    cuts=some.floats(0, 1),
)


@given(before=bills, hazard=hazards, r=reactions)
@settings(max_examples=60, deadline=None)
def test_1_no_change_is_no_difference(before, hazard, r):
    cell = Cells.of(before, before, hazard)
    with_change, without = project(cell, r, 24), project(cell, r, 24, changed=False)

    assert np.array_equal(with_change.revenue, without.revenue)
    assert np.array_equal(with_change.churned, without.churned)
    assert agrees(
        "SC05",
        rev_diff=float((with_change.revenue - without.revenue).sum()),
        lost_diff=float((with_change.churned - without.churned).sum()),
    )


@given(before=bills, hazard=hazards, rise=rises)
@settings(max_examples=60, deadline=None)
def test_2_without_reaction_only_the_bill_differs(before, hazard, rise):
    cell = Cells.of(before, before * (1 + rise), hazard)
    still, without = project(cell, Reaction().off(), 24), project(cell, Reaction().off(), 24, changed=False)

    assert still.customers == pytest.approx(without.customers)
    assert still.revenue == pytest.approx(without.revenue * (1 + rise), rel=1e-9)


@given(before=bills, hazard=hazards, rise=rises, r=reactions, other=some.floats(0.3, 1.2))
@settings(max_examples=60, deadline=None)
def test_3_customers_are_conserved(before, hazard, rise, r, other):
    cell = Cells.of(before, before * (1 + rise), hazard, 1.0)
    cell = Cells(
        *[getattr(cell, name) for name in ("n", "before", "after", "hazard", "start", "term", "renewal", "told")],
        np.array([[before * other]]),
    )
    path = project(cell, r, 24)

    last = path.customers[-1] - path.churned[-1]
    assert agrees("SC06", sum=float(path.churned.sum() + last))
    assert (np.diff(path.customers) <= 1e-12).all()
    assert (path.switched >= 0).all()
    assert path.moved[-1] <= path.switched.sum() + 1e-12


def _beside(before, rise, other):
    cell = Cells.of(before, before * (1 + rise), 0.02, 1.0)
    return replace(cell, others=np.array([[before * other]]))


def test_the_chance_of_a_gain_knows_of_chance_too():
    """A loss of 100 that may as well be a gain by chance alone is no certain loss."""
    values = np.full(64, -100.0)
    assert value.range_of(values).above_zero == 0.0
    assert value.range_of(values, 100.0).above_zero == pytest.approx(0.158655, abs=1e-6)
    assert value.range_of(-values, 100.0).above_zero == pytest.approx(1 - 0.158655, abs=1e-6)


def test_who_stayed_beside_a_cheaper_plan_is_not_sent_there_by_a_cent():
    """Only what the change adds moves anybody: nothing at all adds nothing, more adds more, and what was dearer before counts in full."""
    switched = {
        rise: float(project(_beside(100.0, rise, 0.4), Reaction(), 24).switched.sum()) for rise in (0.0001, 0.05, 0.2)
    }
    assert switched[0.0001] < 0.001
    assert switched[0.0001] < switched[0.05] < switched[0.2]
    assert float(project(_beside(100.0, 0.5, 1.01), Reaction(), 24).switched.sum()) > 0.1
    assert float(project(_beside(100.0, -0.2, 0.4), Reaction(), 24).switched.sum()) == 0.0


@given(first=some.floats(1.01, 1.5), second=some.floats(1.01, 1.5), hazard=hazards, r=reactions)
@settings(max_examples=60, deadline=None)
def test_4_two_half_steps_at_one_instant_are_one(first, second, hazard, r):
    step = response.log_hazard_ratio(np.array(math.log(first)), np.array(0.0), 1.0, False, r)
    other = response.log_hazard_ratio(np.array(math.log(second)), np.array(0.0), 1.0, False, r)
    both = response.log_hazard_ratio(np.array(math.log(first * second)), np.array(0.0), 1.0, False, r)

    assert float(step + other) == pytest.approx(float(both), abs=1e-9)

    def at(ratio):
        return float(response.log_hazard_ratio(np.array(math.log(ratio)), np.array(0.0), 1.0, False, r))

    assert agrees("SC07", diff=at(324 / 299) + at(349 / 324) - at(349 / 299))


@given(
    hazard=hazards,
    low=some.floats(0.01, 0.5),
    more=some.floats(0.01, 0.5),
    kappa=some.floats(0.1, 6),
    added=some.floats(0.1, 4),
)
@settings(max_examples=60, deadline=None)
def test_5_a_larger_rise_or_sensitivity_never_keeps_more(hazard, low, more, kappa, added):
    def lost(rise, sensitivity):
        return project(Cells.of(100, 100 * (1 + rise), hazard), Reaction(kappa=sensitivity), 24).churned.cumsum()

    assert (lost(low + more, kappa) >= lost(low, kappa) - 1e-12).all()
    assert (lost(low, kappa + added) >= lost(low, kappa) - 1e-12).all()


@given(hazard=hazards, rise=some.floats(0.01, 0.8), start=some.integers(0, 11), later=some.integers(1, 12), r=reactions)
@settings(max_examples=60, deadline=None)
def test_6_a_later_start_never_loses_more_and_nothing_happens_before_it(hazard, rise, start, later, r):
    soon = project(Cells.of(100, 100 * (1 + rise), hazard, start=start), r, 24)
    late = project(Cells.of(100, 100 * (1 + rise), hazard, start=start + later), r, 24)
    without = project(Cells.of(100, 100 * (1 + rise), hazard), r, 24, changed=False)

    assert late.churned.sum() <= soon.churned.sum() + 1e-12
    assert late.revenue[: start + later] == pytest.approx(without.revenue[: start + later])


@given(hazard=hazards, r=reactions)
@settings(max_examples=30, deadline=None)
def test_7_grandfathered_and_unannounced_is_no_effect(hazard, r):
    kept = Cells.of(100, 100, hazard, told=False)

    assert project(kept, r, 24).churned == pytest.approx(project(kept, r, 24, changed=False).churned)


@given(
    before=some.lists(some.integers(1, 10**7), min_size=1, max_size=20),
    caps=some.tuples(some.integers(0, 10**6), some.integers(0, 10**6)),
)
@settings(max_examples=60, deadline=None)
def test_7_a_higher_limit_never_lowers_revenue(before, caps):
    now = pl.Series(before)
    after = now * 3 // 2
    low, high = sorted(caps)

    assert (after + limited(now, after, low, None)).sum() <= (after + limited(now, after, high, None)).sum()


@given(k=some.integers(2, 9), hazard=hazards, rise=rises, r=reactions)
@settings(max_examples=40, deadline=None)
def test_9_scaled_money_scales_money_and_not_people(k, hazard, rise, r):
    one, scaled = (project(Cells.of(100 * f, 100 * f * (1 + rise), hazard), r, 24) for f in (1, k))

    assert scaled.revenue == pytest.approx(one.revenue * k)
    assert scaled.customers == pytest.approx(one.customers)


def test_9_segments_sum_to_the_whole_in_any_order():
    cells = [Cells.of(100, 120, 0.02, 30), Cells.of(80, 60, 0.05, 12), Cells.of(300, 300, 0.01, 7)]
    names = ("n", "before", "after", "hazard", "start", "term", "renewal", "told")
    forward = Cells(
        *(np.concatenate([getattr(cell, name) for cell in cells]) for name in names), np.full((3, 0), np.nan)
    )
    backward = Cells(
        *(np.concatenate([getattr(cell, name) for cell in cells[::-1]]) for name in names), np.full((3, 0), np.nan)
    )

    whole = project(forward, Reaction(), 24).revenue
    assert whole == pytest.approx(sum(project(cell, Reaction(), 24).revenue for cell in cells))
    assert whole == pytest.approx(project(backward, Reaction(), 24).revenue)


def test_10_without_spread_all_percentiles_are_one_point_and_a_seed_is_a_result():
    cell = Cells.of(299, 349, 0.025)
    certain = {name: Prior(prior.median, 0.0, prior.log) for name, prior in PRIORS.items()}
    told = value.range_of(value.gain(cell, value.drawn(certain, Reaction(), 64, 1), 24))

    assert told.low == pytest.approx(told.high)
    again = [value.gain(cell, value.drawn(PRIORS, Reaction(), 64, seed), 24) for seed in (1, 1, 2)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


@given(hazard=hazards, log_ratio=some.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_11_a_ratio_and_its_inverse_return_the_hazard(hazard, log_ratio):
    there = response.tilted(hazard, log_ratio)

    assert 0 <= there <= 1
    assert float(response.tilted(there, -log_ratio)) == pytest.approx(hazard, rel=1e-6)


def test_15_break_evens_fed_back_gain_nothing():
    h1 = value.break_even_churn(299, 349, 0.025, 24)
    t = np.arange(24)
    assert (349 * (1 - h1) ** t).sum() == pytest.approx((299 * (1 - 0.025) ** t).sum(), rel=1e-9)
    cell = Cells.of(299, 349, 0.025)
    kappa = value.break_even_kappa(cell, Reaction(), 24)
    assert float(value.gain(cell, Reaction(kappa=kappa), 24)) == pytest.approx(0, abs=1e-6)


def test_terms_of_a_year_are_left_at_renewals_only():
    yearly = Cells(
        np.array([1.0]),
        np.array([100.0]),
        np.array([100.0]),
        np.array([0.02]),
        np.array([99]),
        np.array([12]),
        np.array([5]),
        np.array([False]),
        np.full((1, 0), np.nan),
    )
    path = project(yearly, Reaction(), 24)

    assert np.flatnonzero(path.churned).tolist() == [4, 16]
    assert path.churned[4] == pytest.approx(1 - 0.98**12)


def test_the_draws_are_those_of_single_reactions():
    cell = Cells.of(299, 349, 0.025)
    draws = value.drawn(PRIORS, Reaction(), 16, 3)

    def single(k):
        return replace(draws, **{name: float(getattr(draws, name)[k]) for name in PRIORS})

    each = [float(value.gain(cell, single(k), 24)) for k in range(16)]
    assert value.gain(cell, draws, 24) == pytest.approx(each)
    assert pytest.approx(1) == SHARES.sum()


def test_the_decisive_assumption_comes_first():
    cell = Cells.of(299, 349, 0.025)
    rows = value.tornado(PRIORS, Reaction(), lambda r: value.gain(cell, r, 24))

    assert rows[0][0] == "kappa"
    assert [abs(high - low) for _, low, high in rows] == sorted(
        (abs(high - low) for _, low, high in rows), reverse=True
    )
