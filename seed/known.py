"""A few customers whom everybody knows: agreed prices, a bill-to, a hold, one that no VAT rule fits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from core.actions.customers import create_customers, edit_customers
from core.actions.invoices import hold
from core.actions.plans import negotiate
from core.actions.subscriptions import change_price, start
from core.domain.plans import lowered
from seed import catalogue, happenings
from seed.book import NEVER, Column
from seed.month import Month

MICRO = 10**6


def special(turn: Month) -> None:
    """A few whom everybody knows: agreed prices, a bill-to, a hold, one without a VAT rule."""
    months = len(turn.story.firsts)
    if turn.month in {months // 2, max(0, months - 6)}:
        _negotiate(turn)
    if turn.month == months // 3:
        _bill_to(turn)
    if turn.month == max(0, months - 3):
        _hold(turn)
    if turn.month == max(0, months - 4):
        _needs_review(turn)


def _steady(turn: Month, plans: tuple[str, ...], most: int) -> Column:
    subs = turn.subs
    served = (subs["ends"] == NEVER) & (subs["begins"] < turn.first) & (subs["addon"] == "") & ~subs["own_price"]
    return np.flatnonzero(served & np.isin(happenings.of_offer(subs["offer"], "plan"), plans))[:most]


def _negotiate(turn: Month) -> None:
    """Chains and shops get an agreed price from the next month on."""
    where = _steady(turn, ("kjede", "handel"), 4)
    following = (turn.first.astype("M8[M]") + 1).astype("M8[D]").item()
    versions = []
    for row in where:
        terms = lowered(catalogue.OFFERS[str(turn.subs["offer"][row])].terms, Decimal(12))
        key = int(turn.subs["id"][row])
        made = turn.do(negotiate, f"negotiate {key}", who="product", subscription_id=key, terms=terms,
                       reason="Toårig avtale", expires_on=turn.last_date + timedelta(days=2 * 365),
                       approved_by=turn.story.people["admin"].name)  # fmt: skip
        versions.append(made["price_version_id"])
    turn.send(change_price, "agreed", subscription_id=turn.subs["id"][where],
              price_version_id=np.array(versions, dtype=np.int64), effective_on=[following] * len(where))  # fmt: skip
    turn.subs["own_price"][where] = True


def _bill_to(turn: Month) -> None:
    """Some offices are paid for by another company of theirs."""
    firms = np.unique(turn.subs["customer"][_steady(turn, ("kontor",), 40)])
    firms = firms[turn.customers["country"][firms] == "NO"]
    payers, paid = firms[:1], firms[1:4]
    if len(paid):
        turn.do(edit_customers, "bill to", requests=pl.DataFrame({
            "customer_id": turn.customers["id"][paid], "effective_from": [turn.last_date] * len(paid),
            "bill_to_id": np.full(len(paid), turn.customers["id"][payers][0]),
            "reference": ["Konsernregnskap"] * len(paid),
        }))  # fmt: skip


def _hold(turn: Month) -> None:
    where = _steady(turn, ("kontor",), 6)[-1:]
    for row in where:
        customer_id = int(turn.customers["id"][turn.subs["customer"][row]])
        turn.do(hold, "hold", who="finance", customer_id=customer_id, held=True, reason="Uenig om forrige faktura")


def _needs_review(turn: Month) -> None:
    """A Danish business without a VAT number: no rule fits, somebody must decide."""
    made = turn.do(create_customers, "review customer", requests=pl.DataFrame([{
        "external_id": "K10000", "kind": "business", "name": "Skagen Fiskehus ApS", "contact": "Søren Ærø", "country": "DK",
        "postal_code": "9990", "city": "Skagen", "address": "Havnevej 2", "emails": "post@skagen.example", "language": "en",
        "created_on": turn.last_date,
    }]))  # fmt: skip
    turn.send(start, "review start", customer_id=made["customer_ids"], external_id=["A20000"], start_on=[turn.last_date],
              price_version_id=[turn.life.sold.versions["kontor EUR"]], quantity_micro=[4 * MICRO])  # fmt: skip
