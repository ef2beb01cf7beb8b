"""Taking in a file: what is stored, what a second time does, and that a refused file leaves nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, func, select

from core.actions.imports import import_file, preview_import
from core.actions.invoices import run_billing
from core.domain.access import SYSTEM
from core.domain.errors import InvalidInput, NotPermitted
from core.exchange.rows import ImportRefused
from core.reports.integrity import check
from core.store import load
from core.store.engine import reading
from core.store.tables import (
    BillingCursor,
    Coupon,
    Customer,
    CustomerVersion,
    Document,
    DocumentLine,
    ImportFile,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    Table,
    TouchPoint,
    UsageEvent,
    VatRule,
    core_table,
)
from tests.world import World

SEED = Path(__file__).parents[2] / "seed"
DATA = Path(__file__).parents[3] / "shared" / "data"
NOW = datetime(2024, 2, 1, 8, tzinfo=UTC)
AS_OF = date(2024, 1, 31)

MAPPING = """
[plans.basic]
name = "Basic"
prices = [{ currency = "NOK", interval = "month", amount = "100" }]
addons = [{ code = "extra", name = "Extra", amount = "10" }]
[customer]
id = "id"
name = "name"
[subscription]
plan = "COALESCE(plan, 'basic')"
currency = "COALESCE(currency, 'NOK')"
interval = "'month'"
start = "DATE(start)"
end = "DATE(end)"
end_cause = "cause"
total_price = "total"
discount_percent = "percent"
coupon = "coupon"
[subscription.addons]
extra = "extra"
"""
HEADER = "id,name,start,end,cause,total,percent,extra,currency,plan,coupon\n"
BOOKS: list[type[Table]] = [
    Customer,
    CustomerVersion,
    Subscription,
    SubscriptionChange,
    PriceVersion,
    Coupon,
    ImportFile,
]


def take(engine: Engine, rows: str, mapping: str = MAPPING, **options: Any) -> dict[str, Any]:
    """Import rows under the usual header."""
    options = {"command_id": f"import {rows!r}{mapping!r}", "now": NOW, "as_of": AS_OF, "name": "file.csv", **options}
    data = options.pop("data", (HEADER + rows).encode())
    return import_file(engine, SYSTEM, mapping=mapping, data=data, **options)


def take_sample(engine: Engine, **options: Any) -> dict[str, Any]:
    """Import the sample that comes along."""
    return take(
        engine, "", mapping=(SEED / "mappings" / "sample.toml").read_text(),
        data=(SEED / "sample.csv").read_bytes(), **{"as_of": None, **options},
    )  # fmt: skip


def counts(engine: Engine) -> dict[str, int]:
    """Rows of every table that an import writes."""
    with reading(engine) as session:
        return {
            model.__tablename__: session.execute(select(func.count()).select_from(core_table(model))).scalar_one()
            for model in BOOKS
        }


def facts(engine: Engine, external_id: str) -> list[tuple[Any, ...]]:
    """Kind, day, quantity in units, item and cause of a subscription's facts."""
    change, sub = core_table(SubscriptionChange).c, core_table(Subscription)
    with reading(engine) as session:
        rows = session.execute(
            select(change.kind, change.effective_on, change.quantity_micro, change.item, change.cause)
            .join(sub, sub.c.id == change.subscription_id)
            .where(sub.c.external_id == external_id)
            .order_by(change.id)
        ).all()
    return [(row[0], row[1], row[2] and row[2] / 10**6, row[3], row[4]) for row in rows]


def refusals(engine: Engine, rows: str, mapping: str = MAPPING) -> list[str]:
    """Line and reason of each finding; nothing may be stored."""
    before = counts(engine)
    with pytest.raises(ImportRefused) as caught:
        take(engine, rows, mapping)
    assert counts(engine) == before
    assert caught.value.count == len(caught.value.findings)
    return [f"{finding.line}: {finding.sentence()}" for finding in caught.value.findings]


# --- what is stored -------------------------------------------------------------------------------------------------


def test_the_sample_comes_in_with_its_prices_and_ends(engine: Engine) -> None:
    answer = take_sample(engine)

    assert (answer["rows"], answer["customers"], answer["subscriptions"]) == (8, 7, 8)
    assert answer["ended"] == {"death": 1, "involuntary": 1, "voluntary": 1}
    # 508 + 480 + 249 + 260.50 a month, 4,490 a year
    assert answer["active_price_minor"] == {"NOK per month": 149_750, "NOK per year": 449_000}
    assert answer["price_versions"] == 3


def test_a_price_above_the_list_is_an_add_on_and_one_below_a_coupon(sqlite_engine: Engine) -> None:
    take(sqlite_engine, "a,A,2023-05-31,,,112.50,,1,,,\nb,B,2023-05-31,,,97.25,,,,,\n")

    start = date(2023, 5, 31)
    assert facts(sqlite_engine, "a") == [
        ("start", start, 1, "", ""), ("addon", start, 1, "extra", ""), ("addon", start, 250, "adjustment", ""),
    ]  # fmt: skip
    assert facts(sqlite_engine, "b") == [("start", start, 1, "", ""), ("coupon", start, None, "", "")]
    with reading(sqlite_engine) as session:
        coupon = load.coupons(session).row(0, named=True)
    assert (coupon["kind"], coupon["amount_minor"], coupon["duration"]) == ("amount", 275, "forever")


def test_equal_prices_share_a_version_and_the_next_file_finds_it(sqlite_engine: Engine) -> None:
    own = MAPPING.replace("total_price", "own_price")
    first = take(
        sqlite_engine, "a,A,2023-01-01,,,55,,,,,\nb,B,2023-01-01,,,55.00,,,,,\nc,C,2023-01-01,,,60,,,,,\n", own
    )
    second = take(sqlite_engine, "d,D,2023-01-01,,,55,,,,,\ne,E,2023-01-01,,,,,,,,\n", own)
    third = take(sqlite_engine, "f,F,2023-01-01,,,60,,,,,\ng,G,2023-01-01,,,,,,,,\n", own)

    assert [answer["price_versions"] for answer in (first, second, third)] == [2, 1, 0]
    with reading(sqlite_engine) as session:
        table = core_table(PriceVersion).c
        versions = session.execute(select(table.number, table.status, table.reason).order_by(table.id)).all()
    assert [tuple(row) for row in versions] == [
        (1, "retired", "Own price"), (2, "retired", "Own price"), (3, "published", "")
    ]  # fmt: skip


def test_nothing_due_before_the_opening_is_billed_and_the_next_month_is_exact(engine: Engine) -> None:
    world = World(engine)
    take(
        engine,
        "a,A,2021-03-15,,,112.50,,1,,,\nb,B,2022-01-31,,,97.25,,,,,\nc,C,2022-01-10,2024-01-31,voluntary,100,,,,,\n",
    )

    january = run_billing(engine, SYSTEM, now=world.now, through=AS_OF, issue_date=AS_OF)
    february = run_billing(engine, SYSTEM, now=world.now, through=date(2024, 2, 29), issue_date=date(2024, 2, 29))
    again = run_billing(engine, SYSTEM, now=world.now, through=date(2024, 2, 29), issue_date=date(2024, 2, 29))

    assert (january.documents, february.documents, again.documents) == (0, 2, 0)
    assert february.net_minor == {"NOK": 11_250 + 9_725}
    with reading(engine) as session:
        line = core_table(DocumentLine).c
        billed = session.execute(select(line.service_start, line.amount_minor, line.discount_minor).order_by(line.id))
        assert [tuple(row) for row in billed] == [
            (date(2024, 2, 15), 10_000, 0), (date(2024, 2, 15), 1_000, 0), (date(2024, 2, 15), 250, 0),
            (date(2024, 2, 29), 10_000, 275),
        ]  # fmt: skip
        document = core_table(Document).c
        assert session.execute(select(func.sum(document.net_minor))).scalar_one() == 20_975


def test_a_discount_becomes_a_coupon_for_ever(sqlite_engine: Engine) -> None:
    answer = take(sqlite_engine, "a,A,2023-01-01,,,,12.5,,,,\n")

    assert answer["active_price_minor"] == {"NOK per month": 8_750}
    with reading(sqlite_engine) as session:
        coupon = load.coupons(session).row(0, named=True)
    assert (coupon["code"], coupon["rate_ppm"], coupon["duration"]) == ("IMPORT-PERCENT-12.5", 125_000, "forever")


def test_an_end_on_the_extraction_is_none_only_when_the_mapping_says_so(sqlite_engine: Engine) -> None:
    rows = "a,A,2023-01-01,2024-01-31,,,,,,,\nb,B,2023-01-01,2024-01-30,death,,,,,,\n"
    open_ends = MAPPING.replace("[subscription]", "[subscription]\nend_on_extraction_is_open = true")
    preview = {"name": "f", "data": (HEADER + rows).encode(), "today": AS_OF}

    assert preview_import(sqlite_engine, mapping=MAPPING, **preview)["ended"] == {"death": 1, "other": 1}
    assert preview_import(sqlite_engine, mapping=open_ends, **preview)["ended"] == {"death": 1}


def test_the_opening_stands_in_the_cursor_with_the_last_fact_of_the_import(sqlite_engine: Engine) -> None:
    billed = MAPPING.replace("[subscription.addons]", 'billed_through = "DATE(coupon)"\n[subscription.addons]').replace(
        'coupon = "coupon"\n', ""
    )
    take(sqlite_engine, "a,A,2023-01-01,,,,,1,,,2024-03-31\nb,B,2023-01-01,,,,,,,,\n", billed)

    cursor = core_table(BillingCursor).c
    with reading(sqlite_engine) as session:
        rows = session.execute(select(cursor.billed_through, cursor.opening, cursor.opening_change_id)).all()
    assert [tuple(row) for row in rows] == [(date(2024, 3, 31), date(2024, 3, 31), 2), (AS_OF, AS_OF, 3)]


def test_formulas_and_markup_in_names_stay_text(engine: Engine) -> None:
    take(
        engine,
        'a,=1+1,2023-01-01,,,,,,,,\nb,"<script>alert(1)</script>",2023-01-01,,,,,,,,\nc,"Å \'; DROP",2023-01-01,,,,,,,,\n',
    )

    with reading(engine) as session:
        names = load.customers(session, AS_OF)["name"].to_list()
    assert names == ["=1+1", "<script>alert(1)</script>", "Å '; DROP"]


def test_customers_are_known_from_their_first_start(sqlite_engine: Engine) -> None:
    several = MAPPING.replace("[customer]", "[customer]\nrepeats = true").replace(
        "[subscription]", "[subscription]\nid = \"id || '-' || row_number\""
    )
    take(sqlite_engine, "a,A,2023-05-01,,,,,,,,\na,A,2021-04-01,,,,,,,,\n", several)

    with reading(sqlite_engine) as session:
        customer = load.customers(session, AS_OF).row(0, named=True)
        subscriptions = load.subscriptions(session)
    assert customer["created_on"] == date(2021, 4, 1)
    assert subscriptions["customer_id"].to_list() == [customer["customer_id"]] * 2


# --- the second time ------------------------------------------------------------------------------------------------


def test_the_same_file_twice_gives_the_same_state(engine: Engine) -> None:
    take_sample(engine)
    before = counts(engine)
    again = take_sample(engine, command_id="another form", as_of=date(2024, 2, 15))

    assert again == {"already_imported": True, "as_of": "2024-01-31", "rows": 8}
    assert counts(engine) == before


def test_a_longer_file_adds_only_its_new_rows(engine: Engine) -> None:
    rows = "a,A,2023-01-01,,,112.50,,1,,,\nb,B,2023-01-01,2023-08-01,death,97.25,,,,,\n"
    take(engine, rows)
    answer = take(engine, rows + "c,C,2023-01-01,,,97.25,,,,,\n")

    assert (answer["customers"], answer["subscriptions"], answer["price_versions"]) == (1, 1, 0)
    assert counts(engine)["subscription"] == 3


@pytest.mark.parametrize(
    "changed", ["a,A,2023-01-02,,,100,,,,,", "a,A,2023-01-01,2023-05-05,,100,,,,,", "a,A,2023-01-01,,,99,,,,,"]
)
def test_a_row_that_says_something_else_than_before_is_refused(engine: Engine, changed: str) -> None:
    take(engine, "a,A,2023-01-01,,,100,,,,,\n")

    assert refusals(engine, changed + "\n") == [
        "2: The subscription a is already stored and says something else; an import only adds"
    ]


def test_a_customer_with_another_name_than_before_is_refused(engine: Engine) -> None:
    take(engine, "a,A,2023-01-01,,,100,,,,,\n")

    assert refusals(engine, "a,Anna,2023-01-01,,,100,,,,,\n") == [
        "2: Customer a is already stored with another name; an import changes nobody"
    ]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,A,2023-01-01,2022-12-31,,,,,,,", "The end 2022-12-31 is not after the start 2023-01-01"),
        ("a,A,2023-01-01,2023-01-01,,,,,,,", "The end 2023-01-01 is not after the start 2023-01-01"),
        ("a,A,31.12.2022,,,,,,,,", "“31.12.2022” is not a date (start)"),
        ("a,A,2023-02-29,,,,,,,,", "“2023-02-29” is not a date (start)"),
        ("a,A,,,,,,,,,", "“start” is empty"),
        ("a,,2023-01-01,,,,,,,,", "“name” is empty"),
        ("a,A,2023-01-01,,,,,,KRO,,", "The currency KRO is not known"),
        ("a,A,2023-01-01,,,,,,SEK,,", "The mapping gives no price of the plan basic in SEK per month"),
        ("a,A,2023-01-01,,,,,,,gold,", "The plan gold is neither in the catalogue nor in the mapping"),
        ("a,A,2023-01-01,2023-05-05,boredom,,,,,,", "“boredom” is no end cause; known are voluntary, involuntary, staff, death, other"),
        ("a,A,2023-01-01,,,-5,,,,,", "The price -5 is below zero"),
        ("a,A,2023-01-01,,,nan,,,,,", "“nan” is not a number (total_price)"),
        ("a,A,2023-01-01,,,1e30,,,,,", "The amount 1000000000000000000000000000000 is too large"),
        ("a,A,2023-01-01,,,,101,,,,", "A discount lies between 0 and 100 %, not at 101"),
        ("a,A,2023-01-01,,,,,0.0000001,,,", "0.0000001 has more than 6 decimals (addon:extra)"),
        ("a,A,2023-01-01,,,,,-1,,,", "-1 is not a quantity: it must be 0 or more (addon:extra)"),
        ("a,A,2023-01-01,,,,,,,,SUMMER", "The coupon SUMMER is not known"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_line_and_reason_and_nothing_is_stored(
    sqlite_engine: Engine, row: str, reason: str
) -> None:
    assert refusals(sqlite_engine, f"good,G,2023-01-01,,,,,,,,\n{row}\n") == [f"3: {reason}"]


def test_the_same_customer_twice_is_refused_unless_the_mapping_expects_it(sqlite_engine: Engine) -> None:
    found = refusals(sqlite_engine, "a,A,2023-01-01,,,,,,,,\na,A,2023-01-01,,,,,,,,\n")

    assert found[0].startswith("3: “a” already stands in line 2; say repeats = true under [customer]")
    assert found[1] == "3: The subscription “a” already stands in line 2"


def test_all_bad_rows_are_counted_and_the_first_hundred_shown(engine: Engine) -> None:
    rows = "".join(f"c{n},N,2023-01-01,2020-01-01,,,,,,,\n" for n in range(250))
    with pytest.raises(ImportRefused, match="250 findings; the first, in line 2") as caught:
        take(engine, rows)

    assert caught.value.count == 250
    assert [finding.line for finding in caught.value.findings] == list(range(2, 102))
    assert set(counts(engine).values()) == {0}


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"id,name\n1,\x00\n", "id\nÅ\n".encode("latin-1")])
def test_a_file_that_is_no_table_stores_nothing(sqlite_engine: Engine, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        take(sqlite_engine, "", data=data)
    assert set(counts(sqlite_engine).values()) == {0}


def test_a_missing_column_is_named(sqlite_engine: Engine) -> None:
    with pytest.raises(
        InvalidInput, match="The mapping of “name” uses the column “name”, which the file does not have"
    ):
        take(sqlite_engine, "", data=b"id,start\n1,2023-01-01\n")


def test_nobody_imports_without_saying_who(sqlite_engine: Engine) -> None:
    with pytest.raises(NotPermitted):
        import_file(sqlite_engine, None, command_id="x", now=NOW, name="f", mapping=MAPPING, data=b"")


# --- usage and touch points -----------------------------------------------------------------------------------------

EVENTS = """
[usage]
where = "what = 'use'"
id = "id"
subscription = "of"
meter = "'kwh'"
date = "DATE(day)"
quantity = "number"
[touch_point]
where = "what <> 'use'"
id = "id"
customer = "of"
date = "DATE(day)"
kind = "what"
topic = "number"
"""


def events(engine: Engine, rows: str) -> dict[str, Any]:
    """Import usage rows and touch points of one file."""
    return take(engine, "", EVENTS, data=b"id,what,of,day,number\n" + rows.encode(), command_id=f"events {rows}")


def test_usage_and_touch_points_come_in_once(engine: Engine) -> None:
    take(engine, "a,A,2023-01-01,,,,,,,,\n")
    first = events(engine, "1,use,a,2024-01-05,2.5\n2,call,a,2024-01-06,billing\n")
    longer = events(engine, "1,use,a,2024-01-05,2.5\n2,call,a,2024-01-06,billing\n3,use,a,2024-01-07,1\n")

    assert (first["usage_events"], first["touch_points"]) == (1, 1)
    assert (longer["usage_events"], longer["touch_points"]) == (1, 0)
    with reading(engine) as session:
        usage = load.usage(session)
        assert session.execute(select(func.count()).select_from(core_table(TouchPoint))).scalar_one() == 1
        assert session.execute(select(core_table(UsageEvent).c.occurred_at)).scalars().first().hour == 12
    assert usage["quantity_micro"].to_list() == [2_500_000, 1_000_000]


def test_usage_that_says_something_else_or_belongs_to_nobody_is_refused(engine: Engine) -> None:
    take(engine, "a,A,2023-01-01,,,,,,,,\n")
    events(engine, "1,use,a,2024-01-05,2.5\n")

    with pytest.raises(ImportRefused) as caught:
        events(engine, "1,use,a,2024-01-05,3\n2,use,b,2024-01-05,3\n3,call,c,2024-01-05,x\n")
    assert [finding.sentence() for finding in caught.value.findings] == [
        "“1” is already stored with other content", "The subscription b is not known", "The customer c is not known",
    ]  # fmt: skip


# --- the two files that nobody here wrote ---------------------------------------------------------------------------


def given(name: str) -> bytes:
    """One of the shared files; the test is skipped where they are not."""
    file = DATA / name
    if not file.exists():
        pytest.skip(f"the shared file {name} is not here")
    return file.read_bytes()


def take_given(engine: Engine, mapping: str, name: str, as_of: date | None) -> dict[str, Any]:
    """Import a shared file by its mapping."""
    text = (SEED / "mappings" / f"{mapping}.toml").read_text()
    return take(engine, "", text, data=given(name), as_of=as_of, command_id=name)


def test_the_policies_tie_to_their_file(engine: Engine) -> None:
    answer = take_given(engine, "policies", "uslapseagent.csv", None)

    rows = pl.read_csv(given("uslapseagent.csv"))
    causes = dict(rows["termination.cause"].value_counts().iter_rows())
    assert answer["rows"] == answer["subscriptions"] == rows.height == 29_317
    assert answer["ended"] == {"voluntary": causes["surrender"], "death": causes["death"], "other": causes["other"]}
    assert answer["active"] == causes["in-force"] == 14_453
    with reading(engine) as session:
        stored = load.changes(session)
    ends = stored.filter(pl.col("kind") == "cancel")
    assert dict(ends["cause"].value_counts().iter_rows()) == answer["ended"]
    assert stored.filter(pl.col("kind") == "addon").height == rows.filter(pl.col("acc.death.rider") == "Rider").height


def yearly_price(premium: float) -> Decimal:
    """The year's price of a policy in dollars, as the file's description says; never below nothing."""
    return max(Decimal(0), Decimal(str(premium)) * Decimal("526.58") + Decimal("560.88"))


def cents(dollars: Decimal) -> int:
    """Rounded half away from zero."""
    return int((dollars * 100).quantize(Decimal(1), ROUND_HALF_UP))


def test_a_month_of_the_policies_is_billed_exactly_and_the_books_check(sqlite_engine: Engine) -> None:
    sell_abroad(sqlite_engine)
    take_given(sqlite_engine, "policies", "uslapseagent.csv", None)
    through = date(2010, 8, 31)
    run = run_billing(sqlite_engine, SYSTEM, now=NOW, through=through, issue_date=through)

    rows = pl.read_csv(given("uslapseagent.csv")).filter(pl.col("termination.cause") == "in-force")
    expected = 0
    for issued, frequency, premium in rows.select("issue.date", "premium.frequency", "annual.premium").iter_rows():
        if frequency == "InfraAnnual":
            expected += cents(yearly_price(premium) / 12)
        elif issued[5:7] == "08":
            expected += cents(yearly_price(premium))
    assert run.net_minor == {"USD": expected}
    with reading(sqlite_engine) as session:
        assert check(session) == []


def sell_abroad(engine: Engine) -> None:
    """A company that may sell to anybody abroad without VAT."""
    outside = {"seller_country": "NO", "customer_country": "*", "treatment": "outside", "rate_ppm": 0}
    World(engine).add(
        VatRule, **outside, category="standard", valid_from=date(2000, 1, 1), recorded_at=NOW, author="test"
    )


def test_the_telephone_customers_pay_what_their_file_says(engine: Engine) -> None:
    sell_abroad(engine)
    answer = take_given(engine, "telco", "telco_customer_churn.csv", AS_OF)
    through = date(2024, 2, 29)
    run = run_billing(engine, SYSTEM, now=NOW, through=through, issue_date=through, dry_run=True)

    assert (answer["active"], answer["ended"]) == (5_174, {"voluntary": 1_869})
    assert answer["active_price_minor"] == {"USD per month": 31_698_575}
    assert (run.documents, run.net_minor) == (5_174, {"USD": 31_698_575})
