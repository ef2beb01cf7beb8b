"""Plans and their dated policies: made, described, archived - never deleted.

The life of prices (draft → published → retired) stands in `prices.py` and is offered from here too.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update

from core.actions.command import Answer, Work, command
from core.actions.prices import discard_draft, negotiate, publish, retire, save_draft
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.subscriptions import CreditChoice, Timing
from core.domain.wording import good_code, good_name, readable
from core.store import catalogue
from core.store.policies import POLICY_FIELDS, policy_on
from core.store.tables import Plan, PlanPolicy, core_table

__all__ = [
    "archive_plan", "create_plan", "discard_draft", "edit_plan", "negotiate", "publish", "retire", "save_draft",
    "set_policy",
]  # fmt: skip

LARGEST_RANK = 1_000_000
_CHOICES: dict[str, type[StrEnum]] = {
    "upgrade_when": Timing, "downgrade_when": Timing, "cancel_when": Timing, "cancel_credit": CreditChoice,
}  # fmt: skip
_MOST = {"minimum_term_months": 120, "notice_days": 366, "minimum_quantity": 1_000_000, "maximum_pause_days": 3_660}


@command("plans.create", Permission.DRAFT_PRICES)
def create_plan(work: Work, *, code: str, name: str, description: str = "", rank: int = 0) -> Answer:
    """A new plan without prices."""
    code = good_code(code)
    table = core_table(Plan)
    if work.session.execute(select(table.c.id).where(table.c.code == code)).first():
        raise Conflict("There is already a plan with the code {plan}", code="plan_exists", plan=code)
    values = {"code": code, "name": good_name(name), "description": readable(description), "rank": _rank(rank)}
    plan_id = catalogue.insert_row(work.session, Plan, values)
    work.audit(f"plan:{plan_id}", *values)
    return {"plan_id": plan_id}


@command("plans.edit", Permission.DRAFT_PRICES)
def edit_plan(
    work: Work, *, plan_id: int, name: str | None = None, description: str | None = None, rank: int | None = None
) -> Answer:
    """Change what is said about a plan; what is not given stays."""
    require_plan(work, plan_id)
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = good_name(name)
    if description is not None:
        values["description"] = readable(description)
    if rank is not None:
        values["rank"] = _rank(rank)
    _set(work, plan_id, values)
    return {"plan_id": plan_id}


@command("plans.archive", Permission.PUBLISH_PRICES)
def archive_plan(work: Work, *, plan_id: int, archived: bool = True) -> Answer:
    """Offer a plan no longer, or again. Those who have it keep it."""
    require_plan(work, plan_id)
    _set(work, plan_id, {"archived": archived})
    return {"plan_id": plan_id, "archived": archived}


@command("plans.set_policy", Permission.PUBLISH_PRICES)
def set_policy(work: Work, /, *, plan_id: int, effective_from: date, **policy: Any) -> Answer:
    """What holds for the plan from a day on; fields that are not given stay as they are on that day."""
    require_plan(work, plan_id)
    assert set(policy) <= set(POLICY_FIELDS), f"unknown policy fields {set(policy) - set(POLICY_FIELDS)}"
    for name, value in policy.items():
        _check_policy(name, value)
    values = {**policy_on(work.session, plan_id, effective_from), **policy}
    row = {"plan_id": plan_id, "effective_from": effective_from, **values, **work.stamp}
    policy_id = catalogue.insert_row(work.session, PlanPolicy, row)
    work.audit(f"plan:{plan_id}", *policy)
    return {"policy_id": policy_id}


def _check_policy(name: str, value: Any) -> None:
    """A known choice, or a whole number within reason."""
    if name in _CHOICES:
        allowed = [choice.value for choice in _CHOICES[name]]
        if value not in allowed:
            raise InvalidInput("“{value}” is no choice here", code="bad_policy", value=str(value))
    elif not 0 <= value <= _MOST[name]:
        raise InvalidInput("The number must lie between 0 and {most}", code="bad_policy", most=_MOST[name])


def _rank(rank: int) -> int:
    if not -LARGEST_RANK <= rank <= LARGEST_RANK:
        raise InvalidInput("The rank must lie between −1000000 and 1000000", code="bad_rank")
    return rank


def _set(work: Work, plan_id: int, values: dict[str, Any]) -> None:
    table = core_table(Plan)
    if values:
        work.session.execute(update(table).where(table.c.id == plan_id).values(**values))
    work.audit(f"plan:{plan_id}", *values)


def require_plan(work: Work, plan_id: int) -> Any:
    """The plan's row; refuses an unknown one."""
    table = core_table(Plan)
    row = work.session.execute(select(table).where(table.c.id == plan_id)).one_or_none()
    if row is None:
        raise NotFound("This plan does not exist", code="no_plan")
    return row
