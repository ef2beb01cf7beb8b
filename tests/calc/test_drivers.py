"""What goes with a longer life: Cox against a solver of our own, Shapley's split, landmark and what-if."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

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


def test_only_groups_that_share_a_stratum_are_compared():
    months = [1, 2, 3, 4] * 20
    known = pl.concat([
        pl.DataFrame({"entry": 0, "exit": months, "cause": "voluntary", "n": 1, "plan": plan, "kind": kind})
        for plan, kind in (("home", "consumer"), ("family", "consumer"), ("office", "business"), ("shop", "business"))
    ])  # fmt: skip

    told = drivers.hazard_ratios(known, "plan", "home", ["kind"])

    assert [(ratio.name, ratio.ratio) for ratio in told] == [("family", pytest.approx(1.0))]
    assert drivers.hazard_ratios(known.filter(pl.col("plan").is_in(["home", "office"])), "plan", "home", ["kind"]) == []


def test_the_split_of_a_gap_sums_to_it_whatever_the_factors():
    first, second = {"base": 10.0, "add_ons": 2.0, "life": 20.0}, {"base": 12.0, "add_ons": 1.0, "life": 30.0}

    def worth(side):
        return (side["base"] + side["add_ons"]) * side["life"]

    parts = drivers.shapley(first, second, worth)

    assert sum(parts.values()) == pytest.approx(worth(second) - worth(first))
    assert parts["base"] == pytest.approx(2 * 25)  # two more a month over the mean of both lives
    assert parts["add_ons"] == pytest.approx(-1 * 25)
    assert parts["life"] == pytest.approx(10 * 12.5)


def lives(exits):
    """Subjects from cause → {month: how many}; None are still there."""
    rows = [(0, month, cause, n) for cause, months in exits.items() for month, n in months.items()]
    return pl.DataFrame(rows, schema=survival.SUBJECTS, orient="row")


def factors(subjects, causes, money, *, horizon=12, first=3, d=0.01):
    """The factors of a segment, by the slow way for onboarding."""
    curve = survival.kaplan_meier(subjects)
    known = survival.survival_at(curve, range(horizon))
    early = sum(known[k] / (1 + d) ** k for k in range(first))
    return {**dict(zip(drivers.MONEY, money, strict=True)), drivers.ONBOARDING: (early, known[first] / (1 + d) ** first),
            **drivers.cause_hazards(subjects, causes, first, horizon)}  # fmt: skip


counts = st.dictionaries(st.integers(1, 11), st.integers(1, 40), max_size=8)
segments = st.tuples(counts, counts, st.integers(10, 200), st.tuples(*[st.integers(-50, 400)] * 3))


@settings(max_examples=60, deadline=None)
@given(segments, segments)
def test_the_parts_of_a_gap_by_causes_sum_to_it_in_any_order(one, two):
    causes = ["voluntary", "involuntary"]
    sides = [
        factors(lives({"voluntary": a, "involuntary": b, None: {12: stay}}), causes, money)
        for a, b, stay, money in (one, two)
    ]

    def worth(side):
        return drivers.worth_of(side, 0.01)

    parts = drivers.shapley(*sides, worth)
    turned = drivers.shapley(*[dict(reversed(side.items())) for side in sides], worth)

    assert sum(parts.values()) == pytest.approx(worth(sides[1]) - worth(sides[0]), abs=1e-6)
    assert turned == pytest.approx(parts, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(segments)
def test_a_segments_own_factors_give_its_own_curve_back(one):
    a, b, stay, money = one
    subjects = lives({"voluntary": a, "involuntary": b, None: {12: stay}})

    told = drivers.worth_of(factors(subjects, ["voluntary", "involuntary"], money), 0.01)

    assert told == pytest.approx(sum(money) * drivers.life(subjects, 12, 0.01))


def test_of_two_causes_each_bears_what_it_makes():
    # Of a hundred, ten leave in month 4; in the second segment five fewer for want of payment, and twenty of their own wish.
    first = lives({"voluntary": {4: 5}, "involuntary": {4: 5}, None: {5: 90}})
    second = lives({"voluntary": {4: 25}, None: {5: 75}})
    causes, money = ["voluntary", "involuntary"], (100, 0, 0)
    sides = [factors(side, causes, money, horizon=5, d=0.0) for side in (first, second)]

    parts = drivers.shapley(*sides, lambda side: drivers.worth_of(side, 0.0))

    assert sides[0]["voluntary"].tolist() == [0.05]
    assert parts == pytest.approx(
        {"base": 0, "cross_sell": 0, "upsell": 0, "onboarding": 0, "voluntary": -20, "involuntary": 5}
    )


def drawn(rng, customers, later_ratio):
    """Monthly lives: those with a card leave twice as fast in the first half year, afterwards `later_ratio` times."""
    card = rng.random(customers) < 0.5
    early = rng.exponential(1 / (0.05 * np.where(card, 2.0, 1.0)))
    later = 6 + rng.exponential(1 / (0.05 * np.where(card, later_ratio, 1.0)))
    time, seen = np.ceil(np.where(early > 6, later, early)), np.ceil(rng.uniform(4, 30, customers))
    return pl.DataFrame({
        "entry": 0, "exit": np.minimum(time, seen).astype(int), "cause": ["voluntary" if gone else None for gone in time <= seen],
        "n": 1, "pay": ["card" if one else "debit" for one in card],
    })  # fmt: skip


def test_a_ratio_that_holds_all_along_is_rarely_suspected():
    rng = np.random.default_rng(11)

    told = [
        drivers.constant_effects(drawn(rng, 500, 2.0), "pay", "debit", {"card": np.log(2)})["card"] for _ in range(200)
    ]

    assert 2 <= sum(p < 0.05 for p in told) <= 22  # ten are expected of two hundred
    assert np.mean(told) == pytest.approx(0.5, abs=0.08)


def test_an_effect_that_changes_with_tenure_is_found():
    rng = np.random.default_rng(12)

    steady = drivers.hazard_ratios(drawn(rng, 1500, 2.0), "pay", "debit")
    turning = drivers.hazard_ratios(drawn(rng, 1500, 0.7), "pay", "debit")

    assert [ratio.changes for ratio in (*steady, *turning)] == [False, True]


def test_the_check_agrees_with_that_of_lifelines():
    from lifelines import CoxPHFitter
    from lifelines.statistics import proportional_hazard_test

    known = drawn(np.random.default_rng(13), 1200, 1.4)
    table = known.select("exit", gone=pl.col("cause").is_not_null().cast(int), card=(pl.col("pay") == "card").cast(int))
    model = CoxPHFitter().fit(table.to_pandas(), "exit", "gone")
    theirs = proportional_hazard_test(model, table.to_pandas(), time_transform="rank").test_statistic.iloc[0]

    ours = drivers.hazard_ratios(known, "pay", "debit")[0].constant_p

    # Lifelines takes the variance of the residuals for the same at all ends.
    assert special.chdtri(1, ours) == pytest.approx(theirs, rel=0.15)


def test_the_check_compares_within_strata():
    known = drawn(np.random.default_rng(14), 800, 1.2)
    both = pl.concat([known.with_columns(plan=pl.lit(name)) for name in ("a", "b")])
    effect = {"card": np.log(1.6)}

    once = drivers.constant_effects(known, "pay", "debit", effect)["card"]
    twice = drivers.constant_effects(both, "pay", "debit", effect, ["plan"])["card"]

    assert special.chdtri(1, twice) == pytest.approx(2 * special.chdtri(1, once))


def test_the_check_knows_who_came_late():
    # Cards are known from the seventh month on only: as if from the beginning, none would seem to leave before.
    known = drawn(np.random.default_rng(15), 3000, 2.0).filter((pl.col("pay") == "debit") | (pl.col("exit") > 6))
    late = known.with_columns(entry=pl.when(pl.col("pay") == "card").then(6).otherwise(0))

    (believed,), (told,) = (drivers.hazard_ratios(each, "pay", "debit") for each in (known, late))

    assert (believed.changes, told.changes) == (True, False)


def test_many_comparisons_are_corrected_for_their_number():
    assert drivers.corrected([0.01, 0.04, 0.03, 0.5]) == [0.01, 0.04, 0.03, 0.5]
    assert drivers.corrected([0.01, 0.5, 0.02, 0.9, 0.03]) == pytest.approx([0.05, 1.0, 0.08, 1.0, 0.09])


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
