"""What goes into a table as a frame comes out as the same frame, on both databases."""

import datetime as dt

import polars as pl
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from core import frames
from core.domain.plans import PriceStatus
from core.store import load
from core.store.engine import reading, writing
from core.store.save import insert_many, reserve_ids
from core.store.tables import (
    Coupon,
    Customer,
    CustomerVersion,
    Person,
    Plan,
    PriceVersion,
    SearchEntry,
    TouchPoint,
    core_table,
)

NOW = dt.datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=dt.UTC)
DAY = dt.date(2026, 1, 31)
STAMP = {"recorded_at": NOW, "author": "Kari"}
AWKWARD = [
    "",
    " ",
    "æøå ÆØÅ",
    'a "quoted" word',
    "comma, semicolon; tab\t",
    "line\nbreak\r\nand another",
    "\\.",
    "\\N",
    "NULL",
    "'; drop table customer; --",
    "100 %",
    ":name %(x)s",
    "🧾",
]


def make_customers(session, count):
    first = reserve_ids(session, Customer, count)
    rows = pl.DataFrame({"id": range(first, first + count)}).with_columns(
        external_id=pl.format("customer-{}", "id"),
        created_on=DAY,
        recorded_at=pl.lit(NOW),
        author=pl.lit("Kari"),
        command_id=pl.lit("test"),
    )
    insert_many(session, Customer, rows)
    return first


@pytest.mark.parametrize("many", [False, True])
def test_awkward_texts_empty_texts_and_nulls_survive(engine, many):
    with writing(engine) as session:
        customer_id = make_customers(session, 1)
        fixed = {"customer_id": customer_id, "occurred_on": DAY, **STAMP}
        insert_many(session, TouchPoint, [{**fixed, "note": note, "source_id": None} for note in AWKWARD])
        table = core_table(TouchPoint).c
        statement = select(table.note, table.source_id).order_by(table.id)
        written = load.frame(session, statement, {"note": pl.String, "source_id": pl.String}, many=many)
    assert written["note"].to_list() == AWKWARD
    assert written["source_id"].null_count() == len(AWKWARD)


@pytest.mark.parametrize("many", [False, True])
def test_a_column_of_only_nulls_and_empty_texts_keeps_every_row(engine, many):
    with writing(engine) as session:
        customer_id = make_customers(session, 1)
        fixed = {"customer_id": customer_id, "occurred_on": DAY, **STAMP}
        insert_many(session, TouchPoint, [{**fixed, "source_id": source} for source in (None, "", None)])
        table = core_table(TouchPoint).c
        written = load.frame(session, select(table.source_id).order_by(table.id), {"source_id": pl.String}, many=many)
    assert written["source_id"].to_list() == [None, "", None]


@pytest.mark.parametrize("many", [False, True])
def test_dates_instants_and_booleans_come_back_as_they_went(engine, many):
    oslo = dt.timezone(dt.timedelta(hours=1))
    rows = [
        {"code": "A", "valid_from": dt.date(1999, 12, 31), "archived": True, "includes_true_up": False, **STAMP},
        {"code": "B", "valid_from": None, "archived": False, "author": "Kari", "recorded_at": NOW.astimezone(oslo)},
    ]
    schema = {"valid_from": pl.Date, "archived": pl.Boolean, "recorded_at": pl.Datetime("us", "UTC")}
    with writing(engine) as session:
        insert_many(session, Coupon, rows)
        table = core_table(Coupon).c
        statement = select(table.valid_from, table.archived, table.recorded_at).order_by(table.code)
        written = load.frame(session, statement, schema, many=many)
    assert written.rows() == [(dt.date(1999, 12, 31), True, NOW), (None, False, NOW)]


def test_what_is_written_in_bulk_is_read_by_single_queries_alike(engine):
    with writing(engine) as session:
        insert_many(session, Coupon, [{"code": "bulk", "valid_from": DAY, "archived": True, **STAMP}])
        session.execute(insert(Coupon).values(code="single", valid_from=DAY, archived=True, **STAMP))
        table = core_table(Coupon)
        bulk, single = session.execute(select(table).order_by(table.c.code)).all()
    assert bulk._mapping.items() ^ single._mapping.items() == {
        ("id", 1),
        ("id", 2),
        ("code", "bulk"),
        ("code", "single"),
    }


@pytest.mark.parametrize("many", [False, True])
def test_the_largest_and_smallest_whole_numbers_survive(engine, many):
    extremes = [2**63 - 1, -(2**63), 0]
    with writing(engine) as session:
        insert_many(session, Coupon, [{"code": str(x), "amount_minor": x, **STAMP} for x in extremes])
    with reading(engine) as session:
        statement = select(core_table(Coupon).c.amount_minor)
        read = load.frame(session, statement, {"amount_minor": pl.Int64}, many=many)
    assert sorted(read["amount_minor"].to_list()) == sorted(extremes)


def test_many_rows_stand_in_the_order_asked_for(engine):
    with writing(engine) as session:
        first = make_customers(session, 3_000)
    table = core_table(Customer).c
    statement = select(table.id, table.external_id).order_by(table.id.desc())
    with reading(engine) as session:
        read = load.frame(session, statement, {"id": pl.Int64, "external_id": pl.String}, many=True)
    assert read["id"].to_list() == list(range(first + 2_999, first - 1, -1))
    assert read["external_id"][0] == f"customer-{first + 2_999}"


def test_a_number_beyond_64_bits_or_with_a_fraction_is_refused(sqlite_engine):
    with writing(sqlite_engine) as session:
        with pytest.raises((TypeError, OverflowError)):
            insert_many(session, Coupon, [{"code": "x", "amount_minor": 2**63, **STAMP}])
        with pytest.raises(TypeError):
            insert_many(session, Coupon, [{"code": "x", "amount_minor": 1.5, **STAMP}])
        with pytest.raises(AssertionError, match="whole numbers"):
            insert_many(session, SearchEntry, pl.DataFrame({"customer_id": [1.5]}))


def test_left_out_columns_get_the_models_defaults(engine):
    with writing(engine) as session:
        customer_id = make_customers(session, 1)
        insert_many(session, CustomerVersion, [{"customer_id": customer_id, "effective_from": DAY, **STAMP}])
    with reading(engine) as session:
        (row,) = load.customers(session, DAY).to_dicts()
    assert (row["country"], row["language"], row["name"], row["terms_days"]) == ("NO", "nb", "", None)
    assert row["separate_invoices"] is False


def test_a_forgotten_column_and_an_unknown_one_are_named(sqlite_engine):
    with writing(sqlite_engine) as session:
        with pytest.raises(AssertionError, match=r"coupon\.recorded_at is missing"):
            insert_many(session, Coupon, [{"code": "x"}])
        with pytest.raises(AssertionError, match="colour"):
            insert_many(session, Coupon, [{"code": "x", "colour": "red"}])


def test_a_refused_row_leaves_nothing_of_its_frame(engine):
    def both():
        with writing(engine) as session:
            insert_many(session, Person, [{"email": "a@x.no"}, {"email": "a@x.no"}])

    with pytest.raises(IntegrityError):
        both()
    with reading(engine) as session:
        assert session.execute(select(func.count()).select_from(core_table(Person))).scalar() == 0


def test_a_hundred_thousand_ids_pick_their_rows(engine):
    with writing(engine) as session:
        first = make_customers(session, 30)
        rows = [{"customer_id": first + i, "effective_from": DAY, **STAMP} for i in range(30)]
        insert_many(session, CustomerVersion, rows)
        wanted = pl.Series(range(first + 10, first + 100_010))
        found = load.customers(session, DAY, wanted)
        none = load.customers(session, DAY, [])
    assert found["customer_id"].to_list() == list(range(first + 10, first + 30))
    assert none.is_empty()
    assert none.schema == frames.empty(frames.CUSTOMERS).schema


def test_empty_tables_have_the_contracts_types(engine):
    with reading(engine) as session:
        prices = load.prices(session)
        read = [
            (load.subscriptions(session), frames.SUBSCRIPTIONS),
            (load.changes(session), frames.CHANGES),
            (load.usage(session, [1], DAY, DAY), frames.USAGE_EVENTS),
            (load.coupons(session), frames.COUPONS),
            (load.customers(session, DAY), frames.CUSTOMERS),
            (load.billed_lines(session, [1], DAY), frames.LINES),
            (prices.versions, frames.PRICE_VERSIONS),
            (prices.charges, frames.CHARGES),
            (prices.tiers, frames.TIERS),
        ]
    for frame, schema in read:
        frames.check(frame, schema)


def test_the_customer_version_in_force_is_the_latest_not_after_the_day(engine):
    with writing(engine) as session:
        customer_id = make_customers(session, 1)
        said = [("January", 1), ("March", 3), ("March, corrected", 3), ("June", 6)]
        rows = [
            {"customer_id": customer_id, "effective_from": dt.date(2026, month, 1), "name": name, **STAMP}
            for name, month in said
        ]
        insert_many(session, CustomerVersion, rows)
    with reading(engine) as session:
        names = {month: load.customers(session, dt.date(2026, month, 15))["name"].to_list() for month in (1, 2, 4, 7)}
        before = load.customers(session, dt.date(2025, 12, 31))
    assert names == {1: ["January"], 2: ["January"], 4: ["March, corrected"], 7: ["June"]}
    assert before.is_empty()


def test_reserved_ids_follow_each_other_and_are_never_given_twice(engine):
    with writing(engine) as session:
        first = reserve_ids(session, Customer, 1000)
        second = reserve_ids(session, Customer, 10)
        assert second >= first + 1000
        customer_id = make_customers(session, 1)
        assert customer_id >= second + 10


def test_ids_given_by_hand_are_passed_by_the_databases_own(engine):
    with writing(engine) as session:
        insert_many(session, Plan, [{"id": 1, "code": "one"}, {"id": 7, "code": "seven"}])
        insert_many(session, Plan, [{"id": None, "code": "eight"}])
        session.execute(insert(Plan).values(code="nine"))
        assert reserve_ids(session, Plan, 1) == 10
        plans = core_table(Plan).c
        assert session.execute(select(plans.id, plans.code).order_by(plans.id)).all() == [
            (1, "one"), (7, "seven"), (8, "eight"), (9, "nine"),
        ]  # fmt: skip


def test_words_of_the_domain_can_be_stored_and_asked_for(engine):
    with writing(engine) as session:
        insert_many(session, Plan, [{"id": 1, "code": "one"}])
        insert_many(session, PriceVersion, [{"plan_id": 1, "currency": "NOK", "status": PriceStatus.DRAFT, **STAMP}])
        version = core_table(PriceVersion).c
        for status, found in ((PriceStatus.DRAFT, 1), (PriceStatus.RETIRED, 0)):
            statement = select(version.id).where(version.status == status, version.recorded_at <= NOW)
            assert load.frame(session, statement, {"id": pl.Int64}).height == found


def test_a_reader_sees_one_moment_whatever_is_committed_meanwhile(engine):
    plans = select(core_table(Plan).c.code)
    with reading(engine) as reader:
        assert load.frame(reader, plans, {"code": pl.String}).is_empty()
        with writing(engine) as writer:
            insert_many(writer, Plan, [{"code": "meanwhile"}])
        assert load.frame(reader, plans, {"code": pl.String}).is_empty()
        assert reader.execute(plans).all() == []
    with reading(engine) as reader:
        assert reader.execute(plans).scalars().all() == ["meanwhile"]


def test_a_writer_reads_what_it_has_not_committed_yet(engine):
    with writing(engine) as session:
        session.add(Plan(code="object"))
        insert_many(session, Plan, [{"code": "frame"}])
        session.add(Plan(code="late object"))
        plans = select(core_table(Plan).c.code).order_by(core_table(Plan).c.code)
        written = load.frame(session, plans, {"code": pl.String})
    assert written["code"].to_list() == ["frame", "late object", "object"]
