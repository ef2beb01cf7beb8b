"""Coupons: made once, never edited, archived when nobody shall get them any more."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select, update

from core.actions.command import Answer, Work, command
from core.domain.access import Permission
from core.domain.coupons import CouponKind, CouponTerms, Duration, Scope, check_coupon
from core.domain.errors import Conflict, NotFound
from core.domain.wording import good_code, good_name
from core.store.catalogue import insert_row
from core.store.tables import Coupon, Plan, core_table


@command("coupons.create", Permission.EDIT_COUPONS)
def create_coupon(
    work: Work, *, code: str, name: str, kind: str, rate_ppm: int = 0, amount_minor: int = 0, currency: str = "",
    duration: str = Duration.ONCE, periods: int = 1, scope: str = Scope.PLAN, charge_code: str = "",
    plan_id: int | None = None, includes_true_up: bool = False, valid_from: date | None = None,
    valid_to: date | None = None,
) -> Answer:  # fmt: skip
    """A new coupon; `valid_to` is the first day on which it can no longer be granted."""
    terms = CouponTerms(
        CouponKind(kind), rate_ppm, amount_minor, currency, Duration(duration), periods, Scope(scope),
        charge_code.strip(), valid_from, valid_to,
    )  # fmt: skip
    check_coupon(terms)
    code = good_code(code)
    table = core_table(Coupon)
    if work.session.execute(select(table.c.id).where(table.c.code == code)).first():
        raise Conflict("There is already a coupon with the code {coupon}", code="coupon_exists", coupon=code)
    if plan_id is not None and _unknown_plan(work, plan_id):
        raise NotFound("This plan does not exist", code="no_plan")
    values = {
        "code": code, "name": good_name(name), "kind": terms.kind.value, "rate_ppm": rate_ppm,
        "amount_minor": amount_minor, "currency": currency, "duration": terms.duration.value, "periods": periods,
        "scope": terms.scope.value, "charge_code": terms.charge_code, "plan_id": plan_id,
        "includes_true_up": includes_true_up, "valid_from": valid_from, "valid_to": valid_to, **work.stamp,
    }  # fmt: skip
    coupon_id = insert_row(work.session, Coupon, values)
    work.audit(f"coupon:{coupon_id}", "terms")
    return {"coupon_id": coupon_id}


@command("coupons.archive", Permission.EDIT_COUPONS)
def archive_coupon(work: Work, *, coupon_id: int, archived: bool = True) -> Answer:
    """Grant a coupon no longer, or again. Those who have it keep it."""
    table = core_table(Coupon)
    changed = work.session.execute(update(table).where(table.c.id == coupon_id).values(archived=archived))
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        raise NotFound("This coupon does not exist", code="no_coupon")
    work.audit(f"coupon:{coupon_id}", "archived")
    return {"coupon_id": coupon_id, "archived": archived}


def _unknown_plan(work: Work, plan_id: int) -> bool:
    table = core_table(Plan).c
    return work.session.execute(select(table.id).where(table.id == plan_id)).first() is None
