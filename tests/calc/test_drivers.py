"""What goes with a longer life: Cox against a solver of our own, Shapley's split, landmark and what-if."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from core.calc import drivers, survival
from tests.figures import agrees, remission


def efron(times, ended, x, steps=30):
    """Newton's steps on the partial likelihood of one covariate with Efron's ties: the log hazard ratio and its error."""
    beta = 0.0
    for _ in range(steps):
        gradient = curvature = 0.0
        for time in np.unique(times[ended]):
            risk = np.exp(beta * x[times >= time])
            at = x[times >= time]
            dying = (times == time) & ended
            tied, own = int(dying.sum()), np.exp(beta * x[dying])
            gradient += x[dying].sum()
            for k in range(tied):
                share = k / tied
                s0 = risk.sum() - share * own.sum()
                s1 = (risk * at).sum() - share * (own * x[dying]).sum()
                s2 = (risk * at**2).sum() - share * (own * x[dying] ** 2).sum()
                gradient -= s1 / s0
                curvature += s2 / s0 - (s1 / s0) ** 2
        beta += gradient / curvature
    return beta, curvature**-0.5


def test_our_solver_gives_the_published_coefficient():
    rows = [(weeks, ended, float(name == "placebo")) for name, group in remission().items() for weeks, ended in group]
    times, ended, x = (np.array(column) for column in zip(*rows, strict=True))

    assert agrees("cox.6mp.efron", *efron(times, ended, x))


def test_the_ratio_is_that_of_our_solver():
    rng = np.random.default_rng(5)
    n = 600
    group = rng.random(n) < 0.5
    times = rng.geometric(np.where(group, 0.12, 0.06))
    ended = times <= 24
    times = np.minimum(times, 24)
    known = pl.DataFrame(
        {
            "entry": 0,
            "exit": times,
            "cause": ["voluntary" if gone else None for gone in ended],
            "pay": ["card" if one else "debit" for one in group],
        }
    )

    (ratio,) = drivers.hazard_ratios(survival.counted(known, ["pay"]), "pay", "debit")

    beta, error = efron(times, ended, group.astype(float))
    assert np.log(ratio.ratio) == pytest.approx(beta, abs=1e-4)
    assert np.log(ratio.high / ratio.low) / (2 * 1.959964) == pytest.approx(error, abs=1e-4)
    assert ratio.n == int(group.sum())


def test_segments_with_few_ends_are_held_back():
    known = pl.DataFrame(
        {
            "entry": 0,
            "exit": [1] * 29 + [2] * 100,
            "cause": ["voluntary"] * 129,
            "n": 1,
            "pay": ["card"] * 29 + ["debit"] * 100,
        }
    )

    assert drivers.hazard_ratios(known, "pay", "debit") == []


def test_the_split_of_a_gap_sums_to_it_whatever_the_factors():
    first, second = {"base": 10.0, "add_ons": 2.0, "life": 20.0}, {"base": 12.0, "add_ons": 1.0, "life": 30.0}

    def worth(side):
        return (side["base"] + side["add_ons"]) * side["life"]

    parts = drivers.shapley(first, second, worth)

    assert sum(parts.values()) == pytest.approx(worth(second) - worth(first))
    assert parts["base"] == pytest.approx(2 * 25)  # two more a month over the mean of both lives
    assert parts["add_ons"] == pytest.approx(-1 * 25)
    assert parts["life"] == pytest.approx(10 * 12.5)


def test_only_contacts_before_the_risk_count():
    january = date(2026, 1, 1)
    known = pl.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "since": [january] * 3,
            "entry": [0, 0, 0],
            "exit": [12, 12, 1],
            "cause": ["voluntary", None, "voluntary"],
        }
    )
    # The first calls in its first month, the second in its tenth; the third has left before the landmark.
    contacts = pl.DataFrame({"customer_id": [1, 2, 3], "day": [date(2026, 1, 20), date(2026, 10, 1), date(2026, 1, 5)]})

    told = drivers.landmark(known, contacts, 2)

    assert told.select("customer_id", "contacted", "entry").rows() == [(1, True, 2), (2, False, 2)]


def test_a_cause_that_is_gone_leaves_the_others():
    known = pl.DataFrame(
        {
            "entry": 0,
            "exit": [1] * 10 + [2] * 10 + [3] * 80,
            "cause": ["card"] * 10 + ["voluntary"] * 10 + [None] * 80,
            "n": 1,
        }
    )

    now = survival.kaplan_meier(known)["survival"].to_list()
    same = drivers.without_cause(known, "card", 1.0)["survival"].to_list()
    gone = drivers.without_cause(known, "card", 0.0)["survival"].to_list()

    assert same == pytest.approx(now)
    assert gone == pytest.approx([1.0, 1 - 10 / 90, 1 - 10 / 90])
