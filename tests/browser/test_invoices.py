"""The Invoices page in real Chromium: the list opens a document, a line its why, and a run issues once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.store.engine import open_engine
from core.store.tables import BillingRun, CustomerVersion
from tests.apps import served, settle
from tests.world import SINCE, STAMP, World, assert_books_hold, charge, fixed, tier

pytestmark = pytest.mark.browser
NOW = "2026-02-01T10:00:00+00:00"
NASTY = "=1+1 <img src=x onerror=alert(1)> [x](javascript:alert(1)) **Ærlig**"


@pytest.fixture(scope="module")
def place(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """Three customers billed for January, one of them with a name that wants to be more than a name."""
    file = tmp_path_factory.mktemp("invoices") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    world = World(open_engine(url))
    plan = world.plan(
        fixed("100"), charge("kwh", "usage", "graduated", tier("10", unit="2"), tier(unit="1"), meter="kwh")
    )
    customers = [world.customer() for _ in range(3)]
    world.add(CustomerVersion, customer_id=customers[0], effective_from=SINCE, kind="consumer", name=NASTY, **STAMP)
    for customer in customers:
        subscription = world.start(customer, plan, date(2026, 1, 1))
        world.use(subscription, "kwh", date(2026, 1, 9), 14)
    world.bill(date(2026, 1, 1))
    with served(url, now=NOW) as address:
        yield world, address


def test_a_link_narrows_the_list_and_the_file_says_so(place: tuple[World, str], page: Page) -> None:
    page.goto(f"{place[1]}/invoices?find=%3D1%2B1")
    expect(page.get_by_text("1 document")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV", exact=True).click()
    content = Path(started.value.path()).read_text("utf-8-sig")
    assert "Find =1+1" in content.splitlines()[0]
    assert f"'{NASTY}" in content


def test_a_document_shows_its_buyer_literally_and_the_why_of_a_line(place: tuple[World, str], page: Page) -> None:
    page.goto(f"{place[1]}/invoices?number=F2026-000001")
    expect(page.get_by_role("heading", name="Invoice F2026-000001")).to_be_visible()
    expect(page.get_by_text(NASTY).first).to_be_visible()
    page.get_by_role("button", name="Why").first.click()
    expect(page.get_by_text("Fixed price 100").first).to_be_visible()
    expect(page.get_by_text("Net amount of this line").first).to_be_visible()


def test_a_row_opens_its_document_and_the_way_back_keeps_the_filters(place: tuple[World, str], page: Page) -> None:
    page.goto(f"{place[1]}/invoices?kind=invoice&find=%C3%85s&sort=oldest")
    expect(page.get_by_text("3 documents")).to_be_visible()
    table = page.get_by_test_id("stDataFrame").locator("canvas").first
    expect(table).to_be_visible()
    page.wait_for_timeout(1_500)  # the canvas is there before its rows are
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 17, box["y"] + 50)
    expect(page.get_by_role("heading", name="Invoice F2026-000001")).to_be_visible()

    page.get_by_role("button", name="All invoices").click()
    expect(page.get_by_text("3 documents")).to_be_visible()
    expect(page).to_have_url(re.compile("sort=oldest"))  # the address may follow the page
    address = page.evaluate("location.search")
    assert {"kind=invoice", "find=%C3%85s", "sort=oldest"} <= set(address.removeprefix("?").split("&"))


def test_a_run_started_by_a_double_click_and_reloaded_is_one_run(place: tuple[World, str], page: Page) -> None:
    world, address = place
    page.goto(f"{address}/invoices?view=run")
    expect(page.get_by_role("button", name="Issue 3 documents")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Issue 3 documents").click()
    expect(page.get_by_text("3 invoices and 0 credit notes")).to_be_visible()
    runs = len(world.rows(BillingRun))
    page.get_by_role("button", name="Issue now").dblclick()
    while len(world.rows(BillingRun)) == runs:  # a click that has not arrived before the reload starts nothing
        page.wait_for_timeout(20)
    page.reload()
    expect(page.get_by_text("3 documents issued through")).to_be_visible()
    expect(page.get_by_text("Nothing is due")).to_be_visible()

    assert [document.number for document in world.documents()][3:] == [f"F2026-00000{place}" for place in (4, 5, 6)]
    assert_books_hold(world)
