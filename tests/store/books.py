"""The smallest books: one customer, one subscription, one issued invoice of 100.00 NOK + 25 % VAT in a sealed entry."""

import datetime as dt

from core.store.save import insert_many
from core.store.tables import (
    Adjustment,
    AdjustmentDecision,
    AuditEntry,
    BooksClosed,
    BooksReopening,
    Budget,
    ChargeRow,
    Command,
    CompanyProfile,
    CurrencyRate,
    Customer,
    CustomerNote,
    CustomerVersion,
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LedgerEntry,
    LedgerPosting,
    LedgerSeal,
    LineDiscount,
    MonthClose,
    NumberSeries,
    Payment,
    Plan,
    PlanMargin,
    PriceVersion,
    ReactionEstimate,
    SavedView,
    Scenario,
    ScenarioDecision,
    ScenarioResult,
    Subscription,
    SubscriptionChange,
    TierRow,
    TimeMark,
    UsageEvent,
    VatRule,
)

NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
JANUARY, FEBRUARY, MARCH = (dt.date(2026, month, 1) for month in (1, 2, 3))
STAMP = {"recorded_at": NOW, "author": "Kari"}


def line(**changed):
    """An original line for January of subscription 1 and charge 1 on document 1."""
    usual = {
        "document_id": 1, "subscription_id": 1, "price_version_id": 1, "charge_id": 1, "kind": "fixed",
        "service_start": JANUARY, "service_end": FEBRUARY, "period_start": JANUARY, "period_end": FEBRUARY,
        "timing": "in_advance", "amount_minor": 10_000, "net_minor": 10_000, "tax_rate_ppm": 250_000,
    }  # fmt: skip
    return {**usual, **changed}


def document(document_id, **changed):
    """An invoice of 125.00 NOK."""
    usual = {
        "id": document_id, "kind": "invoice", "number": f"F{document_id}", "series_id": 1, "sequence": document_id,
        "customer_id": 1, "bill_to_id": 1, "seller_id": 1, "currency": "NOK", "issue_date": JANUARY, "due_date": JANUARY,
        "service_start": JANUARY, "service_end": FEBRUARY, "subtotal_minor": 10_000, "net_minor": 10_000,
        "tax_minor": 2_500, "total_minor": 12_500, "recorded_at": NOW,
    }  # fmt: skip
    return {**usual, **changed}


def entry(number, **changed):
    """A ledger entry without postings."""
    usual = {
        "id": number,
        "kind": "invoice",
        "on_date": JANUARY,
        "customer_id": 1,
        "recorded_at": NOW,
        "command_id": "c",
    }
    return {**usual, **changed}


def posting(entry_id, account, amount_minor, currency="NOK"):
    """One posting."""
    return {"entry_id": entry_id, "account": account, "currency": currency, "amount_minor": amount_minor}


def stage(session):
    """Everything an invoice refers to: company, published price version 1, draft 2, customer 1, subscription 1."""
    insert_many(session, CompanyProfile, [{"id": 1, "effective_from": JANUARY, **STAMP}])
    insert_many(session, BooksClosed, [{"through": dt.date(2025, 12, 31), **STAMP}])
    insert_many(session, BooksReopening, [{"step": "requested", "through": dt.date(2025, 11, 30), **STAMP}])
    insert_many(session, Plan, [{"id": 1, "code": "basic", "name": "Basic"}])
    versions = [{"id": i, "plan_id": 1, "number": i, "currency": "NOK", "status": "draft", **STAMP} for i in (1, 2)]
    insert_many(session, PriceVersion, versions)
    charges = [{"id": i, "price_version_id": i, "code": "fee", "kind": "fixed", "model": "flat"} for i in (1, 2)]
    insert_many(session, ChargeRow, charges)
    insert_many(session, TierRow, [{"id": i, "charge_id": i, "flat_amount": "100"} for i in (1, 2)])
    session.connection().exec_driver_sql("UPDATE price_version SET status = 'published' WHERE id = 1")
    insert_many(session, Customer, [{"id": 1, "external_id": "c1", "created_on": JANUARY, **STAMP}])
    insert_many(
        session, CustomerVersion, [{"id": 1, "customer_id": 1, "effective_from": JANUARY, "name": "Ola", **STAMP}]
    )
    subscription = {"id": 1, "customer_id": 1, "external_id": "s1", "currency": "NOK", "started_on": JANUARY, **STAMP}
    insert_many(session, Subscription, [subscription])
    change = {"id": 1, "subscription_id": 1, "kind": "start", "effective_on": JANUARY, "price_version_id": 1, **STAMP}
    insert_many(session, SubscriptionChange, [change])
    event = {"source_id": "u1", "subscription_id": 1, "meter": "sms", "occurred_at": NOW, "occurred_on": JANUARY}
    insert_many(session, UsageEvent, [{**event, "quantity_micro": 1_000_000, **STAMP}])
    adjustment = {
        "subscription_id": 1,
        "price_version_id": 1,
        "kind": "charge",
        "effective_on": JANUARY,
        "amount_minor": 100,
    }
    insert_many(session, Adjustment, [{"id": 1, **adjustment, **STAMP}])
    insert_many(session, AdjustmentDecision, [{"adjustment_id": 1, "decision": "approved", **STAMP}])
    insert_many(session, CustomerNote, [{"customer_id": 1, "text": "Ring", **STAMP}])
    insert_many(session, VatRule, [{"seller_country": "NO", "valid_from": JANUARY, **STAMP}])
    insert_many(session, CurrencyRate, [{"currency": "EUR", "on_date": JANUARY, "rate": "11.5", **STAMP}])
    insert_many(session, ReactionEstimate, [{"content": "{}", **STAMP}])
    insert_many(session, Budget, [{"month": JANUARY, "mrr_minor": 100, **STAMP}])
    insert_many(session, PlanMargin, [{"plan_id": 1, "effective_from": JANUARY, **STAMP}])
    insert_many(session, MonthClose, [{"month": JANUARY, "content": "{}", **STAMP}])
    insert_many(session, TimeMark, [{"on_date": JANUARY, "text": "Campaign", **STAMP}])
    insert_many(session, SavedView, [{"page": "overview", "name": "Mine", "query": "range=90", **STAMP}])
    insert_many(session, Scenario, [{"id": 1, "name": "Dearer", "content": "{}", **STAMP}])
    insert_many(session, ScenarioResult, [{"scenario_id": 1, "as_of": JANUARY, "content": "{}", **STAMP}])
    insert_many(session, ScenarioDecision, [{"scenario_id": 1, "decision": "approved", **STAMP}])
    insert_many(session, NumberSeries, [{"id": 1, "kind": "invoice", "year": 2026, "prefix": "F", "last": 1}])
    insert_many(session, Command, [{"id": "c", "action": "test", "recorded_at": NOW}])
    insert_many(session, AuditEntry, [{"command_id": "c", "recorded_at": NOW, "hash": "h"}])


def issue(session, number=1, **changed_line):
    """Document `number` with one line, its buyer, its VAT, its sealed ledger entry and its payment."""
    insert_many(session, Document, [document(number)])
    insert_many(session, DocumentLine, [line(id=100 + number, document_id=number, **changed_line)])
    insert_many(session, LineDiscount, [{"line_id": 100 + number, "grant_id": 1, "period_start": JANUARY}])
    tax = {
        "document_id": number,
        "treatment": "standard",
        "rate_ppm": 250_000,
        "base_minor": 10_000,
        "tax_minor": 2_500,
    }
    insert_many(session, DocumentTax, [tax])
    insert_many(session, DocumentBuyer, [{"document_id": number, "name": "Ola", "purge_after": dt.date(2099, 1, 1)}])
    insert_many(session, LedgerEntry, [entry(number, document_id=number)])
    postings = [("receivable", 12_500), ("revenue", -10_000), ("vat", -2_500)]
    insert_many(session, LedgerPosting, [posting(number, account, amount) for account, amount in postings])
    insert_many(session, LedgerSeal, [{"entry_id": number}])
    paid = {"entry_id": number, "customer_id": 1, "document_id": number, "paid_on": JANUARY, "currency": "NOK"}
    insert_many(session, Payment, [{**paid, "amount_minor": 12_500, **STAMP}])
