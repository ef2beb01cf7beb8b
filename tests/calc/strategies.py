"""What hypothesis draws prices, quantities and days from; bounds, nothing and one step beside them come often."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.company import charge, tier

STEP = 1  # micro
CURRENCIES = st.sampled_from(["NOK", "JPY", "KWD", "USD"])
DAYS = st.dates(date(2019, 12, 25), date(2028, 3, 5))
MONTH_ENDS = st.sampled_from([date(2024, 1, 31), date(2024, 2, 29), date(2023, 1, 30), date(2023, 12, 29)])
INTERVALS = st.sampled_from([(1, 0), (3, 0), (6, 0), (12, 0), (0, 7), (0, 1), (0, 14), (2, 0)])
PLAIN = ["flat", "per_unit", "package"]
TIERED = ["graduated", "volume", "stairstep", "graduated_percentage"]


def decimals(highest: int, places: int) -> st.SearchStrategy[str]:
    """Decimal text from nothing up, with up to so many decimals: often whole, often short."""
    return st.sampled_from([0, 0, 1, 2, places]).flatmap(
        lambda shown: st.integers(0, highest * 10**shown).map(lambda n: f"{Decimal(n).scaleb(-shown):f}")
    )


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly nothing."""
    return st.one_of(st.none(), st.none(), strategy)


@st.composite
def tier_rows(draw: Any, model: str) -> list[dict[str, Any]]:
    """Ascending bounds, the last one open."""
    places = draw(st.sampled_from([0, 0, 3, 6]))
    steps = draw(st.lists(st.integers(1, 50 * 10**places), max_size=3)) if model in TIERED else []
    bounds = [f"{Decimal(sum(steps[: n + 1])).scaleb(-places):f}" for n in range(len(steps))]
    return [draw(_tier(model, bound)) for bound in [*bounds, None]]


@st.composite
def _tier(draw: Any, model: str, up_to: str | None) -> dict[str, Any]:
    """One tier with what its model uses."""
    flat = draw(decimals(200, 12))
    if model in ("flat", "stairstep"):
        return tier(up_to, flat=flat)
    if model == "graduated_percentage":
        return tier(up_to, flat=flat, rate_percent=draw(decimals(30, 12)))
    sizes = decimals(20, 3).filter(lambda text: Decimal(text) > 0)
    size = draw(sizes if model == "package" else maybe(sizes))
    return tier(up_to, unit=draw(decimals(100, 12)), flat=flat, package_size=size)


@st.composite
def charges(draw: Any, kind: str = "usage", models: list[str] | None = None, **fixed: Any) -> dict[str, Any]:
    """A charge of any model by units."""
    model = draw(st.sampled_from(models or PLAIN + TIERED))
    low, high = sorted([draw(st.integers(0, 300)), draw(st.integers(0, 300))])
    return charge(
        kind, model, *draw(tier_rows(model)),
        **{
            "included_units": draw(st.one_of(st.just("0"), decimals(20, 6))),
            "package_rounding": draw(st.sampled_from(["up", "down", "nearest"])),
            "convert_by": draw(maybe(decimals(50, 3).filter(lambda text: Decimal(text) > 0))),
            "convert_rounding": draw(st.sampled_from(["up", "down", "nearest"])),
            "first_tier_flat_at_zero": draw(st.booleans()),
            "min_amount": draw(maybe(st.just(str(low)))),
            "max_amount": draw(maybe(st.just(str(high)))),
            **fixed,
        },
    )  # fmt: skip


def quantities_micro(charge_row: dict[str, Any]) -> st.SearchStrategy[int]:
    """Nothing, every bound and one step beside it (also after conversion and included units), or anything."""
    included = Decimal(charge_row["included_units"])
    by = Decimal(charge_row["convert_by"] or 1)
    near = [Decimal(row["up_to"]) for row in charge_row["tiers"] if row["up_to"] is not None]
    spots = {0, *(int((bound + more) * by * 10**6) for bound in [Decimal(0), *near] for more in (Decimal(0), included))}
    beside = sorted({max(0, spot + step) for spot in spots for step in (-STEP, 0, STEP)})
    return st.one_of(st.sampled_from(beside), st.integers(0, 200).map(lambda n: n * 10**6), st.integers(0, 3 * 10**8))
