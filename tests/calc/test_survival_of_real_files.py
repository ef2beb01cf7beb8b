"""Figures of two public files, where they are at hand: they are not part of this repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.calc import drivers, lifetime, survival
from tests.figures import agrees, metrics

DATA = Path(__file__).parents[3] / "shared" / "data"
TELCO, POLICIES = DATA / "telco_customer_churn.csv", DATA / "uslapseagent.csv"
MONTHS = [1, 6, 12, 24, 36, 48, 60, 72]
HUNDREDTHS = 100  # durations have two decimals: counted in hundredths of a quarter


@pytest.fixture(scope="module")
def telco() -> pl.DataFrame:
    if not TELCO.exists():
        pytest.skip("the Telco file is not part of this repository")
    gone = pl.when(pl.col("Churn") == "Yes").then(pl.lit("voluntary"))
    return pl.read_csv(TELCO).select(
        exit="tenure", cause=gone, contract="Contract", gender="gender", pay="PaymentMethod", monthly="MonthlyCharges"
    )


def test_who_stays_by_contract(telco: pl.DataFrame) -> None:
    assert agrees("telco.rows", telco.height)
    assert agrees("telco.churned", telco["cause"].count())
    assert agrees("telco.active_mrr", telco.filter(pl.col("cause").is_null())["monthly"].sum())
    assert agrees("telco.churned_mrr", telco.filter(pl.col("cause").is_not_null())["monthly"].sum())
    whole = survival.survival_at(survival.kaplan_meier(telco), MONTHS)
    assert np.allclose(whole, metrics()["telco.km.all"]["computed"], atol=1e-6)
    by_contract = survival.kaplan_meier(telco, ["contract"])
    for contract in ("Month-to-month", "One year", "Two year"):
        curve = survival.survival_at(by_contract.filter(pl.col("contract") == contract), MONTHS)
        assert np.allclose(curve, metrics()[f"telco.km.contract.{contract}"]["computed"], atol=1e-6), contract


def test_contracts_differ_and_genders_do_not(telco: pl.DataFrame) -> None:
    assert agrees("telco.logrank.Contract", survival.log_rank(telco, "contract").statistic)
    assert agrees("telco.logrank.gender", survival.log_rank(telco, "gender").statistic)


def test_lives_on_a_common_mix_of_contracts(telco: pl.DataFrame) -> None:
    counted = survival.counted(telco, ["contract", "pay"])
    d = lifetime.per_unit(0.10, 12)
    lives = drivers.standardised_life(counted, "pay", "contract", 72, d)

    electronic, card = "Electronic check", "Credit card (automatic)"
    assert (lives[electronic], lives[card]) == (pytest.approx(37.7, abs=0.05), pytest.approx(44.4, abs=0.05))
    crude = [drivers.life(counted.filter(pl.col("pay") == name), 72, d) for name in (electronic, card)]
    assert crude == [pytest.approx(32.9, abs=0.05), pytest.approx(49.3, abs=0.35)]


def test_policies_end_for_competing_causes() -> None:
    if not POLICIES.exists():
        pytest.skip("the policy file is not part of this repository")
    cause = pl.col("termination.cause")
    known = pl.read_csv(POLICIES, infer_schema_length=5000).select(
        exit=(pl.col("duration") * HUNDREDTHS).round(0).cast(pl.Int64),
        cause=pl.when(cause != "in-force").then(cause), interval="premium.frequency",
    )  # fmt: skip
    counts = [
        known["cause"].null_count(),
        *((known["cause"] == name).sum() for name in ("surrender", "death", "other")),
    ]
    assert agrees("uslapse.rows", known.height)
    assert agrees("uslapse.counts", *counts)
    shares = survival.incidence(known)
    surrendered = shares.filter(pl.col("cause") == "surrender")
    at = [
        float(surrendered.filter(pl.col("time") <= quarters * HUNDREDTHS)["share"][-1])
        for quarters in (4, 8, 20, 40, 60)
    ]
    assert np.allclose(at, metrics()["uslapse.cif.surrender"]["computed"], atol=1e-6)
    sums = shares.group_by("time").agg(one=pl.col("share").sum() + pl.col("survival").first())["one"]
    assert sums.is_between(1 - 1e-12, 1 + 1e-12).all()
    assert survival.log_rank(known, "interval").p < 1e-6
