"""What is issued stays issued: the database itself refuses every other statement, whoever sends it."""

import datetime as dt

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from core.store.engine import reading, writing
from core.store.guards import APPEND_ONLY
from core.store.save import insert_many
from core.store.tables import (
    METADATA,
    ChargeRow,
    Coupon,
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LedgerEntry,
    LedgerPosting,
    LedgerSeal,
    LineDiscount,
    SubscriptionChange,
    TierRow,
    core_table,
)
from tests.store.books import FEBRUARY, JANUARY, MARCH, STAMP, document, entry, issue, line, posting, stage

COLUMN = {
    "customer_version": "name = 'Per'",
    "document": "total_minor = total_minor + 1, net_minor = net_minor + 1",
    "document_line": "amount_minor = 1",
    "ledger_posting": "amount_minor = 1",
    "usage_event": "quantity_micro = 1",
    "ledger_seal": "entry_id = 9",
    "document_tax": "tax_minor = 1",
    "line_discount": "amount_minor = 1",
    "books_closed": "reason = 'x'",
    "books_reopening": "reason = 'x'",
    "reaction_estimate": "content = 'x'",
}


@pytest.fixture
def issued(engine):
    """A database with one issued invoice."""
    with writing(engine) as session:
        stage(session)
        issue(session)
    return engine


def refused(engine, statement, match=None):
    """Send one statement in a transaction of its own and expect it to be refused."""

    def send():
        with writing(engine) as session:
            session.execute(text(statement))

    with pytest.raises(IntegrityError, match=match):
        send()


def write(engine, *inserts):
    """Bulk-insert (model, rows) pairs in one transaction."""
    with writing(engine) as session:
        for model, rows in inserts:
            insert_many(session, model, rows)


def write_refused(engine, *inserts, match=None):
    """Expect that this transaction is refused."""
    with pytest.raises(IntegrityError, match=match):
        write(engine, *inserts)


def everything(engine):
    """All rows of all tables, to see that nothing moved."""
    with reading(engine) as session:
        return {
            name: sorted(map(repr, session.execute(select(table)).all())) for name, table in METADATA.tables.items()
        }


def test_no_row_of_an_append_only_table_can_be_changed_deleted_or_truncated(issued):
    before = everything(issued)
    postgresql = issued.dialect.name == "postgresql"
    for table in APPEND_ONLY:
        assert before[table], f"the books of the test have no {table}"
        change = COLUMN.get(table, "author = 'x'" if "author" in METADATA.tables[table].c else None)
        change = change or f"{METADATA.tables[table].c.keys()[1]} = 'x'"
        refused(issued, f"UPDATE {table} SET {change}", match="append-only")
        refused(issued, f"DELETE FROM {table}", match="append-only")
        if postgresql:
            refused(issued, f"TRUNCATE {table} CASCADE", match="append-only|purge_after|frozen")
        else:
            refused(issued, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    assert everything(issued) == before


def test_an_upsert_cannot_change_an_issued_document(issued):
    columns = ", ".join(METADATA.tables["document"].c.keys())
    refused(
        issued,
        f"INSERT INTO document ({columns}) SELECT {columns} FROM document WHERE true"
        " ON CONFLICT (id) DO UPDATE SET number = 'F99'",
        match="append-only",
    )


def test_nothing_joins_a_document_that_is_in_the_ledger(issued):
    other_days = {"service_start": MARCH, "service_end": dt.date(2026, 4, 1), "period_end": dt.date(2026, 4, 1)}
    match = "the document is in the ledger"
    write_refused(issued, (DocumentLine, [line(**other_days)]), match=match)
    write_refused(issued, (DocumentTax, [{"document_id": 1, "rate_ppm": 0}]), match=match)
    write_refused(issued, (LineDiscount, [{"line_id": 101, "grant_id": 1, "period_start": JANUARY}]), match=match)


# --- the ledger ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "postings",
    [
        pytest.param([], id="none"),
        pytest.param([("receivable", 0, "NOK")], id="a single one"),
        pytest.param([("receivable", 100, "NOK"), ("revenue", -99, "NOK")], id="one minor unit off"),
        pytest.param([("receivable", 100, "NOK"), ("revenue", -100, "SEK")], id="balanced across two currencies"),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_sealed(issued, postings):
    rows = [posting(2, account, amount, currency) for account, amount, currency in postings]
    write_refused(
        issued,
        (LedgerEntry, [entry(2)]),
        (LedgerPosting, rows),
        (LedgerSeal, [{"entry_id": 2}]),
        match="sum to zero in each currency",
    )


def test_one_bad_entry_among_many_refuses_the_whole_bulk(issued):
    entries = [entry(number) for number in range(2, 102)]
    postings = [posting(e["id"], account, amount) for e in entries for account, amount in (("a", 5), ("b", -5))]
    postings[77]["amount_minor"] += 1
    seals = [{"entry_id": e["id"]} for e in entries]
    write_refused(issued, (LedgerEntry, entries), (LedgerPosting, postings), (LedgerSeal, seals), match="sum to zero")
    postings[77]["amount_minor"] -= 1
    write(issued, (LedgerEntry, entries), (LedgerPosting, postings), (LedgerSeal, seals))


def test_an_entry_without_its_seal_cannot_commit_also_in_bulk(issued):
    entries = [entry(number) for number in range(2, 12)]
    postings = [posting(e["id"], account, amount) for e in entries for account, amount in (("a", 5), ("b", -5))]
    all_but_one = [{"entry_id": e["id"]} for e in entries[:-1]]
    write_refused(issued, (LedgerEntry, entries), (LedgerPosting, postings), (LedgerSeal, all_but_one))
    with reading(issued) as session:
        assert session.execute(select(func.count()).select_from(core_table(LedgerEntry))).scalar() == 1


def test_a_seal_without_an_entry_is_refused(issued):
    write_refused(issued, (LedgerSeal, [{"entry_id": 99}]), match="two postings or more")


def test_nothing_can_be_posted_to_a_sealed_entry(issued):
    balanced = [posting(1, "receivable", 5), posting(1, "revenue", -5)]
    write_refused(issued, (LedgerPosting, balanced), match="sealed")


# --- lines ---------------------------------------------------------------------------------------------------------


def second_line(engine, **changed):
    """A second document with one line."""
    write(engine, (Document, [document(2)]), (DocumentLine, [line(document_id=2, **changed)]))


def second_line_refused(engine, **changed):
    with pytest.raises(IntegrityError):
        second_line(engine, **changed)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(dt.date(2026, 1, 31), MARCH, id="its first day is the last billed one"),
        pytest.param(dt.date(2025, 12, 1), dt.date(2026, 1, 2), id="its last day is the first billed one"),
        pytest.param(dt.date(2026, 1, 10), dt.date(2026, 1, 11), id="inside"),
        pytest.param(dt.date(2025, 1, 1), dt.date(2027, 1, 1), id="around"),
        pytest.param(JANUARY, FEBRUARY, id="the same"),
    ],
)
def test_days_that_are_billed_cannot_be_billed_again(issued, start, end):
    second_line_refused(issued, service_start=start, service_end=end)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"service_start": FEBRUARY, "service_end": MARCH, "period_end": MARCH}, id="the next period"),
        pytest.param({"service_start": dt.date(2025, 12, 1), "service_end": JANUARY}, id="the period before"),
        pytest.param({"revision": 1, "corrects_id": 101, "amount_minor": -500}, id="a correction"),
        pytest.param({"charge_id": 2}, id="another charge"),
        pytest.param({"charge_id": None, "kind": "true_up"}, id="the true-up, which has no charge"),
        pytest.param({"kind": "limit"}, id="the limit that is taxed like the charge"),
        pytest.param({"counts_as_billed": False}, id="a goodwill credit"),
        pytest.param(
            {"kind": "one_off", "service_start": dt.date(2026, 1, 5), "service_end": dt.date(2026, 1, 6)},
            id="a one-off",
        ),
    ],
)
def test_what_is_not_the_same_service_can_be_billed_beside_it(issued, changed):
    second_line(issued, **changed)


def test_the_same_correction_cannot_be_billed_twice(issued):
    second_line(issued, revision=1, corrects_id=101)
    write_refused(issued, (Document, [document(3)]), (DocumentLine, [line(document_id=3, revision=1, corrects_id=101)]))


def test_two_true_ups_of_the_same_days_are_refused_although_their_charge_is_null(issued):
    second_line(issued, charge_id=None, kind="true_up")
    write_refused(
        issued, (Document, [document(3)]), (DocumentLine, [line(document_id=3, charge_id=None, kind="true_up")])
    )


def test_a_limit_is_billed_once_for_what_is_paid_ahead_and_once_for_what_is_used(issued):
    second_line(issued, kind="limit", timing="in_advance")
    write(issued, (Document, [document(3)]), (DocumentLine, [line(document_id=3, kind="limit", timing="in_arrears")]))
    write_refused(
        issued, (Document, [document(4)]), (DocumentLine, [line(document_id=4, kind="limit", timing="in_arrears")])
    )


def test_a_limited_price_change_says_what_it_is_compared_with(issued):
    change = {"subscription_id": 1, "kind": "price", "effective_on": MARCH, "price_version_id": 1, **STAMP}
    write(issued, (SubscriptionChange, [{**change, "earlier_version_id": 1, "cap_ppm": 100_000}]))
    write_refused(issued, (SubscriptionChange, [{**change, "cap_ppm": 100_000}]))
    write_refused(issued, (SubscriptionChange, [{**change, "earlier_version_id": 1}]))


def test_an_overlap_inside_one_bulk_insert_is_refused(issued):
    days = [(dt.date(2026, 3, 1), dt.date(2026, 3, 20)), (dt.date(2026, 3, 19), dt.date(2026, 4, 1))]
    rows = [line(document_id=2, service_start=start, service_end=end) for start, end in days]
    write_refused(issued, (Document, [document(2)]), (DocumentLine, rows))
    apart = [{**rows[0], "service_end": dt.date(2026, 3, 19)}, rows[1]]
    write(issued, (Document, [document(2)]), (DocumentLine, apart))


def test_an_overlap_is_found_behind_a_one_off_and_a_correction_that_start_later(issued):
    start, end = dt.date(2026, 1, 15), dt.date(2026, 1, 16)
    write(
        issued,
        (Document, [document(2)]),
        (DocumentLine, [line(document_id=2, kind="one_off", service_start=start, service_end=end)]),
        (DocumentLine, [line(document_id=2, revision=1, service_start=start, service_end=end)]),
    )
    write_refused(
        issued,
        (Document, [document(3)]),
        (DocumentLine, [line(document_id=3, service_start=dt.date(2026, 1, 20), service_end=MARCH)]),
    )


# --- catalogue and buyers ------------------------------------------------------------------------------------------


def test_a_published_price_version_keeps_its_prices(issued):
    for change in ("minimum_minor = 5", "currency = 'SEK'", "valid_from = '2026-05-01'", "published_by = 'x'"):
        refused(issued, f"UPDATE price_version SET {change} WHERE id = 1", match="frozen")
    refused(issued, "UPDATE price_version SET status = 'draft' WHERE id = 1", match="frozen")
    refused(issued, "DELETE FROM price_version WHERE id = 1", match="frozen")


def test_a_published_price_version_can_be_retired_and_stays_so(issued):
    with writing(issued) as session:
        session.execute(text("UPDATE price_version SET status = 'retired' WHERE id = 1"))
    refused(issued, "UPDATE price_version SET status = 'published' WHERE id = 1", match="frozen")


def test_a_draft_cannot_be_retired(issued):
    refused(issued, "UPDATE price_version SET status = 'retired' WHERE id = 2", match="frozen")


def test_charges_and_tiers_of_a_published_version_are_frozen(issued):
    refused(issued, "UPDATE charge SET name = 'x' WHERE id = 1", match="frozen")
    refused(issued, "UPDATE charge SET price_version_id = 1 WHERE id = 2", match="frozen")
    refused(issued, "UPDATE tier SET flat_amount = '1' WHERE id = 1", match="frozen")
    refused(issued, "UPDATE tier SET charge_id = 1, position = 9 WHERE id = 2", match="frozen")
    refused(issued, "DELETE FROM tier WHERE id = 1", match="frozen")
    write_refused(issued, (TierRow, [{"charge_id": 1, "position": 2}]), match="frozen")
    extra = {"price_version_id": 1, "code": "extra", "kind": "fixed", "model": "flat"}
    write_refused(issued, (ChargeRow, [extra]), match="frozen")


def test_a_draft_can_be_edited_published_and_deleted(issued):
    with writing(issued) as session:
        session.execute(text("UPDATE price_version SET minimum_minor = 5 WHERE id = 2"))
        session.execute(text("UPDATE tier SET flat_amount = '1' WHERE id = 2"))
        session.execute(text("DELETE FROM tier WHERE id = 2"))
        session.execute(text("DELETE FROM charge WHERE id = 2"))
        session.execute(text("DELETE FROM price_version WHERE id = 2"))


def test_a_buyer_may_be_purged_from_the_day_the_law_allows_and_never_edited(issued):
    refused(issued, "UPDATE document_buyer SET name = 'x'", match="buyer cannot be changed")
    refused(issued, "DELETE FROM document_buyer", match="purge_after")
    today = dt.datetime.now(dt.UTC).date()
    bought = {2: today, 3: today + dt.timedelta(days=2)}
    write(
        issued,
        (Document, [document(number) for number in bought]),
        (DocumentBuyer, [{"document_id": number, "purge_after": day} for number, day in bought.items()]),
    )
    with writing(issued) as session:
        session.execute(text("DELETE FROM document_buyer WHERE document_id = 2"))
    refused(issued, "DELETE FROM document_buyer WHERE document_id = 3", match="purge_after")


def test_what_a_customer_version_says_about_a_person_may_be_emptied_and_nothing_else(issued):
    refused(issued, "UPDATE customer_version SET name = '', country = 'SE'", match="only be emptied")
    refused(issued, "UPDATE customer_version SET name = '', effective_from = '2026-01-02'", match="only be emptied")
    with writing(issued) as session:
        session.execute(text("UPDATE customer_version SET name = '', emails = '', address = ''"))


# --- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = '12x'",
        "amount_minor = 0.5",
        "archived = 2",
        "valid_from = '2026-02-30'",
        "valid_from = 'soon'",
        "recorded_at = '2026-01-01'",
        "recorded_at = '2026-01-01 12:00:00+02:00.1234'",
        "name = 'a' || char(0) || 'b'",
        "name = x'00ff'",
    ],
)
def test_sqlite_refuses_values_that_are_not_of_the_columns_type(sqlite_engine, change):
    with writing(sqlite_engine) as session:
        insert_many(session, Coupon, [{"code": "x", **STAMP}])
    refused(sqlite_engine, f"UPDATE coupon SET {change}", match="ck_coupon")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("price_version", "status = 'deleted'"),
        ("price_version", "interval_count = 0"),
        ("charge", "model = 'free'"),
        ("number_series", "last = -1"),
    ],
)
def test_words_and_bounds_outside_the_domain_are_refused(issued, table, change):
    where = " WHERE id = 2" if table != "number_series" else ""
    refused(issued, f"UPDATE {table} SET {change}{where}", match="ck_|frozen")


def test_a_document_whose_total_is_not_net_and_vat_is_refused(issued):
    write_refused(issued, (Document, [document(2, total_minor=12_501)]), match="ck_document_total")
