"""The estimator of past reactions on simulated worlds whose truth is known (simulation.md section 5).

Bias and coverage over many worlds: `uv run python -m tests.benchmarks estimator`; here a few, so that a broken estimator fails.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from core.calc.simulation import history
from core.calc.simulation.response import combined
from tests.worlds import KAPPA, naive, world


@pytest.mark.parametrize("planned", [True, False])
def test_the_elasticity_is_found_although_everybody_churns_more_and_more(planned):
    found = [history.estimate(*world(seed, 12_000, planned=planned)) for seed in (1, 2, 3)]
    kappas = np.array([each.kappa for each in found])
    error = float(np.sqrt(np.mean([each.error**2 for each in found]) / 3))
    assert abs(kappas.mean() - KAPPA) < 2.6 * error
    assert all(each.exits > 500 and each.exposed + each.compared == 12_000 for each in found)
    assert all((each.lead is not None) == planned for each in found)


def test_before_against_after_would_say_much_more():
    assert naive(*world(1, 12_000)) > 1.5 * KAPPA


def test_no_reaction_is_not_seen():
    found = history.estimate(*world(4, 12_000, kappa=0.0))
    assert found.low < 0 < found.high


def test_the_order_of_customers_changes_nothing():
    lives, rises = world(5, 5_000)
    one = history.estimate(lives, rises)
    other = history.estimate(
        lives.sample(fraction=1, shuffle=True, seed=1), rises.sample(fraction=1, shuffle=True, seed=2)
    )
    assert other.kappa == pytest.approx(one.kappa, abs=1e-6)
    assert other.error == pytest.approx(one.error, rel=1e-6)


def test_few_who_left_say_nothing():
    lives, rises = world(6, 60)
    assert history.estimate(lives, rises) is None
    assert history.estimate(lives, pl.DataFrame(schema=history.RISES)) is None


def test_it_joins_the_prior_by_its_precision():
    """simulation.md section 5: ln 2.5 with 0.5 and ln 1.6 with 0.3 → 1.80."""
    own = history.Estimate(1.6, 0.48, (), None, (0.0, 0.1), 1, 1, 40, ())
    median, _ = combined((np.log(2.5), 0.5), own.on_log_scale())
    assert round(float(np.exp(median)), 2) == 1.80
    assert history.Estimate(-0.2, 0.5, (), None, (0.0, 0.1), 1, 1, 40, ()).on_log_scale() is None
