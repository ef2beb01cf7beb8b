"""Who may do what. Roles and permissions are few words; every action names one permission.

Source: trust.md ("What to build"): viewer, product, support, finance, admin; four eyes for price changes and large credits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.errors import NotPermitted


class Role(StrEnum):
    """A person's role; one each."""

    VIEWER = "viewer"
    PRODUCT = "product"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"


class Permission(StrEnum):
    """What an action needs. Reading needs none beyond being known."""

    DRAFT_PRICES = "draft_prices"
    PUBLISH_PRICES = "publish_prices"
    EDIT_COUPONS = "edit_coupons"
    EDIT_CUSTOMERS = "edit_customers"
    CHANGE_SUBSCRIPTIONS = "change_subscriptions"
    RECORD_USAGE = "record_usage"
    RECORD_CONTACTS = "record_contacts"
    HOLD_BILLING = "hold_billing"
    ISSUE_INVOICES = "issue_invoices"
    CREDIT_INVOICES = "credit_invoices"
    REGISTER_PAYMENTS = "register_payments"
    CLOSE_BOOKS = "close_books"
    IMPORT_DATA = "import_data"
    EDIT_SETTINGS = "edit_settings"
    MANAGE_PEOPLE = "manage_people"
    PLAN_FIGURES = "plan_figures"
    SAVE_VIEWS = "save_views"
    SIMULATE_PRICES = "simulate_prices"
    APPROVE_SCENARIOS = "approve_scenarios"


_P = Permission
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({_P.SAVE_VIEWS}),
    Role.PRODUCT: frozenset(
        {
            _P.DRAFT_PRICES, _P.PUBLISH_PRICES, _P.EDIT_COUPONS, _P.SAVE_VIEWS, _P.PLAN_FIGURES, _P.SIMULATE_PRICES,
            _P.APPROVE_SCENARIOS,
        }
    ),
    Role.SUPPORT: frozenset(
        {
            _P.EDIT_CUSTOMERS, _P.CHANGE_SUBSCRIPTIONS, _P.RECORD_CONTACTS, _P.HOLD_BILLING, _P.RECORD_USAGE,
            _P.SAVE_VIEWS,
        }
    ),
    Role.FINANCE: frozenset(
        {
            _P.HOLD_BILLING, _P.ISSUE_INVOICES, _P.CREDIT_INVOICES, _P.REGISTER_PAYMENTS, _P.CLOSE_BOOKS,
            _P.EDIT_CUSTOMERS, _P.RECORD_CONTACTS, _P.EDIT_SETTINGS, _P.IMPORT_DATA, _P.RECORD_USAGE, _P.SAVE_VIEWS,
            _P.PLAN_FIGURES, _P.APPROVE_SCENARIOS,
        }
    ),
    Role.ADMIN: frozenset(Permission),
}  # fmt: skip


# The company's amount up to which a person of a role may charge or credit alone; of the others every one is asked for.
OWN_LIMIT = {Role.SUPPORT: "support_limit_minor", Role.ADMIN: "admin_limit_minor"}


@dataclass(frozen=True)
class Actor:
    """The person, or the machine job, on whose behalf something happens."""

    name: str
    role: Role
    person_id: int | None = None

    def may(self, permission: Permission) -> bool:
        """Does the role grant the permission?"""
        return permission in GRANTS[self.role]


SYSTEM = Actor("system", Role.ADMIN)


def require(actor: Actor | None, permission: Permission) -> Actor:
    """Refuse unless the actor is known and its role grants the permission."""
    if actor is None:
        raise NotPermitted("Say who you are first", code="no_actor")
    if not actor.may(permission):
        raise NotPermitted(
            "{name} ({role}) may not do this: it needs the permission “{permission}”", code="not_permitted",
            name=actor.name, role=actor.role.value, permission=permission.value.replace("_", " "),
        )  # fmt: skip
    return actor
