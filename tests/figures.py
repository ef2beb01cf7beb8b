"""Worked figures of metrics and simulation with their sources and tolerances (tests/vectors)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent / "vectors"


@cache
def metrics() -> dict[str, dict[str, Any]]:
    """Id → figure: published, computed, tolerance, citation."""
    return {row["id"]: row for row in json.loads((VECTORS / "metrics.json").read_text(encoding="utf-8"))["figures"]}


@cache
def remission() -> dict[str, list[tuple[int, bool]]]:
    """Freireich et al. 1963: weeks in remission and whether it ended, by group."""
    data = json.loads((VECTORS / "metrics.json").read_text(encoding="utf-8"))["data"]["6mp"]
    return {
        name: [(int(text.strip("+")), not text.endswith("+")) for text in data[name]]
        for name in ("treatment", "placebo")
    }


def agrees(figure: str, *numbers: float) -> bool:
    """Are these the figure's numbers, within its tolerance (1e-6 of each where none is stated)?"""
    row = metrics()[figure]
    wanted = row["computed"]
    wanted = wanted if isinstance(wanted, list) else [wanted]
    assert len(numbers) == len(wanted), f"{figure} has {len(wanted)} numbers ({row['citation']})"
    allowed = [row["tolerance"] if row["tolerance"] is not None else 1e-6 * max(1.0, abs(value)) for value in wanted]
    return all(
        abs(got - value) <= max(most, 1e-6 * abs(value))
        for got, value, most in zip(numbers, wanted, allowed, strict=True)
    )
