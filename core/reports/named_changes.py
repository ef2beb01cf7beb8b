"""What a change of prices is called: a plan change where it leads to another plan, else a price change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.domain.subscriptions import ChangeKind

PLAN_CHANGE = "plan_change"


def named(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One subscription's changes in force by day, with `kind` as people call it.

    In: as they were recorded, each with kind, effective_on and plan_id (None where the change says nothing of it).
    """
    held, said = None, []
    for change in sorted(changes, key=lambda each: each["effective_on"]):
        other = change["kind"] == ChangeKind.PRICE and held is not None and change["plan_id"] not in (None, held)
        said.append({**change, "kind": PLAN_CHANGE} if other else dict(change))
        held = change["plan_id"] or held
    return said
