"""Reads for simulating a pricing change: the prepared base of a day, and what a scenario says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy.orm import Session

from core import frames
from core.calc.simulation import exact
from core.reports import mrr
from core.store import load

WINDOW_MONTHS = 12


@dataclass(frozen=True)
class Prepared:
    """The base of a day ready for any prices: `base`, `prices` (today's, of every version in use), and who the customers are."""

    base: exact.Base
    prices: frames.Prices
    people: pl.DataFrame
    today: date


def prepared(session: Session, today: date, window_months: int = WINDOW_MONTHS) -> Prepared:
    """Read and prepare everything that re-rating needs; once for a data revision."""
    changes = load.changes(session)
    owners = mrr.owners_of(session)
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    since = date(today.year - 1 - window_months // 12, today.month, 1)
    facts = frames.Facts(changes, *prices, usage=load.usage(session, start=since, end=today))
    eras = mrr.vat_eras(session, prices, today)
    now = eras.filter(pl.col("valid_from") <= today).sort("valid_from").unique("vat_category", keep="last")
    coupons = load.coupons(session)
    base = exact.prepare(
        mrr.stretches(session, changes, owners, today), facts, coupons, vat=now.select("vat_category", "rate_ppm"), today=today,
        window_months=window_months,
    )  # fmt: skip
    named = base.subs.join(owners, on="subscription_id", how="left", maintain_order="left")
    return Prepared(_with(base, named), prices, mrr.people_of(session, today), today)


def _with(base: exact.Base, subs: pl.DataFrame) -> exact.Base:
    return exact.Base(subs, base.states, base.invoices, base.uses, base.pairs, base.events, base.coupons, base.vat)
