"""A billing run through the database: `uv run --group bench python -m tests.benchmarks billing [subscriptions]`.

The base of `company.py` in SQLite, everything billed through 2024; January 2025 is billed in chunks of 5,000 customers as the
product does it. Prints time, documents a second and the peak memory of the process; staging is not counted.
"""

import datetime as dt
import tempfile
import time
from pathlib import Path

import polars as pl

from core.actions.invoices import CHUNK_CUSTOMERS, run_billing
from core.domain.access import SYSTEM
from core.store.engine import open_engine, writing
from core.store.migrate import migrate
from core.store.save import insert_many
from core.store.tables import (
    BillingCursor,
    ChargeRow,
    CompanyProfile,
    Coupon,
    CurrencyRate,
    Customer,
    CustomerVersion,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    TierRow,
    UsageEvent,
    VatRule,
)
from tests.benchmarks.company import MONTHS, Company, company, inputs
from tests.benchmarks.rating import peak, resident

NOW = dt.datetime(2025, 1, 31, 12, tzinfo=dt.UTC)
SINCE = dt.date(2000, 1, 1)
STAMP = {"recorded_at": pl.lit(NOW), "author": pl.lit("benchmark")}


def stage(engine, base: Company) -> None:
    """The company's facts in the tables."""
    migrate(engine)
    given = inputs(base)
    facts = given.facts
    rates = pl.DataFrame({"currency": list(given.currency_rates), "rate": ["1", "1.5", "11.5"]})
    people = given.customers.rename({"customer_id": "id"})
    versions = facts.versions.select(
        id="price_version_id", plan_id="plan_id", currency="currency", number="price_version_id",
        alignment=pl.lit("calendar"), status=pl.lit("draft"),
    )  # fmt: skip
    newest = pl.lit(facts.changes["change_id"].max())
    last = given.scope.select(
        "subscription_id", opening="billed_through", seen_change_id=newest, opening_change_id=newest
    )
    named = {"external_id": pl.format("x{}", "id"), "command_id": pl.lit("")}
    rows = {
        CompanyProfile: pl.DataFrame({"effective_from": [SINCE], "legal_name": ["Prøve AS"], "country": ["NO"]}).with_columns(**STAMP),
        CurrencyRate: rates.with_columns(on_date=pl.lit(SINCE), **STAMP),
        VatRule: given.vat_rules.drop("customer_kind", "has_vat_number").with_columns(seller_country=pl.lit("NO"), **STAMP),
        Plan: pl.DataFrame({"id": range(1, 61)}).with_columns(code=pl.format("p{}", "id"), name=pl.lit("Plan")),
        PriceVersion: versions.with_columns(**STAMP),
        ChargeRow: facts.charges.rename({"charge_id": "id"}).with_columns(name="code", meter=pl.col("meter").fill_null("")),
        TierRow: facts.tiers.with_columns(rate_percent=pl.lit("0")),
        Coupon: given.coupons.rename({"coupon_id": "id"}).drop("amount_minor", "currency", "charge_code", "periods")
        .with_columns(name="code", **STAMP),
        Customer: people.select("id").with_columns(created_on=pl.lit(SINCE), **named, **STAMP),
        CustomerVersion: people.select("kind", "country", customer_id="id", name=pl.format("Ås {}", "id"))
        .with_columns(effective_from=pl.lit(SINCE), **STAMP),
        Subscription: given.subscriptions.drop("terms_days").rename({"subscription_id": "id"}).with_columns(**named, **STAMP),
        SubscriptionChange: facts.changes.rename({"change_id": "id"}).select(
            "id", "subscription_id", "kind", "effective_on", "price_version_id", "quantity_micro", "coupon_id", "anchor_on",
            item=pl.col("item").fill_null(""), command_id=pl.lit(""), **STAMP,
        ),
        UsageEvent: facts.usage.rename({"event_id": "id"}).drop("amount_micro").with_columns(
            source_id=pl.format("u{}", "id"), occurred_at=pl.lit(NOW), **STAMP
        ),
        BillingCursor: last.with_columns(billed_through=pl.lit(MONTHS[0] - dt.timedelta(days=1)), next_due_on=pl.lit(MONTHS[0]),
                                         seen_event_id=pl.lit(facts.usage.height)),
    }  # fmt: skip
    with writing(engine) as session:
        for model, frame in rows.items():
            insert_many(session, model, frame)


def main(count: str = "100000") -> None:
    """Stage, bill, print."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'billing.db'}")
        stage(engine, company(int(count), 1))
        before = resident()
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
        wall, cpu = time.perf_counter(), time.process_time()
        result = run_billing(engine, SYSTEM, now=NOW, through=NOW.date(), issue_date=NOW.date())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        engine.dispose()
    print(
        f"{result.documents:,} documents, {result.lines:,} lines, {result.review} to review, chunks of {CHUNK_CUSTOMERS:,}"
    )
    print(f"wall {wall:.1f} s, CPU {cpu:.1f} s, {result.documents / wall:,.0f} documents/s, peak memory {peak():,.0f} MiB"
          f" (before: {before:,.0f} MiB)")  # fmt: skip
