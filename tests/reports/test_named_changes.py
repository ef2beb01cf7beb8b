"""A change of prices is called a plan change where the plan is another one."""

from __future__ import annotations

from datetime import date
from typing import Any

from core.reports.named_changes import named


def change(kind: str, month: int, plan: int | None) -> dict[str, Any]:
    return {"kind": kind, "effective_on": date(2026, month, 1), "plan_id": plan}


def test_another_plan_is_a_plan_change_and_new_prices_of_the_same_one_a_price_change() -> None:
    told = named([
        change("start", 1, 1), change("price", 2, 1), change("quantity", 3, None), change("price", 5, 2),
        change("price", 4, 1), change("price", 6, 2),
    ])  # fmt: skip
    assert [each["kind"] for each in told] == ["start", "price", "quantity", "price", "plan_change", "price"]
