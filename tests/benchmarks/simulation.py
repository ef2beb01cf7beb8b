"""A price scenario on a prepared base: `uv run --group bench python -m tests.benchmarks simulation [subscriptions …]`.

N subscriptions × 12 months of usage on 60 plans with graduated usage, seats, add-ons and, for some, a running percentage. Prepared once;
then every further set of prices re-rates all invoices. Beside it the same re-rating without what is prepared (every invoice's lines rated
one by one by the engine's kernel), on the same data. Sums must be equal to the minor unit. Medians of five interleaved rounds.

A slider moves one price of one plan, as on the page Simulate: the base of that plan is narrowed once, then each step re-rates all of its
invoices with every customer's bill; beside it every invoice of the whole base one by one, which is what it saves.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from core import frames
from core.calc.billing.discounts import percentage
from core.calc.pricebook import compile_book
from core.calc.rating import rate
from core.calc.simulation import exact
from core.calc.simulation.base import Base, narrowed

ROUNDS, PLANS, PERIODS = 5, 60, 12
MICRO = 10**6


def prices(rise: float) -> frames.Prices:
    """Sixty plans; `rise` lifts their fees and usage prices."""
    versions, charges, tiers = [], [], []
    for plan in range(1, PLANS + 1):
        versions.append(
            {
                "price_version_id": plan,
                "plan_id": plan,
                "currency": "NOK",
                "interval_months": 1,
                "interval_days": 0,
                "calendar": False,
                "tax_inclusive": False,
                "minimum_minor": 0,
            }
        )
        for place, (code, kind, model) in enumerate(
            (
                ("fee", "fixed", "flat"),
                ("seat", "seat", "per_unit"),
                ("x", "addon", "per_unit"),
                ("calls", "usage", "graduated"),
            )
        ):
            key = plan * 10 + place
            charges.append({"charge_id": key, "price_version_id": plan, "position": place, "code": code, "name": code, "kind": kind, "model": model, "timing": "in_arrears" if kind == "usage" else "in_advance",
                            "meter": "calls", "included_units": "0", "package_rounding": "up", "convert_rounding": "up", "first_tier_flat_at_zero": True, "vat_category": "standard"})  # fmt: skip
            base = (99 + plan) * (1 + rise)
            rows = (
                [("100", "0.5", "0"), ("1000", "0.35", "0"), (None, f"{0.2 * (1 + rise):.4f}", "0")]
                if kind == "usage"
                else [(None, f"{base / 4:.2f}" if kind != "fixed" else "0", f"{base:.2f}" if kind == "fixed" else "0")]
            )
            tiers += [
                {
                    "charge_id": key,
                    "position": at,
                    "up_to": up,
                    "unit_amount": unit,
                    "flat_amount": flat,
                    "package_size": None,
                    "rate_percent": "0",
                }
                for at, (up, unit, flat) in enumerate(rows)
            ]

    def framed(rows: list[dict[str, Any]], schema: frames.Schema) -> pl.DataFrame:
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))

    return frames.Prices(
        framed(versions, frames.PRICE_VERSIONS), framed(charges, frames.CHARGES), framed(tiers, frames.TIERS)
    )


def base_of(count: int, seed: int = 1) -> tuple[Base, float]:
    """A prepared base, and how long preparing what is alike took."""
    rng = np.random.default_rng(seed)
    subs = pl.DataFrame({
        "subscription_id": np.arange(count), "customer_id": np.arange(count), "price_version_id": rng.integers(1, PLANS + 1, count), "quantity_micro": rng.integers(1, 40, count) * MICRO,
        "addons": np.where(rng.random(count) < 0.45, "x×1000000", ""), "coupons": np.where(rng.random(count) < 0.15, "1", ""), "periods": PERIODS,
        "interval_months": 1, "interval_days": 0,
    }).with_columns(pl.col("interval_months", "interval_days").cast(pl.Int32), plan_id="price_version_id", currency=pl.lit("NOK"))  # fmt: skip
    used = np.minimum(rng.lognormal(6.3, 1.5, count * PERIODS), 1e6).astype(np.int64) * MICRO
    began = time.perf_counter()
    terms = ["price_version_id", "quantity_micro", "addons", "coupons"]
    states = subs.select(terms).unique(maintain_order=True).with_row_index("state")
    subs = subs.join(states, on=terms, how="left", maintain_order="left").with_row_index("position")
    at = pl.Series(np.repeat(np.arange(count), PERIODS)).cast(pl.UInt32)
    rows = (
        pl.DataFrame({"position": at})
        .with_row_index("row")
        .with_columns(
            state=subs["state"].gather(at),
            price_version_id=subs["price_version_id"].gather(at),
            quantity_micro=pl.Series(used),
        )
    )
    key = ["price_version_id", "quantity_micro"]
    pairs = (
        rows.select(key)
        .unique()
        .sort(key)
        .with_row_index("pair")
        .with_columns(meter=pl.lit("calls"), amount_micro=pl.lit(0, dtype=pl.Int64))
    )
    uses = rows.join(pairs.select("pair", *key), on=key, how="left", maintain_order="left").select("row", "pair")
    coupon = pl.DataFrame(
        [
            dict.fromkeys(frames.COUPONS)
            | {"coupon_id": 1, "kind": "percent", "rate_ppm": 150_000, "scope": "plan", "duration": "forever"}
        ],
        schema=dict(frames.COUPONS),
    )
    events = pl.DataFrame(schema={"pair": pl.UInt32, "event_id": pl.Int64, "amount_micro": pl.Int64})
    vat = pl.DataFrame({"vat_category": ["standard"], "rate_ppm": [250_000]})
    return Base(
        subs, states, rows.select("row", "position", "state"), uses, pairs, events, coupon, vat
    ), time.perf_counter() - began


def one_by_one(base: Base, known: frames.Prices) -> int:
    """Every line of every invoice rated for itself by the same kernel; the sum of all invoices."""
    book = compile_book(*known)
    rows = base.invoices.join(
        base.subs.select("position", "price_version_id", "quantity_micro", "addons", "coupons"),
        on="position",
        maintain_order="left",
    )
    used = base.pairs["quantity_micro"].gather(base.uses["pair"])
    amounts = []
    for place, quantity in enumerate(
        (
            pl.Series([MICRO]).new_from_index(0, rows.height),
            rows["quantity_micro"],
            (rows["addons"] != "").cast(pl.Int64) * MICRO,
            used,
        )
    ):
        amounts.append(
            rate(book, pl.DataFrame({"charge_id": rows["price_version_id"] * 10 + place, "quantity_micro": quantity}))
        )
    # What is paid ahead and what was used are billed, and discounted, on their own.
    parts = {"ahead": amounts[0] + amounts[1] + amounts[2], "used": amounts[3]}
    part = pl.DataFrame({**parts, "given": rows["coupons"] != ""})
    off = (percentage(pl.col(name), pl.lit(150_000, dtype=pl.Int64)) for name in parts)
    left = pl.col("ahead") + pl.col("used") - pl.when("given").then(sum(off)).otherwise(0)
    return int(part.select(left.sum()).item())


def sums(answer: exact.Rerated) -> tuple[int, int]:
    """What all subscriptions pay in the window, and all invoices: a period is a month here, so worth × 12 of it are the whole."""
    return int(answer.worth.sum()) * PERIODS // 12, int(answer.invoices.sum())


def dearer_calls(known: frames.Prices, plan: int, unit: str) -> frames.Prices:
    """The prices with another first price of a plan's usage."""
    moved = (pl.col("charge_id") == plan * 10 + 3) & (pl.col("position") == 0)
    cell = pl.when(moved).then(pl.lit(unit)).otherwise("unit_amount").alias("unit_amount")
    return frames.Prices(known.versions, known.charges, known.tiers.with_columns(cell))


def slider(base: Base, rounds: int = 20) -> None:
    """Steps of one price of the plan with most subscriptions."""
    plan = int(base.subs["price_version_id"].mode().sort()[0])
    positions = base.subs.filter(pl.col("price_version_id") == plan)["position"]
    began = time.perf_counter()
    own = narrowed(base, positions)
    prepare, known = time.perf_counter() - began, prices(0.0)
    assert sums(exact.rerate(own, known)) == (one_by_one(own, known),) * 2
    times: list[tuple[float, float]] = []
    for step in range(rounds):
        moved = dearer_calls(known, plan, f"{0.5 + step / 100:.2f}")
        wall, cpu = time.perf_counter(), time.process_time()
        answer = exact.rerate(own, moved)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert step % 5 or sums(answer) == (one_by_one(own, moved),) * 2
    began = time.perf_counter()
    one_by_one(base, known)
    whole = time.perf_counter() - began
    cpu, wall = statistics.median(one for one, _ in times), statistics.median(one for _, one in times)
    print(
        f"slider         {cpu:9.3f} CPU s{wall:9.3f} wall s   {own.invoices.height:,} invoices of one plan, prepared once in {prepare:.2f} s;"
        f" {whole / wall:,.0f}× faster than every invoice one by one   goal: ≥ 1,000×"
    )


def main(arguments: list[str]) -> None:
    """The table for each number of subscriptions."""
    for count in [int(text) for text in arguments] or [100_000, 1_000_000]:
        base, prepare = base_of(count)
        today, dearer = prices(0.0), prices(0.1)
        for known in (today, dearer):
            assert sums(exact.rerate(base, known)) == (one_by_one(base, known),) * 2
        times: dict[str, list[tuple[float, float]]] = {"prepared": [], "one by one": []}
        for turn in range(ROUNDS):
            known = prices(0.01 * turn)
            for name, work in (
                ("prepared", partial(exact.rerate, base, known)),
                ("one by one", partial(one_by_one, base, known)),
            ):
                wall, cpu = time.perf_counter(), time.process_time()
                work()
                times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
        print(
            f"\nprice scenario, {count:,} subscriptions × {PERIODS}: {base.states.height:,} states, {base.pairs.height:,} pairs of {base.invoices.height:,} invoices"
        )
        print(
            f"prepared once in {prepare:.2f} s; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.1f} GiB   goal: < 0.1 s each at 1M, ≥ 15× faster"
        )
        first = None
        for name, each in times.items():
            cpu, wall = statistics.median(one for one, _ in each), statistics.median(one for _, one in each)
            first = first or (cpu, wall)
            print(f"{name:14}{cpu:9.3f} CPU s{wall:9.3f} wall s{cpu / first[0]:8.1f}×{wall / first[1]:8.1f}×")
        slider(base)
        sys.stdout.flush()
