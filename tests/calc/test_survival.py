"""How long customers stay: published figures, lifelines as the oracle on random data, and what must always hold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from core.calc import survival
from tests.figures import agrees, metrics, remission


def subjects(rows):
    return pl.DataFrame(
        [{"entry": entry, "exit": leave, "cause": cause} for entry, leave, cause in rows],
        schema={"entry": pl.Int64, "exit": pl.Int64, "cause": pl.String},
    )


def six_mp():
    return pl.DataFrame(
        [
            {"group": name, "exit": weeks, "cause": "relapse" if ended else None}
            for name, rows in remission().items()
            for weeks, ended in rows
        ]
    )


def random_subjects(seed, n=400):
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.4, rng.integers(0, 12, n), 0)
    leave = entry + rng.integers(1, 30, n)
    cause = [
        str(name) if gone else None
        for gone, name in zip(rng.random(n) < 0.6, rng.choice(["voluntary", "involuntary"], n), strict=True)
    ]
    return pl.DataFrame(
        {
            "entry": entry,
            "exit": leave,
            "cause": cause,
            "group": rng.choice(["a", "b", "c"], n).tolist(),
            "plan": rng.choice(["x", "y"], n).tolist(),
        }
    )


def test_the_published_remission_curve_and_its_interval():
    curve = survival.kaplan_meier(six_mp().filter(pl.col("group") == "treatment")).filter(pl.col("events") > 0)

    assert agrees("km.6mp.S", *curve["survival"])
    assert agrees("km.6mp.greenwood_se", *curve["se"])
    wanted = metrics()["km.6mp.loglog_ci"]["computed"]
    assert np.allclose(curve.select("low", "high").to_numpy(), wanted, atol=1e-4)


def test_the_published_log_rank_tests():
    assert agrees("logrank.6mp.logrank", survival.log_rank(six_mp(), "group").statistic)
    assert agrees("logrank.6mp.wilcoxon", survival.log_rank(six_mp(), "group", wilcoxon=True).statistic)


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_that_of_lifelines_late_entries_too(seed):
    from lifelines import KaplanMeierFitter

    known = random_subjects(seed)
    oracle = KaplanMeierFitter().fit(
        known["exit"].to_numpy(), known["cause"].is_not_null().to_numpy(), entry=known["entry"].to_numpy()
    )

    for time, value in survival.kaplan_meier(known).select("time", "survival").iter_rows():
        assert value == pytest.approx(oracle.predict(time), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_that_of_lifelines(seed):
    from lifelines.statistics import multivariate_logrank_test

    known = random_subjects(seed).with_columns(entry=pl.lit(0))
    oracle = multivariate_logrank_test(
        known["exit"].to_numpy(), known["group"].to_numpy(), known["cause"].is_not_null().to_numpy()
    )

    assert survival.log_rank(known, "group").statistic == pytest.approx(oracle.test_statistic, rel=1e-9)
    assert survival.log_rank(known, "group").p == pytest.approx(oracle.p_value, rel=1e-6, abs=1e-12)


def test_a_stratum_of_its_own_for_every_group_leaves_nothing_to_compare():
    known = random_subjects(1).with_columns(plan=pl.col("group"))

    assert survival.log_rank(known, "group", ["plan"]).statistic == pytest.approx(0, abs=1e-9)


def test_segments_are_the_same_as_each_alone():
    known = random_subjects(2)

    together = survival.kaplan_meier(known, ["group"])
    alone = [survival.kaplan_meier(known.filter(pl.col("group") == name)) for name in ("a", "b", "c")]

    assert together.drop("group").equals(pl.concat(alone))


@pytest.mark.parametrize("seed", range(5))
def test_those_who_stay_and_those_who_left_for_each_cause_are_all(seed):
    sums = (
        survival.incidence(random_subjects(seed))
        .group_by("time")
        .agg(whole=pl.col("share").sum() + pl.col("survival").first())
    )

    assert sums["whole"].is_between(1 - 1e-12, 1 + 1e-12).all()


def test_whoever_is_known_late_is_not_at_risk_before():
    # Ten from the start, one of whom leaves in month 1; ten more known from month 2 on, one of whom leaves in month 3.
    rows = [(0, 1, "voluntary"), *[(0, 5, None)] * 9, (2, 3, "voluntary"), *[(2, 5, None)] * 9]

    table = survival.life_table(subjects(rows))

    assert table.select("time", "at_risk", "events").rows() == [(1, 10, 1), (3, 19, 1), (5, 18, 0)]


def test_a_curve_is_not_drawn_beyond_what_was_seen():
    curve = survival.kaplan_meier(subjects([(0, 2, "voluntary"), (0, 4, None)]))

    assert survival.survival_at(curve, [0, 1, 2, 4, 5]) == [1.0, 1.0, 0.5, 0.5, None]
    assert survival.median(curve) == 2
    assert survival.restricted_mean(curve, 4) == 1 + 1 + 0.5 + 0.5
    assert survival.restricted_mean(curve, 6) is None


def test_counts_stand_for_as_many_customers():
    known = random_subjects(3)
    counted = survival.counted(known)

    assert counted.height < known.height
    assert survival.kaplan_meier(counted).equals(survival.kaplan_meier(known))


def test_intervals_of_shares_and_rates():
    low, high = survival.wilson(np.array([0, 5]), np.array([0, 10]))

    assert (low[0], high[0]) == (0, 1)  # nothing seen: anything may be
    assert (low[1], high[1]) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert survival.poisson(0, 100) == pytest.approx((0, 0.0369), abs=1e-4)
    assert survival.poisson(10, 100) == pytest.approx((0.04795, 0.18390), abs=1e-5)
