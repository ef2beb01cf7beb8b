"""Lifetime models: the published fits and values, their boundaries, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from core.calc import lifetime, survival
from core.calc.lifetime import Model
from core.domain.errors import InvalidInput
from tests.figures import agrees, metrics

REGULAR = metrics()["sbg.data.regular"]["published"]
HIGH_END = metrics()["sbg.data.high_end"]["published"]


def fitted(years, model=Model.SBG, table=REGULAR):
    return lifetime.fit(lifetime.from_survivors(table[: years + 1]), model)


def test_seven_years_of_regular_customers():
    fit = fitted(7)

    assert agrees("sbg.regular.7y.alpha", fit.alpha)
    assert agrees("sbg.regular.7y.beta", fit.beta)
    assert agrees("sbg.regular.7y.LL", fit.log_likelihood)
    assert np.allclose(
        fit.survival([8, 9, 10, 11, 12]), metrics()["sbg.regular.projection.8_12"]["computed"], atol=5e-5
    )
    assert agrees("sbg.regular.y12.holdout_error", 1000 * float(fit.survival(12)) - REGULAR[12])
    assert agrees("sbg.regular.mean_theta", fit.alpha / (fit.alpha + fit.beta))
    rates = metrics()["sbg.regular.retention_rate_by_year"]["computed"]
    assert np.allclose(fit.retention(np.arange(1, len(rates) + 1)), rates, atol=1e-6)


def test_the_slip_of_another_library_is_no_maximum():
    counts = lifetime.from_survivors(REGULAR[:8])

    assert agrees("sbg.regular.7y.LL_at_0.688_1.182", lifetime.log_likelihood(counts, 0.688, 1.182))
    assert lifetime.log_likelihood(counts, 0.688, 1.182) < fitted(7).log_likelihood


@pytest.mark.parametrize("years", [4, 12])
def test_other_horizons(years):
    fit = fitted(years)

    assert agrees(f"sbg.regular.{years}y", fit.alpha, fit.beta, fit.log_likelihood)


def test_bdw():
    four = fitted(4, Model.BDW)
    assert np.allclose((four.alpha, four.beta, four.c), metrics()["bdw.regular.4y.params"]["computed"], atol=2e-6)
    assert agrees("bdw.regular.4y.LL", four.log_likelihood)
    assert np.allclose(four.survival(range(5, 13)), metrics()["bdw.regular.4y.projection.5_12"]["computed"], atol=1e-6)
    for years in (7, 12):
        fit = fitted(years, Model.BDW)
        assert np.allclose(
            (fit.alpha, fit.beta, fit.c, fit.log_likelihood), metrics()[f"bdw.regular.{years}y"]["computed"], rtol=1e-5
        )


def test_the_geometric_benchmark():
    fit = fitted(7, Model.GEOMETRIC)

    assert agrees("geometric.regular.7y", 1 - fit.beta, fit.log_likelihood, 1000 * float(fit.survival(12)))


def test_values():
    fit = fitted(7)
    for discount in (0.05, 0.1, 0.15):
        assert agrees(f"sbg.regular.DEL.d{discount}", lifetime.del_(fit, discount))
    for payments in (1, 2, 3, 5, 8):
        assert agrees(f"sbg.regular.DERL.n{payments}.d0.10", lifetime.derl(fit, 0.1, payments))
    for payments in (1, 3, 8):
        assert agrees(
            f"sbg.regular.retention_elasticity.n{payments}.d0.10",
            lifetime.mean_retention_elasticity(fit, 0.1, payments),
        )
        assert agrees(f"sbg.regular.value_elasticity.n{payments}.d0.10", lifetime.value_elasticity(fit, 0.1, payments))


def test_the_closed_form_is_the_sum():
    fit = fitted(7)
    t = np.arange(4000)
    payments = fit.survival(3 + t) / fit.survival(2) * 1.1**-t

    assert lifetime.derl(fit, 0.1, 3) == pytest.approx(payments.sum(), rel=1e-8)


def test_refit_of_a_worked_cohort():
    fit = lifetime.fit(lifetime.from_survivors(metrics()["fh10.case1.cohort"]["published"]))

    assert agrees("fh10.case1.refit", fit.alpha, fit.beta)
    assert np.allclose(10_000 * fit.survival(range(5)), metrics()["fh10.case1.cohort"]["published"], atol=0.5)


def test_textbook_multiples():
    assert agrees("gupta_lehmann.multiple.i10", *(lifetime.margin_multiple(r, 0.1) for r in (0.6, 0.7, 0.8, 0.9)))
    assert agrees("berger_nasr.case1", lifetime.contribution_less_marketing(260, 50, 0.75, 0.20, 10))
    assert agrees("chartmogul.ltv", lifetime.simple_ltv(100, 0.05))
    assert lifetime.simple_ltv(100, 0) is None


def test_the_better_model_on_what_it_had_not_seen_is_chosen():
    assert lifetime.choose(lifetime.from_survivors(REGULAR[:8])).chosen.model is Model.SBG
    assert lifetime.choose(lifetime.from_survivors(HIGH_END[:8])).chosen.model is Model.BDW


def test_customers_who_do_not_differ_are_found_alike():
    alive = [round(100_000 * 0.9**year) for year in range(8)]

    choice = lifetime.choose(lifetime.from_survivors(alive))

    assert choice.homogeneous
    assert choice.chosen.model is Model.GEOMETRIC
    assert choice.chosen.beta == pytest.approx(0.9, abs=1e-4)
    assert lifetime.del_(choice.chosen, 0.1) == pytest.approx(1 / (1 - 0.9 / 1.1), rel=1e-3)


def test_late_entries_are_counted_from_when_they_were_known():
    # Everybody leaves with 10 % a year; half of them are known from year 3 on only, and all of those had survived until then.
    rng = np.random.default_rng(7)
    life = rng.geometric(0.1, 40_000)
    entry = np.where(np.arange(life.size) % 2, 3, 0)
    seen = life > entry
    rows = pl.DataFrame(
        {
            "entry": entry[seen],
            "exit": np.minimum(life[seen], 12),
            "cause": ["voluntary" if value <= 12 else None for value in life[seen]],
        }
    )
    rows = rows.with_columns(exit=pl.when(pl.col("cause").is_null()).then(12).otherwise("exit"))

    counts = lifetime.from_subjects(survival.counted(rows))

    assert lifetime.fit(counts, Model.GEOMETRIC).beta == pytest.approx(0.9, abs=0.003)
    assert lifetime.observed(counts)[5] == pytest.approx(0.9**6, abs=0.01)


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(3)
    chances = rng.beta(0.7, 1.2, 3_000)
    life = rng.geometric(chances)
    alive = [int((life > year).sum()) for year in range(8)]
    counts = lifetime.from_survivors(alive)
    truth = lifetime.del_(lifetime.Fit(Model.SBG, 0.7, 1.2, 1.0, 0.0, 7), 0.1)

    low, high = lifetime.interval(
        [lifetime.del_(fit, 0.1) for fit in lifetime.resampled(counts, lifetime.fit(counts), 100, 1)]
    )

    assert low < truth < high
    assert high - low < 0.5 * truth


def test_a_drawn_fit_is_as_likely_as_one_that_was_searched_for_from_far():
    slow = lifetime.Fit(Model.BDW, 0.57, 23.35, 0.92, 0.0, 35)
    counts = lifetime.from_survivors(np.round(100_000 * slow.survival(np.arange(36))).tolist())

    drawn = lifetime.resampled(counts, lifetime.fit(counts, Model.BDW), 3, 1)

    cells = np.concatenate([counts.churned, counts.kept])
    for fit, sample in zip(
        drawn, np.random.default_rng(1).multinomial(100_000, cells / cells.sum(), size=3).astype(float), strict=True
    ):
        far = lifetime.fit(lifetime.Counts(sample[:35], sample[35:], counts.late), Model.BDW)
        assert fit.log_likelihood == pytest.approx(far.log_likelihood, abs=0.01)


def test_the_interval_holds_the_estimate_where_nearly_all_stay():
    late = lifetime.Fit(Model.WEIBULL, math.inf, 0.9999985, 2.68, 0.0, 72)
    counts = lifetime.from_survivors(np.round(3_000 * late.survival(np.arange(73))).tolist())
    found = lifetime.fit(counts, Model.WEIBULL)

    low, high = lifetime.interval([lifetime.del_(fit, 0.008) for fit in lifetime.resampled(counts, found, 60, 1)])

    assert low < lifetime.del_(found, 0.008) < high


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([100], "at least two rows"),
        ([100, 90, 95], "rises in row 3"),
        ([100, -1], "zero or more"),
        ([100, math.nan], "zero or more"),
    ],
)
def test_what_is_no_survivor_table_is_refused(table, words):
    with pytest.raises(InvalidInput, match=words):
        lifetime.from_survivors(table)


def test_nothing_is_fitted_where_nobody_left_or_too_few():
    with pytest.raises(InvalidInput, match="Nobody has left"):
        lifetime.fit(lifetime.from_survivors([100, 100, 100]))
    assert not lifetime.enough(lifetime.from_survivors([100, 90, 85]))
    assert not lifetime.enough(lifetime.from_survivors([100, 90, 85, 80]))
    assert lifetime.enough(lifetime.from_survivors([100, 80, 75, 70]))


def test_a_value_without_discount_is_refused():
    with pytest.raises(InvalidInput, match="above zero"):
        lifetime.del_(fitted(7), 0.0)
